//! The seams between the parts, read from the manifests, the lock file and the sources.
//!
//! Clippy cannot check these, because it sees one crate at a time: which crate may depend on which, which
//! part alone names a library, and that a library whose types cross a seam is there once. `deny.toml`
//! says some of it again, and licences, for those who have cargo-deny. [`layers`] has the seams inside
//! two crates, [`parts`] the one place that starts what a node runs, [`facts`] where kinds of facts have no name.

#![expect(clippy::unwrap_used, reason = "a workspace that cannot be read fails the test")]

mod facts;
mod layers;
mod manifest;
mod parts;
mod source;

use std::collections::BTreeSet;
use std::fs;

use toml::Value;

use manifest::{dependencies, locked, root, toml_file, tree};
use source::{has_segments, is_of_family, paths, sources};

/// Each member of the workspace, and the members it may depend on.
const LAYERS: &[(&str, &[&str])] = &[
    ("crdt", &[]),
    ("proto", &[]),
    ("khan", &["crdt"]),
    ("client", &["crdt", "proto"]),
    ("protocol", &["crdt", "khan"]),
    ("picket", &["crdt", "proto", "client", "protocol"]),
    ("sim", &["crdt", "khan", "protocol"]),
    ("node", &["crdt", "proto", "khan", "client", "protocol", "picket"]),
    ("testnet", &["crdt", "khan", "client", "protocol", "picket", "sim", "node"]),
];

/// Libraries, with those that share their first name, and the places that may name them.
const OWNERS: &[(&str, &[&str])] = &[
    ("libp2p", &["protocol/src/net"]),
    ("redb", &["node/src/store"]),
    // The story has a service of its own, which a node finds and the story calls.
    ("tonic", &["proto", "client/src", "picket/src", "node/src/api", "testnet/src/story"]),
    ("prost", &["proto", "client/src/wire/detail.rs"]),
    ("tokio", &["client", "protocol/src/net", "protocol/tests", "picket", "node", "testnet"]),
    ("nix", &["picket"]),
    ("winnow", &["khan/src/lexer"]),
    ("annotate_snippets", &["khan/src/diagnostic"]),
];

/// Code where one seed makes one history, and the exception within.
const PURE: &[&str] = &["crdt/src", "khan/src", "protocol/src", "sim/src"];
const IMPURE: &str = "protocol/src/net";

/// Names that such code must not use.
const ENTROPY: &[&str] = &[
    "HashMap",
    "HashSet",
    "Instant::now",
    "SystemTime",
    "rand::rng",
    "std::env",
    "std::fs",
    "std::process",
    "std::thread",
];

/// Libraries of which there is one version: their types cross our seams, or theirs is our security.
const ONE_VERSION: &[&str] =
    &["libp2p", "tonic", "prost", "redb", "ed25519-dalek", "sha3", "blake3"];

/// Libraries that nobody brings in: they need something of the system.
const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls"];

#[test]
fn members_depend_only_on_those_below() {
    let members = toml_file("Cargo.toml")["workspace"]["members"].clone();
    let members: Vec<String> = members.try_into().unwrap();
    assert_eq!(members, LAYERS.iter().map(|(member, _)| *member).collect::<Vec<_>>());
    for (member, below) in LAYERS {
        for dependency in dependencies(member) {
            let Some(other) = dependency.strip_prefix("crux-") else { continue };
            // A crate's tests may name the crate itself, to switch a feature on.
            let allowed = other == *member || below.contains(&other);
            assert!(allowed, "{member} must not depend on {dependency}");
        }
    }
}

#[test]
fn a_library_is_named_only_where_it_belongs() {
    let sources = sources(LAYERS.iter().map(|(member, _)| *member));
    for (library, places) in OWNERS {
        for (member, _) in LAYERS {
            let owns = places.iter().any(|place| place.split('/').next() == Some(member));
            for dependency in dependencies(member) {
                let allowed = owns || !is_of_family(&dependency, library, '-');
                assert!(allowed, "{member} must not depend on {dependency}");
            }
        }
        let elsewhere = sources.iter().filter(|line| !places.iter().any(|at| line.is_in(at)));
        for line in elsewhere {
            let names = paths(&line.code).any(|path| {
                path.split_once("::").is_some_and(|(head, _)| is_of_family(head, library, '_'))
            });
            assert!(!names, "{} names {library}; only {places:?} may", line.at());
        }
    }
}

#[test]
fn engines_are_pure() {
    for line in sources(PURE.iter().copied()).iter().filter(|line| !line.is_in(IMPURE)) {
        for word in ENTROPY {
            let named = paths(&line.code).any(|path| has_segments(path, word));
            assert!(!named, "{} names {word}: it differs from run to run", line.at());
        }
    }
}

/// The code that makes and prints values as JSON. Two answers of one thing are the same bytes.
const PRINTED: &[&str] = &[
    "client/src/client",
    "client/src/model",
    "client/src/op",
    "node/src/cli",
    "node/src/view",
    "testnet/src",
];

#[test]
fn nothing_that_is_printed_has_an_unordered_map() {
    for line in sources(PRINTED.iter().copied()) {
        for word in ["HashMap", "HashSet"] {
            let named = paths(&line.code).any(|path| has_segments(path, word));
            assert!(!named, "{} names {word}: its order differs from run to run", line.at());
        }
    }
}

/// The crates that may name the feature with the seeded faults: the one that has it, and those whose
/// tests need it.
const PLANTERS: &[&str] = &["crdt", "sim", "testnet"];

