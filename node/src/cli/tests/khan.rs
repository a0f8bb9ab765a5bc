//! `khan check` and `khan fmt`, which need no node.

use std::fs;
use std::path::PathBuf;

use super::*;

/// Files in a directory of their own.
struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(dir.path().join(name), content).unwrap();
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs a command line in which `@a` is the file `a`, with this on standard input.
    fn run_on(&self, line: &str, input: &str) -> Ran {
        let line = line.replace('@', &format!("{}/", self.0.path().display()));
        run_on(&self.0, &[], &line, input)
    }

    fn run(&self, line: &str) -> Ran {
        self.run_on(line, "")
    }
}

const GOOD: &[u8] = b"web := pick(web, 2, !LABEL(db))\npick(cache, 1, web)\n";
const BAD: &[u8] = b"pick(web, 2, dbs)\npick(db, 1, ALL & 1)\n";

#[test]
fn a_program_is_checked_with_line_column_and_caret() {
    let files =
        Files::new(&[("good", GOOD), ("bad", BAD), ("odd", b"pickh(web, 2, !ALL & LABEL(a))\n")]);
    let good = files.run("khan check @good");
    assert_eq!((good.exit, good.out.as_str(), good.err.as_str()), (0, "DIR/good: no errors\n", ""));
    insta::assert_snapshot!("khan_check", files.run("khan check @good @bad").shown());
    insta::assert_snapshot!("khan_check_original", files.run("khan check --original @odd").shown());
    let painted = files.run("khan check @bad --color always").err;
    assert!(painted.starts_with("\x1b[31merror\x1b[0m[unbound]"), "{painted:?}");
}

#[test]
fn scripts_get_every_mistake_of_every_file() {
    let files = Files::new(&[("good", GOOD), ("bad", BAD), ("odd", b"pickh(web, 2, ALL)\n")]);
    let ran = files.run("khan check @bad @odd --json");
    assert_eq!((ran.exit, ran.err.as_str()), (1, ""));
    let json = ran.json();
    let places: Vec<_> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let file = it["file"].as_str().unwrap();
            (
                file,
                it["line"].as_u64().unwrap(),
                it["column"].as_u64().unwrap(),
                it["kind"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        places,
        [("DIR/bad", 1, 14, "unbound"), ("DIR/bad", 2, 19, "type"), ("DIR/odd", 1, 1, "pickh")]
    );
    let keys: Vec<_> = json[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys.len(), 7);
    for key in ["file", "line", "column", "end", "kind", "message", "help"] {
        assert!(keys.contains(&key), "{keys:?}");
    }
    let ran = files.run("khan check @good @odd --json");
    assert_eq!(ran.exit, 0, "a warning is not an error");
    assert_eq!(files.run("khan check @good --json").json(), serde_json::json!([]));
}

#[test]
fn standard_input_is_a_program_too() {
    let files = Files::new(&[]);
    let ran = files.run_on("khan check -", "pick(web, 2, dbs)");
    assert_eq!((ran.exit, ran.out.as_str()), (1, "standard input: 1 error\n"));
    assert!(ran.err.contains("--> standard input:1:14\n"), "{ran:?}");
    let ran = files.run_on("khan fmt -", "pick( web,2,ALL)");
    assert_eq!((ran.exit, ran.out.as_str()), (0, "pick(web, 2, ALL)\n"));
    assert_eq!(ran.err, "standard input: formatted\n");
    let ran = files.run_on("khan fmt - --json", "pick( web,2 ALL)");
    assert_eq!((ran.exit, ran.out.as_str()), (1, ""));
    assert!(
        ran.err.starts_with("[{\"file\":\"standard input\",\"line\":1,\"column\":13,"),
        "{ran:?}"
    );
}

#[test]
fn files_get_the_one_form() {
    let loose = b"# two\npick( web,2,ALL)pick(db,1,ALL) # one\n";
    let form = "# two\npick(web, 2, ALL)\npick(db, 1, ALL) # one\n";
    let files = Files::new(&[("good", GOOD), ("loose", loose), ("bad", b"pick(web 2)")]);
    let ran = files.run("khan fmt --check @good @loose");
    assert_eq!((ran.exit, ran.out.as_str()), (1, "DIR/good: in the one form\n"));
    assert!(ran.err.contains("DIR/loose:2:6"), "{ran:?}");
    assert_eq!(files.text("loose").as_bytes(), loose, "--check writes nothing");
    let json = files.run("khan fmt --check @loose --json").json();
    assert_eq!((&json[0]["kind"], &json[0]["line"]), (&"format".into(), &2.into()));

    let ran = files.run("khan fmt @good @bad @loose");
    assert_eq!((ran.exit, ran.out.as_str()), (1, "DIR/good: unchanged\nDIR/loose: formatted\n"));
    assert!(ran.err.contains("DIR/bad:1:10"), "{ran:?}");
    assert_eq!(files.text("loose"), form);
    assert_eq!(files.text("bad"), "pick(web 2)", "a file that is not a program stays");
    assert_eq!(files.run("khan fmt --check @loose").exit, 0);
    assert_eq!(files.run("khan fmt @loose --json").json(), serde_json::json!([]));
}

#[test]
fn what_is_not_a_program_is_refused_with_a_place() {
    let mut large = b"pick(web, 2, ALL)\n".to_vec();
    large.resize(64 * 1024 + 1, b'#');
    let line = vec![b'a'; 1024 * 1024];
    let files = Files::new(&[("large", &large), ("line", &line), ("binary", b"pick(\xff")]);
    for (file, line, column, kind) in [
        ("large", 2, 65519, "too_large"),
        ("line", 1, 65537, "too_large"),
        ("binary", 1, 6, "encoding"),
    ] {
        for command in ["check", "fmt", "fmt --check"] {
            let ran = files.run(&format!("khan {command} @{file} --json"));
            assert_eq!(ran.exit, 1, "{file}");
            let json = ran.json();
            let found = (&json[0]["line"], &json[0]["column"], &json[0]["kind"]);
            assert_eq!(found, (&line.into(), &column.into(), &kind.into()), "{command} {file}");
        }
        let ran = files.run(&format!("khan check @{file}"));
        assert!(ran.err.len() < 1000 && ran.err.contains(&format!(":{line}:{column}")), "{ran:?}");
    }
    let ran = files.run("khan check @missing");
    assert_eq!((ran.exit, ran.out.as_str()), (3, ""));
    assert_eq!(files.run("khan fmt @missing").exit, 3);
    assert_eq!(files.run("khan check").exit, 2);
    assert_eq!(files.run_on("khan check D", "").exit, 1, "a directory");
}

const GOLDEN: &str = include_str!("../../../../khan/tests/solver/golden.json");

/// A golden case: the files of its program and its world, and its plan.
fn golden(name: &str) -> (Files, serde_json::Value) {
    let golden: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["name"] == name).unwrap();
    let mut world = serde_json::json!({ "nodes": golden["nodes"] });
    for key in ["present", "usage", "room", "weights"] {
        world[key] = case[key].clone();
    }
    let program = case["program"].as_str().unwrap();
    let world = world.to_string();
    let files = [("main", program.as_bytes()), ("world", world.as_bytes())];
    (Files::new(&files), case["plan"].clone())
}

