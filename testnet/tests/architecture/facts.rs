//! Where signed facts of every kind are treated alike, no kind has a name.
//!
//! A new kind is then a row of the table in `crdt`, and these files need no change. The names come from the table
//! itself; [`PARTS`] adds the types that a fact of some kind is made of.

use std::collections::BTreeSet;
use std::fs;

use crate::manifest::root;
use crate::source::{Line, has_segments, paths, product, sources};

/// The table of kinds.
const TABLE: &str = "crdt/src/fact/table.rs";

/// Code that carries, compares and stores facts of every kind.
const GENERIC: &[&str] = &["protocol/src/sync", "protocol/src/net", "node/src/store"];

/// What facts of some kinds are made of.
const PARTS: &[&str] = &["Header", "Profile", "Slot", "Statement", "Register", "Shelf"];

/// Files among them that may use such a name, and why.
const NAMED: &[(&str, &str)] =
    &[("protocol/src/net/holders.rs", "Kademlia has records, too, which are its own")];

/// The engine of a member, which follows some kinds closely, and the kinds that it does not.
const ENGINE: &str = "protocol/src/flock";
const UNFOLLOWED: &[&str] = &["Document", "Documents", "Kind::DOCUMENT", "document"];

/// A kind, in the words of its row: `1 => ACT Act(Arc<Signed<Act>>);`.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    constant: String,
    variant: String,
}

impl Row {
    fn read(line: &str) -> Option<Self> {
        let (number, row) = line.trim().split_once(" => ")?;
        number.parse::<u8>().ok()?;
        let (constant, value) = row.split_once(' ')?;
        let (variant, _) = value.strip_suffix(");")?.split_once('(')?;
        Some(Self { constant: constant.to_owned(), variant: variant.to_owned() })
    }

    fn names(&self) -> [String; 3] {
        let Self { constant, variant } = self;
        [format!("Kind::{constant}"), variant.clone(), format!("{variant}s")]
    }
}

fn table() -> Vec<Row> {
    let table = fs::read_to_string(root().join(TABLE)).unwrap();
    table.lines().filter_map(Row::read).collect()
}

/// The lines that use one of some names.
fn naming<'a>(lines: &'a [Line], names: &[String]) -> Vec<&'a Line> {
    let names = |path: &str| names.iter().any(|name| has_segments(path, name));
    lines.iter().filter(|line| paths(&line.code).any(names)).collect()
}

#[test]
fn what_carries_facts_of_every_kind_names_none() {
    let names = table().iter().flat_map(Row::names).collect::<Vec<_>>();
    let names = [names, PARTS.iter().map(|&it| it.to_owned()).collect()].concat();
    let lines = product(sources(GENERIC.iter().copied()));
    let mut seen = BTreeSet::new();
    if let Some(line) = naming(&lines, &names).into_iter().next() {
        let allowed = NAMED.iter().any(|(file, _)| *file == line.file);
        assert!(allowed, "{} names a kind of fact: {}", line.at(), line.code.trim());
        seen.insert(line.file.as_str());
    }
    let listed: BTreeSet<_> = NAMED.iter().map(|(file, _)| *file).collect();
    assert_eq!(seen, listed, "an exception that nobody needs");
}

#[test]
fn the_engine_of_a_member_follows_no_document() {
    let lines = product(sources([ENGINE]));
    let names: Vec<_> = UNFOLLOWED.iter().map(|&it| it.to_owned()).collect();
    if let Some(line) = naming(&lines, &names).into_iter().next() {
        panic!("{} names a document: {}", line.at(), line.code.trim());
    }
}

#[test]
fn names_of_kinds_are_seen() {
    let rows = table();
    let constants: Vec<_> = rows.iter().map(|row| row.constant.as_str()).collect();
    assert!(constants.starts_with(&["ACT", "RECORD"]), "{constants:?}");
    let names: Vec<_> = rows.iter().flat_map(Row::names).collect();
    let is_seen = |code: &str| {
        let line = Line { file: "a.rs".to_owned(), number: 1, code: code.to_owned() };
        !naming(&[line], &names).is_empty()
    };
    for code in [
        "use crux_crdt::act::Act;",
        "fn f(held: &[Arc<Record>]) {}",
        "if kind == Kind::RECORD {",
        "crux_crdt::fact::Kind::ACT.0",
        "    Fact::Act(act) => {}",
    ] {
        assert!(is_seen(code), "{code}");
    }
    for code in ["fn act(&mut self) {}", "strew.facts(kind)", "let Kept { bytes, .. } = kept;"] {
        assert!(!is_seen(code), "{code}");
    }
    assert_eq!(Row::read("    2 => Offer keyed BlobId;"), None);
}
