//! Layers inside `protocol` and `node`: which modules of a crate may import which.
//!
//! A layer is a set of modules that do not import each other, with the lower layers that they may import.
//! Any module may import what `lib.rs` exports by itself. So the network imports no engine and no engine
//! the network; the core of a node imports no front end, and readers import no loop.
//!
//! The check reads paths: `crate::…`, in groups too. It refuses a path of `super` that reaches the top of
//! the crate, so that an import has no other spelling. Files of tests may import what they like: those of
//! the commands run them against a real server of the control API.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::manifest::root;
use crate::source::{Line, sources};

/// Modules of a crate that do not import each other.
struct Layer {
    name: &'static str,
    modules: &'static [&'static str],
    /// The layers whose modules these may import; each has an earlier row of the table.
    below: &'static [&'static str],
}

const fn layer(
    name: &'static str,
    modules: &'static [&'static str],
    below: &'static [&'static str],
) -> Layer {
    Layer { name, modules, below }
}

/// A crate with its layers, the lowest first.
struct Crate {
    member: &'static str,
    /// The names that `lib.rs` exports by itself, and any module may import.
    exports: &'static [&'static str],
    layers: &'static [Layer],
}

/// The crates that have layers. `docs/design/overview.md` has the same tables.
const CRATES: &[Crate] = &[
    Crate {
        member: "protocol",
        exports: &[],
        layers: &[
            layer("base", &["agreement", "context", "genesis", "time"], &[]),
            layer("rules", &["flips"], &["base"]),
            layer("link", &["link"], &["base"]),
            layer("net", &["net"], &["base", "link"]),
            layer("mover", &["pastiche"], &["base", "link"]),
            layer("supervisor", &["picket"], &["base", "rules"]),
            layer("targets", &["proctor"], &["base", "supervisor"]),
            layer("engines", &["join", "liveness", "sync", "unwell"], &["base", "rules", "link"]),
            layer("facts", &["fact"], &["base", "link"]),
            layer("dial", &["dial"], &["base", "link", "engines"]),
            layer("leader", &["leader"], &["base", "engines"]),
            layer("author", &["author"], &["base", "link", "engines", "leader"]),
            layer(
                "flock",
                &["flock"],
                &["base", "link", "engines", "facts", "dial", "leader", "author"],
            ),
        ],
    },
    Crate {
        member: "node",
        exports: &["error", "Error", "Exit", "Kind"],
        layers: &[
            layer("parts", &["parts"], &[]),
            layer(
                "tools",
                &[
                    "again", "burst", "clock", "duration", "lock", "modes", "nodes", "outfile",
                    "plain", "private", "shutdown",
                ],
                &["parts"],
            ),
            layer(
                "resources",
                &["arena", "blobs", "discovery", "secret", "services", "store", "tar", "view"],
                &["parts", "tools"],
            ),
            layer("settings", &["config", "identity", "rejoin"], &["tools", "resources"]),
            layer("log", &["telemetry"], &["parts", "tools", "settings"]),
            layer("core", &["fulcrum"], &["parts", "tools", "resources", "settings", "log"]),
            layer(
                "doors",
                &["api", "pastiche", "picket"],
                &["parts", "tools", "resources", "core"],
            ),
            layer(
                "startup",
                &["reload", "startup"],
                &["parts", "tools", "resources", "settings", "log", "core", "doors"],
            ),
            layer(
                "commands",
                &["cli"],
                &["parts", "tools", "resources", "settings", "log", "startup"],
            ),
        ],
    },
];

