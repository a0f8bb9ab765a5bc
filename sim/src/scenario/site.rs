use core::fmt;
use core::str::FromStr;

use super::ParseError;
use super::words::Words;

/// What a target places, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// `plain`: three `web` and two `db`, anywhere.
    Plain,
    /// `few`: one `web` and two `db`, anywhere.
    Few,
    /// `after`: as `plain`, and `web` starts after two of `db`.
    After,
    /// `waits`: one `web` and two `db`; `web` starts after three of `db`, which is never.
    Waits,
    /// `chain`: `web` on half of the nodes, `cache` where `web` is, `log` where it is not.
    Chain,
    /// `pair`: two `web` on two of n0, n1 and n2.
    Pair,
    /// `stuck`: two `web` on nodes that are n0 and n1 as well: there are none.
    Stuck,
}

/// A target, as somebody signs it: `plain v3 bad replace`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// What it places.
    pub shape: Shape,
    /// The version of `web`. Everything else has one version.
    pub version: u8,
    /// `bad`: that version never gets ready.
    pub is_bad: bool,
    /// `replace`: where fewer than half of the nodes are in sight instances are replaced all the same.
    pub replaces: bool,
}

/// An order to nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `drain WHO`: their instances move elsewhere.
    Drain,
    /// `cordon WHO`: they get nothing new.
    Cordon,
    /// `uncordon WHO`: they run what they are given.
    Uncordon,
}

impl Shape {
    /// Every one, with its word.
    pub const ALL: [(&str, Self); 7] = [
        ("plain", Self::Plain),
        ("few", Self::Few),
        ("after", Self::After),
        ("waits", Self::Waits),
        ("chain", Self::Chain),
        ("pair", Self::Pair),
        ("stuck", Self::Stuck),
    ];
}

impl Order {
    pub(super) const ALL: [(&str, Self); 3] =
        [("drain", Self::Drain), ("cordon", Self::Cordon), ("uncordon", Self::Uncordon)];
}

fn word_of<T: PartialEq>(all: &[(&'static str, T)], it: &T) -> &'static str {
    all.iter().find(|(_, known)| known == it).map_or("", |(word, _)| word)
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word_of(&Self::ALL, self))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word_of(&Self::ALL, self))
    }
}

impl FromStr for Shape {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().find(|(word, _)| *word == text).map(|(_, shape)| *shape).ok_or(())
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.shape, self.version)?;
        let flags = [(self.is_bad, " bad"), (self.replaces, " replace")];
        flags.iter().filter(|(is, _)| *is).try_for_each(|(_, text)| f.write_str(text))
    }
}

/// Reads a target after its verb.
pub(super) fn read_site(words: &mut Words<'_>) -> Result<Site, ParseError> {
    let shape = words.value("`plain`, `few`, `after`, `waits`, `chain`, `pair` or `stuck`")?;
    let version = words.next("a version like `v3`")?;
    let number = version.strip_prefix('v').and_then(|digits| digits.parse().ok());
    let wrong = || ParseError::new("a version like `v3`", format!("`{version}`"));
    let version = number.ok_or_else(wrong)?;
    Ok(Site { shape, version, is_bad: words.take("bad"), replaces: words.take("replace") })
}
