//! JSON as a tree.
//!
//! serde_json has no places of values. It gives raw values, though, which are slices of the text, and a
//! slice has a place. Each level is read once more for the level around it, and there are few.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::Mistake;
use super::tree::{DEPTH_MAX, Key, Node, Value};

/// Reads a text. With mistakes the tree is what can be read in spite of them; none if it is not JSON.
pub(super) fn parse(text: &str, wrong: &mut Vec<Mistake>) -> Option<Node> {
    match serde_json::from_str(text) {
        Ok(raw) => Some(Reader { text, wrong }.node(raw, DEPTH_MAX)),
        Err(error) => {
            wrong.push(Mistake::new(place(text, &error), "", &describe(&error)));
            None
        }
    }
}

/// Where an error of the parser is, which counts lines from 1 and bytes of the line.
fn place(text: &str, error: &serde_json::Error) -> usize {
    let before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    before.map(str::len).sum::<usize>() + error.column().saturating_sub(1)
}

/// The parser's message without the place, which is said otherwise.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

struct Reader<'a, 'w> {
    text: &'a str,
    wrong: &'w mut Vec<Mistake>,
}

impl<'a> Reader<'a, '_> {
    fn node(&mut self, raw: &'a RawValue, depth: usize) -> Node {
        Node { at: self.at(raw), value: self.value(raw, depth) }
    }

    /// Where a value begins.
    fn at(&self, raw: &RawValue) -> usize {
        raw.get().as_ptr().addr().saturating_sub(self.text.as_ptr().addr())
    }

    fn value(&mut self, raw: &'a RawValue, depth: usize) -> Value {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{' | b'[') if depth == 0 => Value::Other("too many levels"),
            Some(b'{') => self.table(raw, depth),
            Some(b'[') => {
                let items: Vec<&RawValue> = self.read(raw).unwrap_or_default();
                Value::List(items.into_iter().map(|item| self.node(item, depth - 1)).collect())
            }
            Some(b'"') => self.read(raw).map_or(Value::Other("a text"), Value::Text),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Other("null"),
            _ => {
                let float = || text.parse().map_or(Value::Other("a number"), Value::Float);
                text.parse().map_or_else(|_| float(), Value::Number)
            }
        }
    }

    fn table(&mut self, raw: &'a RawValue, depth: usize) -> Value {
        let Pairs(pairs) = self.read(raw).unwrap_or_default();
        let (mut entries, mut seen) = (Vec::new(), BTreeSet::new());
        for (raw_key, value) in pairs {
            let (at, Some(name)) = (self.at(raw_key), self.read::<String>(raw_key)) else {
                continue;
            };
            if !seen.insert(name.clone()) {
                self.wrong.push(Mistake::new(at, &name, "it is there twice"));
                continue;
            }
            entries.push((Key { at, name }, self.node(value, depth - 1)));
        }
        Value::Table(entries)
    }

    /// A part of the text, which can still have an escape that is none.
    fn read<T: Deserialize<'a>>(&mut self, raw: &'a RawValue) -> Option<T> {
        let read = serde_json::from_str(raw.get());
        read.map_err(|error| {
            let at = self.at(raw);
            self.wrong.push(Mistake::new(at, "", &describe(&error)));
        })
        .ok()
    }
}

/// The pairs of an object, as it is written.
#[derive(Default)]
struct Pairs<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfMap;

        impl<'de> Visitor<'de> for OfMap {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(OfMap)
    }
}
