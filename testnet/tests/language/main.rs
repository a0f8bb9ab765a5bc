//! The language of the pages, of what the programs say, and of the comments.
//!
//! `docs/develop/style.md` has the rules; [`words`] has those that a program can check. They hold for
//! every page, for every string of the product that is a phrase (help, errors, hints, the log), and,
//! as far as the beginning of a sentence goes, for every comment. The help itself is also on the
//! generated page of commands, and the kinds of errors on that of errors.
//!
//! Beside the words: each page is in the index, each link leads somewhere, and the README is short.

#![expect(clippy::unwrap_used, reason = "a workspace that cannot be read fails the test")]

mod links;
mod markdown;
mod readme;
mod rust;
mod text;
mod words;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use text::{Passage, opens_as_noun, phrases};
use words::{EXCEPTIONS, Exception, OPENERS, OPENERS_OF_COMMENTS};

/// Code with strings that people read, and the tests in it.
const PRODUCT: &[&str] = &[
    "crdt/src",
    "khan/src",
    "client/src",
    "protocol/src",
    "picket/src",
    "node/src",
    "sim/src",
    "testnet/src",
];
const TESTS: &[&str] = &["tests", "tests.rs", "testing.rs"];
/// Places in which comments, too, never open with What.
const STRICT: &[&str] = &[
    "client",
    "crdt/src/record/kinds/unwell.rs",
    "crdt/src/service",
    "khan",
    "node/src/api",
    "node/src/cli",
    "node/src/config",
    "node/src/picket",
    "node/src/services",
    "picket",
    "proto",
    "protocol/src/picket",
    "protocol/src/unwell",
    "protocol/tests/engines/picket",
    "sim/src/picket",
];

#[test]
fn pages_keep_to_the_words() {
    let mut found = Findings::default();
    for file in pages() {
        for passage in markdown::passages(&read(&file)) {
            found.check(&file, &passage, OPENERS);
        }
    }
    found.none_but_exceptions("pages");
}

#[test]
fn programs_keep_to_the_words() {
    let mut found = Findings::default();
    let is_product = |file: &String| PRODUCT.iter().any(|place| is_in(file, place));
    let is_test = |file: &String| file.split('/').any(|part| TESTS.contains(&part));
    let sources = files(&["rs"]).into_iter().filter(is_product);
    for file in sources.filter(|file| !is_test(file)) {
        for passage in rust::strings(&read(&file)) {
            found.check(&file, &passage, OPENERS);
        }
        // The help of the command line is written as documentation of its arguments.
        let helps = ["node/src/cli", "testnet/src/cli"].iter().any(|place| is_in(&file, place));
        for passage in rust::docs(&read(&file)).into_iter().filter(|_| helps) {
            found.check(&file, &passage, OPENERS_OF_COMMENTS);
        }
    }
    found.none_but_exceptions("strings");
}

#[test]
fn comments_name_the_actor() {
    let mut found = Findings::default();
    for file in files(&["rs", "proto"]) {
        for passage in rust::comments(&read(&file)) {
            found.openers(&file, &passage, openers_of_comments(&file));
        }
    }
    found.none_but_exceptions("comments");
}

