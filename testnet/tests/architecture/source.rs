//! The sources, as lines of code and the paths that they name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::manifest::root;

/// The directory of these tests, which hold the names that they look for.
const SELF: &str = "testnet/tests/architecture";

/// A line of code.
pub(crate) struct Line {
    /// The path within the workspace.
    pub(crate) file: String,
    pub(crate) number: usize,
    pub(crate) code: String,
}

impl Line {
    pub(crate) fn is_in(&self, place: &str) -> bool {
        Path::new(&self.file).starts_with(place)
    }

    pub(crate) fn at(&self) -> String {
        format!("{}:{}", self.file, self.number)
    }
}

/// The lines of Rust below some directories, but for comments and these tests.
pub(crate) fn sources<'a>(directories: impl IntoIterator<Item = &'a str>) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut work: Vec<PathBuf> = directories.into_iter().map(PathBuf::from).collect();
    while let Some(path) = work.pop() {
        let full = root().join(&path);
        if full.is_dir() {
            work.extend(
                fs::read_dir(full).unwrap().map(|entry| path.join(entry.unwrap().file_name())),
            );
        } else if path.extension().is_some_and(|end| end == "rs") && !path.starts_with(SELF) {
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

/// What is no test: neither a file of tests nor a module of them at the end of a file.
pub(crate) fn product(lines: Vec<Line>) -> Vec<Line> {
    let is_test = |file: &str| {
        file.contains("/tests/") || file.ends_with("tests.rs") || file.ends_with("_test.rs")
    };
    let mut test_from = BTreeMap::new();
    for line in lines.iter().filter(|line| line.code.starts_with("mod tests {")) {
        test_from.insert(line.file.clone(), line.number);
    }
    let product = |line: &Line| {
        !is_test(&line.file) && test_from.get(&line.file).is_none_or(|from| line.number < *from)
    };
    lines.into_iter().filter(product).collect()
}

/// The paths and words in a line of code.
pub(crate) fn paths(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | ':'))
        .map(|path| path.trim_start_matches(':'))
        .filter(|path| !path.is_empty())
}

/// Whether a name is a library's or begins with it, as `tonic-health` with `tonic`.
pub(crate) fn is_of_family(name: &str, library: &str, joint: char) -> bool {
    name.strip_prefix(library).is_some_and(|rest| rest.is_empty() || rest.starts_with(joint))
}

/// Whether the segments of `wanted` follow each other in a path.
pub(crate) fn has_segments(path: &str, wanted: &str) -> bool {
    format!("::{path}::").contains(&format!("::{wanted}::"))
}
