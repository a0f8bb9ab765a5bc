//! The seams between the parts, read from the manifests, the lock file and the sources.
//!
//! What clippy cannot say, because it sees one crate at a time: who may depend on whom, which part
//! alone names a library, and that a library whose types cross a seam is there once. `deny.toml` says
//! some of it again, and licences, for those who have cargo-deny.

#![expect(clippy::unwrap_used, reason = "a workspace that cannot be read fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::{Table, Value};

/// Each member of the workspace, and the members it may depend on.
const LAYERS: &[(&str, &[&str])] = &[
    ("crdt", &[]),
    ("proto", &[]),
    ("client", &["crdt", "proto"]),
    ("protocol", &["crdt"]),
    ("node", &["crdt", "proto", "client", "protocol"]),
    ("testnet", &["crdt", "client", "protocol", "node"]),
];

/// Libraries, with those that share their first name, and the places that may name them.
const OWNERS: &[(&str, &[&str])] = &[
    ("libp2p", &["protocol/src/net"]),
    ("redb", &["node/src/store"]),
    // The story has a service of its own, which a node finds and the story calls.
    ("tonic", &["proto", "client/src", "node/src/api", "testnet/src/story"]),
    ("prost", &["proto"]),
    ("tokio", &["client", "protocol/src/net", "protocol/tests", "node", "testnet"]),
];

/// Parts of a node that front ends use, and the front ends, which they must not name.
const CORE: &[&str] = &["node/src/fulcrum", "node/src/view", "node/src/store", "node/src/pastiche"];
const FRONT_ENDS: &[&str] = &["crate::api", "crate::cli"];

/// Code where one seed makes one history, and the exception within.
const PURE: &[&str] = &["crdt/src", "protocol/src", "testnet/src/sim"];
const IMPURE: &str = "protocol/src/net";

/// What such code must not name.
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
fn the_core_of_a_node_names_no_front_end() {
    for line in sources(CORE.iter().copied()) {
        for front_end in FRONT_ENDS {
            let named = paths(&line.code).any(|path| has_segments(path, front_end));
            assert!(!named, "{} names {front_end}", line.at());
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

/// Who may speak of the feature that has mistakes on purpose: who has it, and whose tests need it.
const PLANTERS: &[&str] = &["crdt", "testnet"];

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

/// How much others get who link the client: lines of `cargo tree`, repetitions included.
const CLIENT_TREE_MAX: usize = 110;
/// What they never get with it.
const NOT_IN_CLIENT: &[&str] = &["libp2p", "redb", "clap", "axum"];

#[test]
fn the_client_brings_little_with_it() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "-p", "crux-client", "-e", "normal"])
        .args(["--prefix", "none"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let lines: BTreeSet<&str> = tree.lines().collect();
    assert!(lines.len() <= CLIENT_TREE_MAX, "{}: {lines:?}", lines.len());
    assert!(lines.iter().any(|line| line.starts_with("crux-crdt ")), "{lines:?}");
    for name in lines.iter().filter_map(|line| line.split(' ').next()) {
        let banned = NOT_IN_CLIENT.iter().any(|library| is_of_family(name, library, '-'));
        assert!(!banned, "crux-client brings {name}");
    }
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

/// A line of code.
struct Line {
    /// The path within the workspace.
    file: String,
    number: usize,
    code: String,
}

impl Line {
    fn is_in(&self, place: &str) -> bool {
        Path::new(&self.file).starts_with(place)
    }

    fn at(&self) -> String {
        format!("{}:{}", self.file, self.number)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn toml_file(path: &str) -> Table {
    fs::read_to_string(root().join(path)).unwrap().parse().unwrap()
}

/// What a member names as dependency, for whatever purpose and target.
fn dependencies(member: &str) -> BTreeSet<String> {
    fn collect(table: &Table, names: &mut BTreeSet<String>) {
        for (key, value) in table {
            match value {
                Value::Table(table) if key.ends_with("dependencies") => {
                    names.extend(table.keys().cloned());
                }
                Value::Table(table) if key != "features" => collect(table, names),
                _ => {}
            }
        }
    }
    let mut names = BTreeSet::new();
    collect(&toml_file(&format!("{member}/Cargo.toml")), &mut names);
    names
}

/// The versions and sources of every package in the lock file.
fn locked() -> BTreeMap<String, Vec<(String, Option<String>)>> {
    let mut locked = BTreeMap::<_, Vec<_>>::new();
    for package in toml_file("Cargo.lock")["package"].as_array().unwrap() {
        let text = |key| package.get(key).and_then(Value::as_str).map(str::to_owned);
        let entry = (text("version").unwrap(), text("source"));
        locked.entry(text("name").unwrap()).or_default().push(entry);
    }
    locked
}

/// The lines of Rust below some directories, but for comments and this file, which holds the names
/// that it looks for.
fn sources<'a>(directories: impl IntoIterator<Item = &'a str>) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut work: Vec<PathBuf> = directories.into_iter().map(PathBuf::from).collect();
    while let Some(path) = work.pop() {
        let full = root().join(&path);
        if full.is_dir() {
            work.extend(
                fs::read_dir(full).unwrap().map(|entry| path.join(entry.unwrap().file_name())),
            );
        } else if path.extension().is_some_and(|end| end == "rs") && path != Path::new(file!()) {
            let text = fs::read_to_string(full).unwrap();
            let file = path.display().to_string();
            let code = text.lines().enumerate();
            let code = code.filter(|(_, code)| !code.trim_start().starts_with("//"));
            lines.extend(code.map(|(at, code)| Line {
                file: file.clone(),
                number: at + 1,
                code: code.to_owned(),
            }));
        }
    }
    lines
}

/// The paths and words in a line of code.
fn paths(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | ':'))
        .map(|path| path.trim_start_matches(':'))
        .filter(|path| !path.is_empty())
}

/// Whether a name is a library's or begins with it, as `tonic-health` with `tonic`.
fn is_of_family(name: &str, library: &str, joint: char) -> bool {
    name.strip_prefix(library).is_some_and(|rest| rest.is_empty() || rest.starts_with(joint))
}

/// Whether the segments of `wanted` follow each other in a path.
fn has_segments(path: &str, wanted: &str) -> bool {
    format!("::{path}::").contains(&format!("::{wanted}::"))
}
