//! Directories of files, and each mistake with its place.

use std::fs;

use super::*;
use crate::services::Place;

const BLOB: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// A document of a service, with further lines.
fn document(name: &str, rest: &str) -> String {
    format!("name = \"{name}\"\nimage = \"{BLOB}\"\n{rest}")
}

fn source(name: &str, text: impl AsRef<[u8]>) -> Source {
    Source { name: name.to_owned(), bytes: text.as_ref().to_vec() }
}

/// The site of a program and documents `a.toml`, `b.toml`, …, and what was found: `FILE:LINE:COLUMN kind`.
fn check(program: &str, documents: &[String]) -> (Option<Site>, Vec<String>) {
    let horde = Label::main_horde();
    let files = documents.iter().zip('a'..).map(|(text, c)| source(&format!("{c}.toml"), text));
    let (site, found) = check::check(&source("main.khan", program), files.collect(), &horde);
    let word = |it: &Mistake| {
        let mark = if it.is_error { "" } else { " (warning)" };
        format!("{}:{}:{} {}{mark}", it.file, it.line, it.column, it.kind)
    };
    let words = found.0.iter().map(word).collect();
    assert_eq!(site.is_some(), !found.has_error(), "{words:?}");
    (site, words)
}

fn found(program: &str, documents: &[String]) -> Vec<String> {
    check(program, documents).1
}

#[test]
fn a_site_has_the_documents_that_its_program_picks() {
    let program = "# of the shop\r\nweb := pick(web, 2, ALL)\r\npick(cache, 1, web)\r\n";
    let documents = [document("web", "rev = \"v2\"\n"), document("cache", ""), document("old", "")];
    let (site, found) = check(program, &documents);
    assert_eq!(found, ["c.toml:1:1 not_picked (warning)"]);
    let site = site.unwrap();
    assert_eq!(site.program, program.replace('\r', ""), "one kind of line end is signed");
    let names: Vec<_> = site.documents.iter().map(|it| it.draft.name.as_str()).collect();
    assert_eq!(names, ["cache", "web"], "by name");
    assert!(matches!(site.documents[0].draft.image, crate::services::Source::One(Place::Blob(_))));
}

#[test]
fn every_mistake_has_its_place() {
    let web = || document("web", "");
    for (program, documents, expected) in [
        ("pick(web, 2, dbs)", vec![web()], vec!["main.khan:1:14 unbound"]),
        ("# x\n  pick(db, 1, ALL)", vec![], vec!["main.khan:2:3 no_document"]),
        ("pick(web, 1, ALL)", vec![web(), web()], vec!["b.toml:1:1 service_twice"]),
        (
            "pick(web, 1, ALL)",
            vec![document("web", "colour = 1\nargs = 3\n")],
            vec!["a.toml:3:1 config", "a.toml:4:8 config"],
        ),
        ("pick(web, 1, ALL)", vec![document("web", "count = 2\n")], vec!["a.toml:3:1 config"]),
        (
            "pick(web, 1, ALL)",
            vec![document("web", "horde = \"edge\"\n")],
            vec!["a.toml:3:1 config"],
        ),
        ("pick(web, 1, ALL)", vec!["name = \"web\n".to_owned()], vec!["a.toml:1:12 config"]),
        (
            "pick(web, 1, ALL)",
            vec![document("web", "[rollout]\ncanary = 1\n")],
            vec!["a.toml:4:1 config"],
        ),
        (
            "pick(web, 1, ALL)",
            vec![document("web", "limits = { required = true }\n")],
            vec!["a.toml:3:12 not_enforced"],
        ),
        ("", vec![], vec!["main.khan:1:1 empty (warning)"]),
    ] {
        assert_eq!(found(program, &documents), expected, "{program} {documents:?}");
    }
}

#[test]
fn mistakes_of_all_files_show_at_once_and_none_that_follow_from_others() {
    let documents = [document("web", "colour = 1\n"), document("db", "count = 3\n")];
    let expected = ["main.khan:1:14 unbound", "a.toml:3:1 config", "b.toml:3:1 config"];
    assert_eq!(found("pick(web, 2, dbs)\npick(db, 1, ALL)", &documents), expected);
    // The name in a broken document is not known.
    assert_eq!(found("pick(web, 2, ALL)\npick(db, 1, ALL)", &documents)[..], expected[1..]);
    let lost = ["name = 3\n".to_owned()];
    assert_eq!(found("pick(web, 2, ALL)", &lost), ["a.toml:1:1 config", "a.toml:1:8 config"]);
}

