//! Pages that the code writes, whole or in part.
//!
//! ```text
//!   cargo test -p crux-node --test pages                    does each page equal what the code prints?
//!   UPDATE_PAGES=1 cargo test -p crux-node --test pages     write them
//! ```
//!
//! A further page is a row of [`PAGES`]. A part is what is between two comments in a page that people
//! write: `<!-- generated: NAME -->` and `<!-- end of NAME -->`.

#![expect(clippy::unwrap_used, reason = "a page that cannot be read fails the test")]

mod cli;
mod errors;
mod markdown;
mod settings;

use std::path::Path;
use std::{env, fs};

/// A page, and the code that writes it.
struct Page {
    /// The path from the top of the repository.
    path: &'static str,
    /// The name of the generated part; `None`: the whole page is.
    part: Option<&'static str>,
    print: fn() -> String,
}

const PAGES: &[Page] = &[
    Page { path: "docs/reference/cli.md", part: None, print: cli::page },
    Page { path: "docs/reference/errors.md", part: None, print: errors::page },
    Page { path: "docs/operate/configuration.md", part: Some("settings"), print: settings::print },
];

/// Set to anything, the pages are written.
const UPDATE: &str = "UPDATE_PAGES";

#[test]
fn pages_equal_what_the_code_prints() {
    for page in PAGES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(page.path);
        let found = fs::read_to_string(&path).unwrap_or_default();
        let printed = page.fill(&found);
        if found == printed {
            continue;
        }
        assert!(
            env::var_os(UPDATE).is_some(),
            "{} differs from what the code prints, first here:\n{}\nRun \
             `{UPDATE}=1 cargo test -p crux-node --test pages`.",
            page.path,
            difference(&found, &printed)
        );
        fs::write(&path, printed).unwrap();
    }
}

#[test]
fn a_part_is_replaced_between_its_marks() {
    let page = Page { path: "x.md", part: Some("x"), print: || "new\n".to_owned() };
    let whole = page.fill("a\n<!-- generated: x -->\nold\n<!-- end of x -->\nb\n");
    assert_eq!(whole, "a\n<!-- generated: x -->\nnew\n<!-- end of x -->\nb\n");
    assert_eq!(page.fill(&whole), whole);
    assert_eq!(difference("a\nb\n", "a\nc\n"), "line 2\n  page: b\n  code: c");
}

impl Page {
    /// The page as it should be, from what it is.
    fn fill(&self, found: &str) -> String {
        let printed = (self.print)();
        let Some(part) = self.part else { return printed };
        let (begin, end) =
            (format!("<!-- generated: {part} -->\n"), format!("<!-- end of {part} -->"));
        let (before, rest) = found.split_once(&begin).unwrap();
        let (_, after) = rest.split_once(&end).unwrap();
        format!("{before}{begin}{printed}{end}{after}")
    }
}

/// The first line that differs.
fn difference(page: &str, code: &str) -> String {
    let same = page.lines().zip(code.lines()).take_while(|(page, code)| page == code).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("(the end)").to_owned();
    format!("line {}\n  page: {}\n  code: {}", same + 1, line(page), line(code))
}