#[test]
fn no_build_makes_mistakes_unless_told_to() {
    for (member, _) in LAYERS {
        let manifest = toml_file(&format!("{member}/Cargo.toml"));
        let features = manifest.get("features").and_then(Value::as_table);
        let default = features.and_then(|features| features.get("default"));
        let named = |value: &Value| value.to_string().contains("planted");
        assert!(!default.is_some_and(named), "{member} makes mistakes by default");
        let has = features.is_some_and(|features| features.contains_key("planted"));
        assert_eq!(has, PLANTERS.contains(member), "{member}");
        for key in ["dependencies", "dev-dependencies", "build-dependencies"] {
            assert!(!manifest.get(key).is_some_and(named), "{member} switches mistakes on");
        }
    }
    let workspace = toml_file("Cargo.toml")["workspace"].to_string();
    assert!(!workspace.contains("planted"), "the workspace switches mistakes on");
}

/// Members that bring little with them: how much at most, as lines of `cargo tree`, and what never.
const LIGHT: &[(&str, usize, &[&str])] = &[
    ("crux-client", 110, &["libp2p", "redb", "clap", "axum"]),
    // Of these khan brings 8: it draws what is wrong in a program, and reads worlds.
    ("crux-sim", 73, &["libp2p", "tokio", "futures", "tonic", "prost", "redb", "clap"]),
];

#[test]
fn the_client_and_the_simulator_bring_little_with_them() {
    for (package, lines_max, never) in LIGHT {
        let lines = tree(package);
        assert!(lines.len() <= *lines_max, "{package}, {}: {lines:?}", lines.len());
        assert!(lines.iter().any(|line| line.starts_with("crux-crdt ")), "{lines:?}");
        for name in lines.iter().filter_map(|line| line.split(' ').next()) {
            let banned = never.iter().any(|library| is_of_family(name, library, '-'));
            assert!(!banned, "{package} brings {name}");
        }
    }
}

/// The table of slot kinds.
const SLOT_KINDS: &str = "crdt/src/record/kinds/mod.rs";
/// How many files of the product name a kind of slot: its own, the table, who states it, who reads it.
const SLOT_KIND_FILES_MAX: usize = 4;

#[test]
fn a_kind_of_slot_is_named_in_four_files() {
    let product = ["crdt/src", "proto/src", "client/src", "protocol/src", "node/src"];
    let sources = sources(product);
    let table = fs::read_to_string(root().join(SLOT_KINDS)).unwrap();
    let kinds: Vec<_> = table.lines().filter_map(slot_kind).collect();
    assert!(kinds.contains(&"Registration") && kinds.contains(&"Offer"), "{kinds:?}");
    for kind in kinds {
        let variant = format!("Slot::{kind}");
        let files = |names: &dyn Fn(&str) -> bool| -> BTreeSet<&str> {
            let lines = sources.iter().filter(|line| !line.file.contains("/tests"));
            lines.filter(|line| paths(&line.code).any(names)).map(|line| &*line.file).collect()
        };
        let matched = files(&|path| has_segments(path, &variant));
        assert!(matched.is_empty(), "{matched:?} name {variant}: the table knows the kinds");
        // Callers register services one by one, and all of the product knows it.
        let named = files(&|path| has_segments(path, kind));
        let few = kind == "Registration" || named.len() <= SLOT_KIND_FILES_MAX;
        assert!(few && named.contains(SLOT_KINDS), "{kind} is named in {named:?}");
    }
}

/// The kind in a row of the table, `2 => Offer keyed BlobId;`.
fn slot_kind(line: &str) -> Option<&str> {
    let (number, row) = line.trim().split_once(" => ")?;
    number.parse::<u8>().ok()?;
    Some(row.split_once(" keyed ")?.0)
}

#[test]
fn there_is_one_version_of_what_crosses_seams() {
    let locked = locked();
    for name in ONE_VERSION {
        let versions = locked.get(*name).map(Vec::as_slice).unwrap_or_default();
        assert_eq!(versions.len(), 1, "{name}: {versions:?}");
    }
}

#[test]
fn nothing_banned_and_nothing_from_elsewhere_is_locked() {
    let locked = locked();
    for name in BANNED {
        assert!(!locked.contains_key(*name), "{name} is in Cargo.lock");
    }
    let sources: BTreeSet<_> =
        locked.values().flatten().filter_map(|(_, from)| from.as_ref()).collect();
    let registries = sources.iter().filter(|from| from.starts_with("registry+")).count();
    assert_eq!((sources.len(), registries), (1, 1), "one registry, and no repository: {sources:?}");
    let members = locked.values().flatten().filter(|(_, from)| from.is_none()).count();
    assert_eq!(members, LAYERS.len(), "packages without a source are the members");
}

#[test]
fn the_checks_see_what_they_look_for() {
    let named = |code: &str| -> Vec<String> { paths(code).map(str::to_owned).collect() };
    assert_eq!(named("use tonic_health::pb;"), ["use", "tonic_health::pb"]);
    assert_eq!(named("let x: &::redb::Table<'_> = y"), ["let", "x:", "redb::Table", "_", "y"]);
    assert!(is_of_family("tonic_health", "tonic", '_') && is_of_family("tonic", "tonic", '_'));
    assert!(!is_of_family("tonics", "tonic", '_'));
    assert!(has_segments("std::time::Instant::now", "Instant::now"));
    assert!(has_segments("HashMap", "HashMap") && !has_segments("HashMapper", "HashMap"));
    assert!(!has_segments("SeededInstant::now", "Instant::now"));
    let sources = sources(["protocol/src/net"]);
    assert!(sources.iter().any(|line| line.code.contains("libp2p::")));
}