#[test]
fn a_program_is_solved_in_a_world_of_ones_own() {
    for name in ["no constraints", "after 70% of s3", "a node alone cannot take six"] {
        let (files, plan) = golden(name);
        let ran = files.run("khan solve @main --world @world --json");
        assert_eq!((ran.exit, ran.err.as_str(), ran.json()), (0, "", plan), "{name}");
        // Each of both may be standard input.
        let input = files.run_on("khan solve - --world @world --json", &files.text("main"));
        assert_eq!(input.out, ran.out);
        let input = files.run_on("khan solve @main --world - --json", &files.text("world"));
        assert_eq!(input.out, ran.out);
        let shown = files.run("khan solve @main --world @world").shown();
        insta::assert_snapshot!(file_name("khan_solve", name), shown);
    }
    let (files, _) = golden("satisfied: nothing to do");
    let ran = files.run("khan solve @main --world @world");
    assert!(ran.out.starts_with("Nothing changes.\n"), "{ran:?}");
}

#[test]
fn what_cannot_be_solved_is_refused_with_its_kind() {
    let line = format!("{{\"{}\": 1}}", "a".repeat(1024 * 1024));
    let large = " ".repeat(16 * 1024 * 1024 + 1);
    let files = Files::new(&[
        ("good", GOOD),
        ("bad", BAD),
        ("world", br#"{"nodes": [{"name": "n1"}]}"#),
        ("key", br#"{"nodes": [], "node": 1}"#),
        ("twice", br#"{"nodes": [], "nodes": []}"#),
        ("names", br#"{"nodes": [{"name": "n1"}, {"name": "n1"}]}"#),
        ("unknown", br#"{"nodes": [], "usage": {"n9": "out"}}"#),
        ("use", br#"{"nodes": [{"name": "n1"}], "usage": {"n1": "gone"}}"#),
        ("amount", br#"{"nodes": [], "weights": {"web": [4294967296, 0, 0]}}"#),
        ("text", b"nodes: n1"),
        ("binary", b"{\"nodes\": [\xff]}"),
        ("empty", b""),
        ("line", line.as_bytes()),
        ("large", large.as_bytes()),
    ]);
    for (world, exit, kind, says) in [
        ("key", 2, "invalid_argument", "unknown field `node`"),
        ("twice", 2, "invalid_argument", "duplicate field `nodes`"),
        ("names", 2, "invalid_argument", "two nodes `n1`"),
        ("unknown", 2, "invalid_argument", "usage.n9: there is no node `n9`"),
        ("use", 2, "invalid_argument", "unknown variant `gone`"),
        ("amount", 2, "invalid_argument", "weights.web: an amount of `web`"),
        ("text", 2, "invalid_argument", "line 1 column 2"),
        ("binary", 2, "invalid_argument", "byte 11 is not UTF-8"),
        ("empty", 2, "invalid_argument", "EOF"),
        ("line", 2, "invalid_argument", "unknown field `aaaa"),
        ("large", 5, "limit_reached", "more than 16777216 bytes"),
        ("missing", 3, "not_found", "there is no such file"),
    ] {
        let ran = files.run(&format!("khan solve @good --world @{world} --json"));
        let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!((ran.exit, ran.out.as_str(), &error["kind"]), (exit, "", &kind.into()));
        assert!(error["message"].as_str().unwrap().contains(says), "{world}: {error}");
        assert!(ran.err.len() < 2000, "{world}: {}", ran.err.len());
    }
    let ran = files.run("khan solve @bad --world @world --json");
    let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((ran.exit, ran.out.as_str(), &error["kind"]), (2, "", &"invalid_config".into()));
    let errors: serde_json::Value =
        serde_json::from_str(error["fields"]["errors"].as_str().unwrap()).unwrap();
    let kinds: Vec<_> = errors.as_array().unwrap().iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["unbound", "type"]);
    insta::assert_snapshot!("khan_solve_bad", files.run("khan solve @bad --world @world").shown());
    for (line, exit) in [
        ("khan solve @missing --world @world", 3),
        ("khan solve @good", 2),
        ("khan solve - --world -", 2),
        ("khan solve @good @bad --world @world", 2),
    ] {
        assert_eq!(files.run(line).exit, exit, "{line}");
    }
}
