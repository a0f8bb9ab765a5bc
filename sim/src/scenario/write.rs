use core::fmt;
use core::str::FromStr;

use crux_crdt::document::DOCUMENTS_MAX;

use super::ParseError;
use super::Site;
use super::site::read_site;
use super::words::Words;

/// How many users a flock has.
const USERS: u8 = 3;

/// A document that users may write, by number: `k3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Paper(pub u32);

/// A user, by number: `u0` to `u2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct User(pub u8);

/// The signer of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// `operator`.
    Operator,
    /// A user.
    User(User),
}

/// What is done about documents, as a node shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// `put PAPER by SIGNER`: other content.
    Put(Paper, Signer),
    /// `drop PAPER by SIGNER`: it is deleted.
    Drop(Paper, Signer),
    /// `grant USER N`: the operator lets a user have so many documents.
    Grant(User, u32),
    /// `revoke USER`: the operator takes that back. All other grants, and what the user wrote, are signed again under
    /// the next version of the grants.
    Revoke(User),
    /// `flood USER`: the user signs a document under more keys than it may have, and one key again and again. Nobody
    /// is asked: the facts are on the network, or a member has them stored.
    Flood(User),
    /// `remember`: somebody keeps a copy of all that the node shows.
    Remember,
    /// `apply SITE`: the operator signs another target.
    Apply(Site),
}

/// What somebody signs, and how it gets to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// What.
    pub deed: Deed,
    /// `as-remembered`: signed by what the kept copy shows, which may be old.
    pub old: bool,
    /// `unasked`: nobody is asked; it is on the network.
    pub unasked: bool,
    /// `stored`: another member, which lies, asks the node to store it.
    pub stored: bool,
    /// `sync N`: so many other members are to store it.
    pub sync: u32,
}

impl User {
    /// Everyone.
    pub const ALL: [Self; USERS as usize] = [Self(0), Self(1), Self(2)];
}

impl From<Deed> for Write {
    fn from(deed: Deed) -> Self {
        Self { deed, old: false, unasked: false, stored: false, sync: 0 }
    }
}

impl fmt::Display for Paper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k{}", self.0)
    }
}

impl FromStr for Paper {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.strip_prefix('k').ok_or(())?.parse().map(Self).map_err(|_| ())
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "u{}", self.0)
    }
}

impl FromStr for User {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = text.strip_prefix('u').ok_or(())?.parse().map_err(|_| ())?;
        if number < USERS { Ok(Self(number)) } else { Err(()) }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::User(user) => write!(f, "{user}"),
        }
    }
}

impl FromStr for Signer {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "operator" { Ok(Self::Operator) } else { text.parse().map(Self::User) }
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.deed {
            Deed::Put(paper, by) => write!(f, "put {paper} by {by}"),
            Deed::Drop(paper, by) => write!(f, "drop {paper} by {by}"),
            Deed::Grant(user, documents) => write!(f, "grant {user} {documents}"),
            Deed::Revoke(user) => write!(f, "revoke {user}"),
            Deed::Flood(user) => write!(f, "flood {user}"),
            Deed::Remember => f.write_str("remember"),
            Deed::Apply(site) => write!(f, "apply {site}"),
        }?;
        let flags =
            [(self.old, " as-remembered"), (self.unasked, " unasked"), (self.stored, " stored")];
        flags.iter().filter(|(is, _)| *is).try_for_each(|(_, text)| f.write_str(text))?;
        if self.sync > 0 { write!(f, " sync {}", self.sync) } else { Ok(()) }
    }
}

/// The words with which a write begins.
pub(super) const VERBS: [&str; 7] =
    ["put", "drop", "grant", "revoke", "flood", "remember", "apply"];

/// Reads a write whose first word was read.
pub(super) fn read_write(verb: &str, words: &mut Words<'_>) -> Result<Write, ParseError> {
    const USER: &str = "a user: `u0`, `u1` or `u2`";
    let deed = match verb {
        "put" | "drop" => {
            let paper = words.value("a document like `k3`")?;
            words.must("by")?;
            let by = words.value("`operator` or a user like `u1`")?;
            if verb == "put" { Deed::Put(paper, by) } else { Deed::Drop(paper, by) }
        }
        "grant" => {
            let (user, documents) = (words.value(USER)?, words.value("how many documents")?);
            let most = || ParseError::new(format!("at most {DOCUMENTS_MAX} documents"), "more");
            let fits = |documents: &u32| *documents as usize <= DOCUMENTS_MAX;
            Deed::Grant(user, Some(documents).filter(fits).ok_or_else(most)?)
        }
        "revoke" => Deed::Revoke(words.value(USER)?),
        "flood" => Deed::Flood(words.value(USER)?),
        "apply" => Deed::Apply(read_site(words)?),
        _ => Deed::Remember,
    };
    let (old, unasked) = (words.take("as-remembered"), words.take("unasked"));
    let stored = words.take("stored");
    let sync = if words.take("sync") { words.value("how many members")? } else { 0 };
    Ok(Write { deed, old, unasked, stored, sync })
}
