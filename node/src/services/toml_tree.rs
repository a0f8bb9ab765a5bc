//! TOML as a tree.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::{MISTAKES_MAX, Mistake};
use super::tree::{DEPTH_MAX, Key, Node, Value};

/// Reads a text. With mistakes the tree is what can be read in spite of them.
pub(super) fn parse(text: &str, wrong: &mut Vec<Mistake>) -> Node {
    let (table, errors) = DeTable::parse_recoverable(text);
    wrong.extend(errors.iter().take(MISTAKES_MAX).map(|error| {
        let at = error.span().map_or(0, |span| span.start);
        Mistake::new(at, "", error.message().trim())
    }));
    Node { at: 0, value: of_table(table.into_inner(), DEPTH_MAX) }
}

fn of_table(table: DeTable<'_>, depth: usize) -> Value {
    let entry = |(key, value): (Spanned<DeString<'_>>, Spanned<DeValue<'_>>)| {
        let at = key.span().start;
        (Key { at, name: String::from(key.into_inner()) }, of_value(value, depth - 1))
    };
    let mut entries: Vec<(Key, Node)> = table.into_iter().map(entry).collect();
    entries.sort_by_key(|(key, _)| key.at);
    Value::Table(entries)
}

fn of_value(value: Spanned<DeValue<'_>>, depth: usize) -> Node {
    let at = value.span().start;
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("a number that is too great"), Value::Number),
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .map_or(Value::Other("a number that cannot be read"), Value::Float),
        DeValue::Boolean(is) => Value::Bool(is),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(_) | DeValue::Table(_) if depth == 0 => Value::Other("too many levels"),
        DeValue::Array(items) => {
            Value::List(items.into_iter().map(|item| of_value(item, depth - 1)).collect())
        }
        DeValue::Table(table) => of_table(table, depth),
    };
    Node { at, value }
}