#[test]
fn modules_import_only_layers_below() {
    let broken = CRATES.iter().flat_map(|of| {
        let directory = format!("{}/src", of.member);
        violations(of, &sources([&*directory]))
    });
    let broken: Vec<String> = broken.collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_tables_of_layers_are_whole_and_have_no_circles() {
    for Crate { member, layers, .. } in CRATES {
        let mut earlier = BTreeSet::new();
        for layer in *layers {
            for name in layer.below {
                let is_earlier = earlier.contains(name);
                assert!(is_earlier, "{member}: {name} has no row before {}", layer.name);
            }
            assert!(earlier.insert(layer.name), "{member}: {} is there twice", layer.name);
        }
        let listed: Vec<&str> = layers.iter().flat_map(|layer| layer.modules).copied().collect();
        let modules: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(modules.len(), listed.len(), "{member}: a module is in two layers");
        let there = modules_of(member);
        let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
        let missing: Vec<_> = there.difference(&modules).collect();
        assert!(missing.is_empty(), "{member}: give {missing:?} a layer, here and in the overview");
        let gone: Vec<_> = modules.difference(&there).collect();
        assert!(gone.is_empty(), "{member}: {gone:?} has a layer and is not there");
    }
}

#[test]
fn the_overview_has_the_same_layers() {
    let overview = fs::read_to_string(root().join("docs/design/overview.md")).unwrap();
    let mut rest = overview.as_str();
    for Crate { member, layers, .. } in CRATES {
        let heading = format!("### Layers inside `{member}`\n");
        let (_, section) = rest.split_once(&heading).expect("a section for each crate");
        let rows = section.lines().skip_while(|line| !line.starts_with("|---"));
        let rows: Vec<&str> = rows.skip(1).take_while(|line| line.starts_with('|')).collect();
        let expected: Vec<String> = layers.iter().map(row).collect();
        assert_eq!(rows, expected, "docs/design/overview.md, {heading}");
        rest = section;
    }
}

/// A layer as a row of the overview.
fn row(layer: &Layer) -> String {
    let modules: Vec<String> = layer.modules.iter().map(|name| format!("`{name}`")).collect();
    let below = if layer.below.is_empty() { "–".to_owned() } else { layer.below.join(", ") };
    format!("| {} | {} | {below} |", layer.name, modules.join(", "))
}

#[test]
fn imports_that_layers_forbid_are_seen() {
    let [protocol, node] = CRATES else { panic!("two crates") };
    let broken = |of: &Crate, file: &str, code: &str| -> Vec<String> {
        let code = code.lines().enumerate();
        let lines: Vec<Line> = code
            .map(|(at, code)| Line { file: file.to_owned(), number: at + 1, code: code.to_owned() })
            .collect();
        violations(of, &lines)
    };
    for (of, file, code) in [
        (node, "node/src/fulcrum/runtime.rs", "use crate::api::Ask;"),
        (node, "node/src/fulcrum/runtime.rs", "fn f() { crate::cli::main(); }"),
        (node, "node/src/view/resolve.rs", "use crate::fulcrum::request::NodeRef;"),
        (node, "node/src/pastiche/task.rs", "use crate::api::Ask;"),
        (node, "node/src/cli/status.rs", "use crate::store::Store;\nuse crate::fulcrum::Handle;"),
        (node, "node/src/identity.rs", "use crate::startup::DATABASE_NAME;"),
        (node, "node/src/plain.rs", "use crate::main_from;"),
        (protocol, "protocol/src/link/mod.rs", "use crate::pastiche::PIECE_BODY_MAX;"),
        (
            protocol,
            "protocol/src/net/limits.rs",
            "use crate::{\n    link,\n    pastiche::{self},\n};",
        ),
        (protocol, "protocol/src/join/state.rs", "use crate::sync;"),
        (protocol, "protocol/src/join/state.rs", "use super::super::flock::State;"),
        (protocol, "protocol/src/time.rs", "use super::flock::State;"),
        (protocol, "protocol/src/flock/mod.rs", "pub use crate::net::Config;"),
    ] {
        assert_eq!(broken(of, file, code).len(), 1, "{file}: {code}");
    }
    for (of, file, code) in [
        (node, "node/src/cli/run.rs", "use crate::startup::{self, Node};\nuse super::output;"),
        (node, "node/src/view/mod.rs", "use crate::error::{Error, Kind};\nuse crate::Exit;"),
        (node, "node/src/fulcrum/runtime.rs", "use crate::{store::{api, cli}, view::View};"),
        (node, "node/src/cli/blob/tests.rs", "use crate::api::tests::FakeNode;"),
        (node, "node/src/fulcrum/runtime.rs", "use crux_crate::api::Ask;\nuse super::api;"),
        (protocol, "protocol/src/flock/state.rs", "use crate::{link, leader::Claim};"),
        (protocol, "protocol/src/time.rs", "mod tests {\n    use super::*;\n}"),
    ] {
        assert_eq!(broken(of, file, code), [""; 0], "{file}: {code}");
    }
}

/// The modules at the top of a crate.
fn modules_of(member: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(member).join("src")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names.map(|name| name.strip_suffix(".rs").unwrap_or(&name).to_owned());
    names.filter(|name| !matches!(name.as_str(), "lib" | "main")).collect()
}

/// The lines of a crate that break its layers, one text each.
fn violations(of: &Crate, lines: &[Line]) -> Vec<String> {
    let files = lines.chunk_by(|a, b| a.file == b.file);
    files.flat_map(|lines| broken_in_file(of, lines)).collect()
}

fn broken_in_file(of: &Crate, lines: &[Line]) -> Vec<String> {
    let Some(modules) = module_path(of.member, &lines[0].file) else { return Vec::new() };
    if modules.iter().any(|name| name == "tests") {
        return Vec::new();
    }
    let own = modules[0].as_str();
    let layer_of = |module: &str| of.layers.iter().find(|it| it.modules.contains(&module));
    let Some(layer) = layer_of(own) else {
        return vec![format!("{}: {own} has no layer", lines[0].file)];
    };
    let may = |name: &str| {
        name == own
            || of.exports.contains(&name)
            || layer_of(name).is_some_and(|other| layer.below.contains(&other.name))
    };
    let mut broken: Vec<String> = imports(lines)
        .into_iter()
        .filter(|(_, name)| !may(name))
        .map(|(line, name)| format!("{}: {own} must not import crate::{name}", line.at()))
        .collect();
    let climbs = climbs(lines, modules.len());
    broken.extend(climbs.map(|line| format!("{}: write crate:: for this super", line.at())));
    broken
}

/// The modules whose code a file is, the outermost first; none of `lib.rs` and `main.rs`.
fn module_path(member: &str, file: &str) -> Option<Vec<String>> {
    let inner = Path::new(file).strip_prefix(format!("{member}/src")).ok()?.with_extension("");
    let mut names: Vec<String> =
        inner.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    names.pop_if(|last| last == "mod");
    let is_root = matches!(names.as_slice(), [only] if only == "lib" || only == "main");
    (!is_root && !names.is_empty()).then_some(names)
}

/// The names right behind each `crate::` in a file, those of a group too, with the line it is on.
fn imports(lines: &[Line]) -> Vec<(&Line, String)> {
    let text = lines.iter().map(|line| line.code.as_str()).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for (at, path) in text.match_indices("crate::") {
        let is_longer = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let line = &lines[text[..at].matches('\n').count()];
        if !is_longer {
            found.extend(first_names(&text[at + path.len()..]).into_iter().map(|it| (line, it)));
        }
    }
    found
}

/// The name with which a path begins, or the names of the group that it is.
fn first_names(path: &str) -> Vec<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let name = |path: &str| path.chars().take_while(|c| is_name(*c)).collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut names, mut depth, mut begins) = (Vec::new(), 0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && is_name(c) => {
                names.push(name(&group[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

/// The lines of a file in a module of such depth whose path of `super` reaches the top of the crate.
fn climbs(lines: &[Line], depth: usize) -> impl Iterator<Item = &Line> {
    let mut depth = depth;
    lines.iter().filter(move |line| {
        let code = line.code.trim();
        if code.ends_with('{') && code.split(' ').any(|word| word == "mod") {
            depth += 1;
        }
        let is_path = |word: &&str| word.contains("super::");
        let words = code.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | ':'));
        words.filter(is_path).any(|word| word.matches("super::").count() >= depth)
    })
}