#[test]
fn programs_go_up_to_their_bounds_and_no_further() {
    let web = || [document("web", "")];
    let kind = |program: &str, documents: &[String]| {
        let found = found(program, documents);
        found.iter().map(|it| it.split(' ').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    let filled = |bytes: usize| {
        let program = "pick(web, 1, ALL)\n#";
        format!("{program}{}", "x".repeat(bytes - program.len()))
    };
    assert_eq!(kind(&filled(64 * 1024), &web()), [""; 0]);
    assert_eq!(kind(&filled(64 * 1024 + 1), &web()), ["too_large"]);
    assert_eq!(kind(&"x".repeat(1 << 20), &web()), ["too_large"], "a line of 1 MB");
    let levels = |levels: usize| {
        // The call is a level as well.
        let [open, close] = ["(", ")"].map(|bracket| bracket.repeat(levels - 1));
        format!("pick(web, 1, {open}ALL{close})")
    };
    assert_eq!(kind(&levels(64), &web()), [""; 0]);
    assert_eq!(kind(&levels(65), &web()), ["too_deep"]);
    let picks =
        |count: usize| (0..count).map(|n| format!("pick(s{n}, 1, ALL)\n")).collect::<String>();
    let documents: Vec<_> = (0..257).map(|n| document(&format!("s{n}"), "")).collect();
    assert_eq!(kind(&picks(256), &documents[..256]), [""; 0]);
    assert_eq!(kind(&picks(257), &documents), ["too_many_picks"]);
    let deep = format!("args = [\"{}\"]\n", "x".repeat(256 * 1024));
    assert_eq!(kind("pick(web, 1, ALL)", &[document("web", &deep)]), ["config"]);
}

#[test]
fn people_see_the_line_and_a_caret() {
    let documents = [document("web", "colour = \"red\"\n\tlong = 1\n")];
    let horde = Label::main_horde();
    let files = vec![source("site/web.toml", &documents[0])];
    let program = source("site/main.khan", "pick(web, 2, dbs)\npick(old, 1, ALL)\n");
    let (_, found) = check::check(&program, files, &horde);
    let text: Vec<_> =
        found.0.iter().map(|it| crate::cli::paint::finish(&it.text(), false)).collect();
    insta::assert_snapshot!(text.join("\n\n"));
}

/// Files in a directory of their own.
fn directory(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    dir
}

#[test]
fn a_directory_is_its_programs_and_documents() {
    let dir = directory(&[
        "web.toml",
        "a.khan",
        "10.toml",
        ".hidden.toml",
        "README.md",
        "below/db.toml",
        "x.toml~",
    ]);
    fs::create_dir(dir.path().join("dir.toml")).unwrap();
    let path = |name: &str| dir.path().join(name);
    let files = Files::find(&[dir.path().to_owned(), path("below/db.toml"), path("web.toml")]);
    let documents = ["10.toml", "web.toml", "below/db.toml"].map(path).into();
    assert_eq!(files, Ok(Files { program: path("a.khan"), documents }));
}

#[test]
fn a_target_has_one_program() {
    let kind = |paths: &[PathBuf]| Files::find(paths).map(drop).map_err(|err| err.kind());
    let two = directory(&["a.khan", "b.khan"]);
    assert_eq!(kind(&[two.path().to_owned()]), Err(Kind::InvalidArgument));
    assert_eq!(kind(&[two.path().join("a.khan")]), Ok(()));
    assert_eq!(kind(&[two.path().join("c.khan")]), Err(Kind::NotFound));
    let none = directory(&["web.toml", "notes.txt"]);
    assert_eq!(kind(&[none.path().to_owned()]), Err(Kind::NotFound));
    assert_eq!(kind(&[none.path().join("notes.txt")]), Err(Kind::InvalidArgument));
    let names: Vec<_> = (0..513).map(|n| format!("{n}.toml")).collect();
    let mut names: Vec<_> = names.iter().map(String::as_str).collect();
    names.push("a.khan");
    let many = directory(&names);
    assert_eq!(kind(&[many.path().to_owned()]), Err(Kind::LimitReached));
    fs::remove_file(many.path().join("0.toml")).unwrap();
    assert_eq!(kind(&[many.path().to_owned()]), Ok(()));
}
