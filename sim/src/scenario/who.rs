use core::fmt;
use core::str::FromStr;

use super::ParseError;
use super::hosts::Party;
use super::words::{GIVEN, Words, host_number, is_name};

/// How many of some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// So many, or all if there are fewer.
    Number(usize),
    /// From the first to the second number, both included.
    Range(usize, usize),
    /// That fraction, rounded down, but at least one.
    Fraction(usize, usize),
}

/// Some hosts, as a scenario names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Only so many of them, by chance.
    pub any: Option<Share>,
    /// Names whose hosts are meant.
    pub of: Vec<String>,
    /// Names whose hosts are not meant.
    pub but: Vec<String>,
}

impl Who {
    /// One name.
    pub fn named(name: &str) -> Self {
        Self { any: None, of: vec![name.to_owned()], but: Vec::new() }
    }

    /// The names it uses that must have been given before.
    pub(super) fn uses(&self) -> impl Iterator<Item = &String> {
        let names = self.of.iter().chain(&self.but);
        names.filter(|name| !GIVEN.contains(&name.as_str()) && host_number(name).is_none())
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Range(first, last) => write!(f, "{first}..{last}"),
            Self::Fraction(part, whole) => write!(f, "{part}/{whole}"),
        }
    }
}

impl FromStr for Share {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |text: &str| text.parse::<u16>().map(usize::from).map_err(|_| ());
        if let Some((first, last)) = text.split_once("..") {
            let (first, last) = (number(first)?, number(last)?);
            return if first <= last { Ok(Self::Range(first, last)) } else { Err(()) };
        }
        if let Some((part, whole)) = text.split_once('/') {
            let (part, whole) = (number(part)?, number(whole)?);
            let proper = part <= whole && whole > 0;
            return if proper { Ok(Self::Fraction(part, whole)) } else { Err(()) };
        }
        number(text).map(Self::Number)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.any {
            None => {}
            Some(Share::Number(1)) => f.write_str("any of ")?,
            Some(share) => write!(f, "any {share} of ")?,
        }
        f.write_str(&self.of.join(" "))?;
        if !self.but.is_empty() {
            write!(f, " but {}", self.but.join(" "))?;
        }
        Ok(())
    }
}

fn names(words: &mut Words<'_>) -> Result<Vec<String>, ParseError> {
    let known = |word: &&str| GIVEN.contains(word) || is_name(word) || host_number(word).is_some();
    let mut names = Vec::new();
    while let Some(name) = words.peek().filter(known) {
        names.push(name.to_owned());
        words.next("a name")?;
    }
    if names.is_empty() { Err(words.wrong("names of hosts")) } else { Ok(names) }
}

impl Party for Who {
    fn read(words: &mut Words<'_>) -> Result<Self, ParseError> {
        let any = if words.take("any") {
            let share = match words.peek() {
                Some("of") => Share::Number(1),
                _ => words.value("`of`, or how many: `2`, `1..3` or `2/5`")?,
            };
            words.must("of")?;
            Some(share)
        } else {
            None
        };
        let of = names(words)?;
        let but = if words.take("but") { names(words)? } else { Vec::new() };
        Ok(Self { any, of, but })
    }
}
