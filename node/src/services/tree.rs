//! A config as a tree of values, each with its place in the text.

/// How deep values are within each other. A config has four levels; more is a mistake, and recursion ends.
pub(super) const DEPTH_MAX: usize = 8;

/// A value and where it begins, in bytes from the beginning of the text.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) value: Value,
}

/// A value that both TOML and JSON can express.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Node>),
    /// In the order in which it is written; no name is there twice.
    Table(Vec<(Key, Node)>),
    /// A value that no key of a config takes, in words: a date, null.
    Other(&'static str),
}

/// The name of a value in a table, and where it begins.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) at: usize,
    pub(super) name: String,
}

impl Value {
    /// Its type, in words.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Number(_) | Self::Float(_) => "a number",
            Self::Bool(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(what) => what,
        }
    }
}

impl Node {
    /// A text that nobody wrote, at a place.
    pub(super) fn text(at: usize, text: &str) -> Self {
        Self { at, value: Value::Text(text.to_owned()) }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a table; anything else has none.
    pub(super) fn entries(&self) -> &[(Key, Self)] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The same, to be changed.
    pub(super) fn entries_mut(&mut self) -> Option<&mut Vec<(Key, Self)>> {
        match &mut self.value {
            Value::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of a list; anything else has none.
    pub(super) fn items_mut(&mut self) -> &mut [Self] {
        match &mut self.value {
            Value::List(items) => items,
            _ => &mut [],
        }
    }

    /// The value that a table has under a name.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        let entry = self.entries_mut()?.iter_mut().find(|(key, _)| key.name == name);
        entry.map(|(_, node)| node)
    }

    /// Where `check[0].port` and the like begin, or the nearest thing around it that is written.
    pub(super) fn place(&self, path: &str) -> usize {
        let path = path.trim_start_matches('.');
        if let Some((index, rest)) = path.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let Value::List(items) = &self.value else { return self.at };
            let item = index.parse().ok().and_then(|index: usize| items.get(index));
            return item.map_or(self.at, |item| item.place(rest));
        }
        // Names may have dots, so the longest that fits is meant.
        let fits = |(key, node): &'_ (Key, Self)| {
            let rest = path.strip_prefix(key.name.as_str())?;
            let ends = rest.is_empty() || rest.starts_with(['.', '[']);
            ends.then(|| (key.name.len(), if rest.is_empty() { key.at } else { node.place(rest) }))
        };
        self.entries().iter().filter_map(fits).max().map_or(self.at, |(_, at)| at)
    }
}
