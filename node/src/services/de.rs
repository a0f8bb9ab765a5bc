//! Reads values of a tree into types, with the place of what does not fit.
//!
//! The types are those of `crux_crdt::service`, whose serde form is the grammar of a config. So the grammar
//! is there once, and this adds where: an error gets the place of the innermost value, and the key grows on
//! the way out.

use std::fmt::Display;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::{Mistake, cut};
use super::similar::similar;
use super::tree::{Key, Node, Value};

/// Why a value does not fit.
#[derive(Debug)]
pub(super) struct Fault {
    /// None until it is known.
    at: Option<usize>,
    key: String,
    message: String,
    /// Whether a key of the outermost table is missing, and nothing else is known to be wrong.
    pub(super) is_missing: bool,
}

impl Fault {
    fn new(message: String) -> Self {
        Self { at: None, key: String::new(), message, is_missing: false }
    }

    /// It is at that place, or already known to be within what is there.
    fn at(mut self, at: usize) -> Self {
        self.at.get_or_insert(at);
        self
    }

    /// It is in what has that name, or index in brackets.
    fn within(mut self, at: usize, outer: &str) -> Self {
        let dot = if self.key.is_empty() || self.key.starts_with('[') { "" } else { "." };
        self.key = format!("{}{dot}{}", cut(outer), self.key);
        self.is_missing = false;
        self.at(at)
    }

    /// As a mistake; at the beginning of the text where it is nowhere.
    pub(super) fn into_mistake(self) -> Mistake {
        Mistake::new(self.at.unwrap_or(0), &self.key, &self.message)
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}, found {}", wanted(expected), what(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(format!("unknown {:?}: expected {}", cut(found), list(known)))
    }

    fn unknown_field(found: &str, known: &'static [&'static str]) -> Self {
        let instead = similar(found, known).map(|known| format!("did you mean `{known}`?"));
        let instead = instead.unwrap_or_else(|| format!("the keys are {}", known.join(", ")));
        Self::new(format!("there is no such key; {instead}"))
    }

    fn missing_field(field: &'static str) -> Self {
        let (key, is_missing) = (field.to_owned(), true);
        Self { key, is_missing, ..Self::new("it is missing".to_owned()) }
    }
}

/// The expected value, in the words of a config.
fn wanted(expected: &dyn Expected) -> String {
    match expected.to_string() {
        number if ["u16", "u32", "u64", "i32"].contains(&&*number) => "a whole number".to_owned(),
        text if text == "a string" => "a text".to_owned(),
        is if is == "a boolean" => "true or false".to_owned(),
        list if list == "a sequence" => "a list".to_owned(),
        table if table == "a map" || table.starts_with("struct ") => "a table".to_owned(),
        other => other,
    }
}

/// The value that was found, in the words of a config.
fn what(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(is) => is.to_string(),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("the text {:?}", cut(text)),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        Unexpected::Other(what) => what.to_owned(),
        _ => "something else".to_owned(),
    }
}

fn list(words: &[&str]) -> String {
    match words {
        [before @ .., last] if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => words.concat(),
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let read = match &self.value {
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Number(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Bool(is) => visitor.visit_bool(*is),
            Value::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Value::Table(entries) => visitor.visit_map(Entries { entries, value: None }),
            Value::Other(what) => Err(Fault::invalid_type(Unexpected::Other(what), &visitor)),
        };
        read.map_err(|fault| fault.at(self.at))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let read = match &self.value {
            Value::Text(word) => visitor.visit_enum(Word(word)),
            other => {
                Err(Fault::new(format!("expected {}, found {}", list(variants), other.what())))
            }
        };
        read.map_err(|fault| fault.at(self.at))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The items of a list, one by one.
struct Items<'de> {
    items: &'de [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some(item) = self.items.get(self.next) else { return Ok(None) };
        let at = self.next;
        self.next += 1;
        let read = seed.deserialize(item);
        read.map(Some).map_err(|fault| fault.within(item.at, &format!("[{at}]")))
    }
}

/// The entries of a table, one by one.
struct Entries<'de> {
    entries: &'de [(Key, Node)],
    /// The one whose name was read.
    value: Option<&'de (Key, Node)>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((entry, rest)) = self.entries.split_first() else { return Ok(None) };
        (self.entries, self.value) = (rest, Some(entry));
        let Key { at, name } = &entry.0;
        let read = seed.deserialize(StrDeserializer::<Fault>::new(name));
        read.map(Some).map_err(|fault| fault.within(*at, name))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let Some((key, node)) = self.value.take() else {
            return Err(Fault::custom("a value was read before its name"));
        };
        seed.deserialize(node).map_err(|fault| fault.within(node.at, &key.name))
    }
}

/// One of several words.
struct Word<'de>(&'de str);

impl<'de> EnumAccess<'de> for Word<'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        Ok((seed.deserialize(StrDeserializer::<Fault>::new(self.0))?, self))
    }
}

impl<'de> VariantAccess<'de> for Word<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Fault> {
        Err(Fault::custom("a word has no value"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(Fault::custom("a word has no value"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fault> {
        Err(Fault::custom("a word has no value"))
    }
}
