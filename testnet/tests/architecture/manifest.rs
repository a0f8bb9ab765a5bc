//! The manifests, the lock file, and what `cargo tree` says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::{Table, Value};

/// The top of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A manifest or the lock file.
pub(crate) fn toml_file(path: &str) -> Table {
    fs::read_to_string(root().join(path)).unwrap().parse().unwrap()
}

/// What a member names as dependency, for whatever purpose and target.
pub(crate) fn dependencies(member: &str) -> BTreeSet<String> {
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
pub(crate) fn locked() -> BTreeMap<String, Vec<(String, Option<String>)>> {
    let mut locked = BTreeMap::<_, Vec<_>>::new();
    for package in toml_file("Cargo.lock")["package"].as_array().unwrap() {
        let text = |key| package.get(key).and_then(Value::as_str).map(str::to_owned);
        let entry = (text("version").unwrap(), text("source"));
        locked.entry(text("name").unwrap()).or_default().push(entry);
    }
    locked
}

/// The packages that a member brings with it when it is built alone, as lines of `cargo tree`: one that
/// others name again has a second line.
pub(crate) fn tree(package: &str) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "-p", package, "-e", "normal"])
        .args(["--prefix", "none"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    String::from_utf8(tree.stdout).unwrap().lines().map(str::to_owned).collect()
}
