use core::fmt;
use std::collections::BTreeSet;

use super::ParseError;
use super::words::{Words, host_number};

/// Some hosts, by number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hosts(pub BTreeSet<usize>);

impl Hosts {
    /// One.
    pub fn one(host: usize) -> Self {
        Self(BTreeSet::from([host]))
    }

    /// In the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().copied()
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (at, host) in self.0.iter().enumerate() {
            write!(f, "{}n{host}", if at > 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

/// How an operation names hosts: as a scenario does, or drawn.
pub(super) trait Party: fmt::Display + Sized {
    /// Reads as many words as belong to it.
    fn read(words: &mut Words<'_>) -> Result<Self, ParseError>;
}

impl Party for Hosts {
    fn read(words: &mut Words<'_>) -> Result<Self, ParseError> {
        if words.take("none") {
            return Ok(Self::default());
        }
        let mut hosts = BTreeSet::new();
        while let Some(host) = words.peek().and_then(host_number) {
            hosts.insert(host);
            words.next("a host")?;
        }
        if hosts.is_empty() { Err(words.wrong("hosts like `n0 n2`")) } else { Ok(Self(hosts)) }
    }
}