#[test]
fn the_checks_see_what_they_look_for() {
    let bad = "It is looked\n> at anew. Whose it is, nobody knows.\n\n* What it says stands.";
    let mut found = Findings::default();
    for passage in markdown::passages(bad) {
        found.check("page.md", &passage, OPENERS);
    }
    let seen: Vec<&str> = found.all.iter().map(|(_, _, rule)| rule.as_str()).collect();
    assert_eq!(seen, ["anew", "looked at", "opens with Whose", "stands", "opens with What"]);

    let good = "What stands there?\n\n    it is no code\n\n```text\nanew\n```\n\nThere is no `anew`; it \
                is no longer [x](anew.md).";
    for passage in markdown::passages(good) {
        let text = &passage.text;
        assert!(phrases(text).is_empty() || text == "What stands there?", "{text}");
        assert_eq!(opens_as_noun(text, OPENERS), None, "{text}");
    }

    let code =
        "//! Whom it\n//! calls.\nlet c = '\"'; // Who knows?\nlet s = \"is no \\\n   port\";";
    let strings: Vec<String> = rust::strings(code).into_iter().map(|one| one.text).collect();
    assert_eq!(strings, ["is no port"]);
    let comments: Vec<String> = rust::comments(code).into_iter().map(|one| one.text).collect();
    assert_eq!(comments, ["Whom it calls.", "Who knows?"]);
    assert_eq!(opens_as_noun(&comments[0], OPENERS_OF_COMMENTS), Some("Whom"));
    assert_eq!(opens_as_noun(&comments[1], OPENERS_OF_COMMENTS), None);
    let (strict, other) = ("crdt/src/service/mod.rs", "crdt/src/services.rs");
    let code = "// What happens\n// if it ends?\n\nlet a; // It ends. What it does, nobody knows.";
    for (file, seen) in [(strict, [None, Some("What")]), (other, [None, None])] {
        let comments = rust::comments(code);
        let opens = |one: &Passage| opens_as_noun(&one.text, openers_of_comments(file));
        assert_eq!(comments.iter().map(opens).collect::<Vec<_>>(), seen, "{file}");
    }
    let tests =
        "fn a() { b(\"in it\"); }\n#[cfg(test)]\nmod tests { fn c() { d(\"not in it\"); } }";
    assert_eq!(rust::strings(tests).len(), 1);
}

/// The findings: where, the passage, and the rule that it breaks.
#[derive(Default)]
struct Findings {
    all: Vec<(String, String, String)>,
    /// Exceptions that were needed, by their reason.
    used: BTreeSet<&'static str>,
}

impl Findings {
    fn check(&mut self, file: &str, passage: &Passage, openers: &[&str]) {
        for rule in phrases(&passage.text) {
            self.add(file, passage, rule.to_owned());
        }
        self.openers(file, passage, openers);
    }

    fn openers(&mut self, file: &str, passage: &Passage, openers: &[&str]) {
        if let Some(word) = opens_as_noun(&passage.text, openers) {
            self.add(file, passage, format!("opens with {word}"));
        }
    }

    fn add(&mut self, file: &str, passage: &Passage, rule: String) {
        let excused = |except: &&Exception| {
            is_in(file, except.place)
                && (except.rule.is_empty() || except.rule == rule)
                && passage.text.contains(except.text)
        };
        match EXCEPTIONS.iter().find(excused) {
            Some(except) => _ = self.used.insert(except.why),
            None => {
                let at = format!("{file}:{}", passage.line);
                self.all.push((at, passage.text.clone(), rule));
            }
        }
    }

    fn none_but_exceptions(&self, kind: &str) {
        let show = |(at, text, rule): &(String, String, String)| format!("{at}: {rule}: {text}");
        let all: Vec<String> = self.all.iter().map(show).collect();
        assert!(all.is_empty(), "{} in {kind}; see style.md:\n{}", all.len(), all.join("\n"));
        for except in EXCEPTIONS.iter().filter(|except| except.of == kind) {
            assert!(self.used.contains(except.why), "an exception without a use: {}", except.why);
        }
    }
}

/// Every page of the repository.
fn pages() -> Vec<String> {
    files(&["md"])
}

/// Every file of the repository with one of these endings, by its path within; sorted.
fn files(endings: &[&str]) -> Vec<String> {
    let (mut found, mut dirs) = (Vec::new(), vec![root()]);
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                dirs.push(path);
            } else if path.extension().is_some_and(|end| endings.iter().any(|one| end == *one)) {
                found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The words with which no sentence of a comment in the file begins.
fn openers_of_comments(file: &str) -> &'static [&'static str] {
    if STRICT.iter().any(|place| is_in(file, place)) { OPENERS } else { OPENERS_OF_COMMENTS }
}

fn is_in(file: &str, place: &str) -> bool {
    Path::new(file).starts_with(place)
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
