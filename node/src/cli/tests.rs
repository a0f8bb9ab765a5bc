//! Commands from the command line to the output, against a real API server with a fake fulcrum.

mod colours;
mod document;
mod first;
mod keygen;
mod khan;
mod order;
mod service;
mod setting;
mod target;
mod user;

use std::io::Write;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::*;
use crate::api::tests::FakeNode;
use crate::api::tests::picket::FakePicket;
use crate::config::Env;
use crate::view::View;
use crate::view::testing::{service, view};

/// Bytes that a test reads back.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The outcome of a command.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) exit: u8,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ran {
    /// All of it, for snapshots.
    fn shown(&self) -> String {
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.exit, self.out, self.err)
    }

    /// Standard output as one JSON document.
    pub(super) fn json(&self) -> serde_json::Value {
        assert_eq!(self.out.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }
}

/// Runs a command line; `D` in it stands for the directory.
fn run_in(dir: &TempDir, env: &[(&str, &str)], line: &str) -> Ran {
    run_on(dir, env, line, "")
}

/// The same, with this on standard input.
fn run_on(dir: &TempDir, env: &[(&str, &str)], line: &str, input: &str) -> Ran {
    let path = dir.path().display().to_string();
    let word = |word: &str| OsString::from(if word == "D" { path.as_str() } else { word });
    let args: Vec<_> = ["crux-node"].into_iter().chain(line.split(' ')).map(word).collect();
    let (out, err) = (Buffer::default(), Buffer::default());
    let ui = Ui::new(Box::new(out.clone()), Box::new(err.clone()), Env::of(env));
    let ui = ui.with_input(std::io::Cursor::new(input.as_bytes().to_vec()));
    // A thread of its own: commands have their own runtime.
    let exit = std::thread::spawn(move || run_with(args, ui)).join().unwrap();
    let text = |buffer: Buffer| buffer.text().replace(&path, "DIR");
    Ran { exit: exit.code(), out: text(out), err: text(err) }
}

/// Runs a command line against a node.
pub(super) fn run(node: &FakeNode, line: &str) -> Ran {
    let line = format!("{line} --data-dir D");
    tokio::task::block_in_place(|| run_in(&node.dir, &[], &line))
}

/// The name of a snapshot: words and underscores, so that any file system takes it.
fn file_name(kind: &str, line: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("{kind}_{line}").chars().map(word).collect()
}

/// Runs a command line where no node is.
fn alone(line: &str) -> Ran {
    run_in(&tempfile::tempdir().unwrap(), &[], line)
}

/// Commands that only read, and a line of each that a node answers.
const READS: [(&str, &str); 18] = [
    ("status", "status"),
    ("leader", "leader"),
    ("leader ping", "leader ping"),
    ("members", "members"),
    ("services", "services --all"),
    ("resolve", "resolve ntp"),
    ("doctor", "doctor"),
    ("blob ls", "blob ls"),
    ("blob scrub", "blob scrub"),
    ("doc ls", "doc ls"),
    ("user ls", "user ls"),
    ("setting ls", "setting ls"),
    ("target history", "target history"),
    ("service show", "service show web"),
    ("ps", "ps --all"),
    ("inspect", "inspect web"),
    ("completions", "completions bash"),
    ("man", "man"),
];

/// Commands that read and have a test of their own: of a stream, and of a blob, a document or a file that has to be
/// there.
const READS_ELSEWHERE: [&str; 10] = [
    "watch",
    "blob get",
    "blob path",
    "doc show",
    "logs",
    "events",
    "service check",
    "khan check",
    "diff",
    "target show",
];

/// Commands that change something, or run.
const WRITES: [&str; 35] = [
    "keygen",
    "run",
    "fulcrum",
    "register",
    "deregister",
    "forget",
    "leave",
    "drain",
    "cordon",
    "uncordon",
    "blob put",
    "blob rm",
    "blob pin",
    "blob unpin",
    "blob reserve",
    "blob register",
    "blob add-dir",
    "doc put",
    "doc rm",
    "user keygen",
    "user add",
    "user rm",
    "setting set",
    "setting unset",
    "service add",
    "service update",
    "service rollback",
    "service start",
    "service stop",
    "service restart",
    "service rm",
    "khan fmt",
    "apply",
    "target rollback",
    "target upgrade",
];

/// The commands below one, each with those before it.
fn commands(command: &clap::Command, before: &str) -> Vec<String> {
    let below = command.get_subcommands().filter(|it| it.get_name() != "help");
    below
        .flat_map(|it| {
            let name = format!("{before} {}", it.get_name()).trim_start().to_owned();
            let below = commands(it, &name);
            // Of those with commands below only `leader` is one itself.
            let is_one = below.is_empty() || name == "leader";
            is_one.then_some(name).into_iter().chain(below)
        })
        .collect()
}

#[test]
fn every_command_is_known_to_read_or_to_write() {
    let mut found = commands(&Cli::command(), "");
    let mut known: Vec<_> = READS.iter().map(|(name, _)| *name).collect();
    known.extend(READS_ELSEWHERE.iter().chain(&WRITES));
    found.sort_unstable();
    known.sort_unstable();
    assert_eq!(found, known, "a new command that reads needs a line among READS");
}

/// Twice, since an unordered map has another order each time.
#[tokio::test(flavor = "multi_thread")]
async fn every_command_that_reads_answers_in_one_json_document_and_always_the_same() {
    let mut view = view();
    for n in 0..32 {
        view.members[0].labels.insert(format!("label{n}"), n.to_string());
    }
    let node = FakeNode::start(view);
    let _picket = FakePicket::start(node.dir.path());
    for (name, line) in READS {
        let [first, second] = [(); 2].map(|()| run(&node, &format!("{line} --json")));
        assert_eq!((first.exit, first.err.as_str()), (0, ""), "{name}");
        first.json();
        assert_eq!(first.out, second.out, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_json_have_one_order_in_which_n2_is_before_n10() {
    let mut view = view();
    view.members.iter_mut().zip(["n1", "n2", "n10"]).for_each(|(member, name)| {
        member.node = name.parse().unwrap();
    });
    view.services = ["n10", "n2", "n1"].map(|node| service(node, "web", "r1")).into();
    let node = FakeNode::start(view);
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    for (line, field) in [("members", "node"), ("services", "path")] {
        let table = run(&node, line).out;
        let table: Vec<_> = table.lines().skip(1).filter_map(first).collect();
        let json = run(&node, &format!("{line} --json")).json();
        let json: Vec<_> = json
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one[field].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(table, json, "{line}");
        assert!(table[1].contains("n2") && table[2].contains("n10"), "{line}: {table:?}");
    }
}

#[test]
fn words_of_other_tools_are_explained() {
    for (line, instead) in [
        ("version", "`crux-node --version`"),
        ("agent", "`crux-node run`"),
        ("start --data-dir D", "`crux-node run`"),
        ("list", "`crux-node members`"),
        ("service list", "`crux-node ps`"),
        ("service logs web", "`crux-node logs`"),
        ("service status web", "`crux-node ps`"),
        ("service remove web", "`crux-node service rm`"),
        ("restart web", "`crux-node service restart`"),
        ("logs web --lines 3", "`--tail`"),
        ("service add web --no-wait", "`--wait none`"),
        ("--data-dir n1 list", "`crux-node members`"),
        ("--data-dir n1 blob list", "`crux-node blob ls`"),
        ("info", "`crux-node status`"),
        ("blob list", "`crux-node blob ls`"),
        ("run --no-mdns", "`--mdns off`"),
        ("run --port=80", "`--listen`"),
        ("membres", "'members'"),
    ] {
        let ran = alone(line);
        assert_eq!((ran.exit, ran.out.as_str()), (2, ""), "{line}");
        assert!(ran.err.contains("tip: ") && ran.err.contains(instead), "{}", ran.err);
        let json: serde_json::Value =
            serde_json::from_str(&alone(&format!("{line} --json")).err).unwrap();
        assert!(json["hint"].as_str().unwrap().contains(instead), "{json}");
    }
    insta::assert_snapshot!("unknown", alone("list").shown());
}

/// An error of the system comes with a hint.
#[test]
fn errors_of_the_system_have_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let file = file.display().to_string();
    let secret = dir.path().join("s").display().to_string();
    let keygen = format!("keygen --flock dev --no-operator --out {secret}");
    assert_eq!(run_in(&dir, &[], &keygen).exit, 0);
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let held = held.local_addr().unwrap();
    let at = dir.path().display();
    let run = format!("run --mdns off --secret-file {secret} --stop-with-stdin");
    for (line, exit, hint) in [
        (format!("{run} --data-dir {file} --listen 127.0.0.1:0"), 2, "a directory"),
        (format!("{run} --data-dir {file}/below --listen 127.0.0.1:0"), 1, "a file is where"),
        (
            format!("{run} --data-dir {at}/d --listen 198.51.100.77:7117"),
            1,
            "--advertise 198.51.100.77:7117",
        ),
        (format!("{run} --data-dir {at}/d --listen {held}"), 5, "another port"),
        (format!("{run} --data-dir {at}/d --config {file}/c"), 1, "a file is where"),
        (format!("{run} --data-dir {at}/d --config {at}/c"), 3, "--config"),
        (format!("man --out {at}/nowhere"), 1, "Make the directory first."),
        (format!("man --out {file}"), 2, "a directory"),
        (format!("keygen --flock dev --out {at}/nowhere/s --no-operator"), 1, "Check the path"),
    ] {
        let ran = run_in(&dir, &[], &format!("{line} --json"));
        assert_eq!(ran.exit, exit, "{line} {}", ran.err);
        let error = ran.err.lines().last().unwrap_or_default();
        let error: serde_json::Value = serde_json::from_str(error).unwrap();
        assert!(error["hint"].as_str().is_some_and(|it| it.contains(hint)), "{line} {error}");
    }
}

#[test]
fn a_name_with_a_domain_is_refused_with_the_one_to_take() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("s").display().to_string();
    let keygen = |flock: &str| {
        run_in(&dir, &[], &format!("keygen --flock {flock} --no-operator --out {secret}"))
    };
    let refused = keygen("Lab.example.org");
    assert!(refused.exit == 2 && refused.err.contains("Try lab. "), "{}", refused.err);
    assert_eq!(keygen("lab").exit, 0);
    let line = format!("run --data-dir D --secret-file {secret} --name web01.example.org");
    let ran = run_in(&dir, &[], &line);
    insta::assert_snapshot!("name_with_a_domain", ran.shown());
}

#[test]
fn the_answer_comes_before_the_command_gives_up() {
    let millis = |ms| Wait { timeout: Duration::from_millis(ms) }.patience().as_millis();
    assert_eq!((millis(0), millis(100), millis(1000), millis(10_000)), (0, 75, 750, 9500));
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_for_people() {
    let node = FakeNode::start(view());
    for line in [
        "status",
        "leader",
        "leader ping",
        "members",
        "register web r1 127.0.0.1:9000 --lease 10s",
        "register web r1 127.0.0.1:9001 --ordinal 1 --label zone=b --label rack=7",
        "deregister web r1",
        "services",
        "services --all */*/n2",
        "services web",
        "services dev",
        "services /dev/other",
        "resolve ntp",
        "resolve ntp --on n2",
        "resolve ntp --on n1",
        "forget n4 --yes",
        "leave --yes",
        "doctor",
    ] {
        let ran = run(&node, line);
        insta::assert_snapshot!(file_name("text", line), ran.shown());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_for_scripts() {
    let node = FakeNode::start(view());
    for line in ["status", "leader", "leader ping", "members", "services", "resolve ntp", "doctor"]
    {
        let ran = run(&node, &format!("{line} --json"));
        assert_eq!((ran.exit, ran.err.as_str()), (0, ""), "{line}");
        let json = serde_json::to_string_pretty(&ran.json()).unwrap();
        insta::assert_snapshot!(file_name("json", line), json);
    }
    let ran = run(&node, "register web r1 [::1]:9000 --json");
    assert_eq!(ran.json()["path"], "/dev/main/n1/web/r1");
    for line in ["deregister web r1 --json", "leave --yes --json"] {
        let ran = run(&node, line);
        assert_eq!((ran.exit, ran.out.as_str(), ran.err.as_str()), (0, "", ""), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_an_answer() {
    let node = FakeNode::start(View { leader: None, members: vec![], services: vec![], ..view() });
    for (line, wanted) in [("leader", "null\n"), ("members", "[]\n"), ("services", "[]\n")] {
        let ran = run(&node, &format!("{line} --json"));
        assert_eq!((ran.exit, ran.out.as_str()), (0, wanted), "{line}");
        assert_eq!(run(&node, line).exit, 0, "{line}");
    }
    let ran = run(&node, "resolve ntp --json");
    assert_eq!((ran.exit, ran.out.as_str()), (3, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn common_options_stand_anywhere_after_the_name() {
    let node = FakeNode::start(view());
    let dir = node.dir.path().display().to_string();
    let wanted = run(&node, "leader --json").out;
    for line in ["leader --json --yes --data-dir D", "--data-dir D --json leader"] {
        let ran = tokio::task::block_in_place(|| run_in(&node.dir, &[], line));
        assert_eq!(ran.out, wanted, "{line}");
    }
    let env = [("CRUX_DATA_DIR", dir.as_str())];
    let ran = tokio::task::block_in_place(|| run_in(&node.dir, &env, "leader --json"));
    assert_eq!(ran.out, wanted);
    let line = "leader --data-dir D ping --json";
    let ran = tokio::task::block_in_place(|| run_in(&node.dir, &[], line));
    assert_eq!((ran.exit, ran.json()["leader"]["term"].as_u64()), (0, Some(7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_prints_a_line_for_each_change() {
    let mut node = FakeNode::start(View { services: vec![], ..view() });
    let dir = node.dir.path().to_owned();
    let out = Buffer::default();
    let ui = Ui::new(Box::new(out.clone()), Box::new(Buffer::default()), Env::of(&[]));
    let args = ["crux-node", "watch", "--json", "--data-dir"].map(OsString::from).into_iter();
    let args: Vec<_> = args.chain([dir.into_os_string()]).collect();
    let watch = std::thread::spawn(move || run_with(args, ui));
    let lines = |count: usize| {
        let out = out.clone();
        async move {
            while out.text().lines().count() < count {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
    };
    lines(1).await;
    node.views
        .send_replace(Arc::new(View { services: vec![service("n1", "web", "r1")], ..view() }));
    lines(2).await;
    node.views.send_replace(Arc::new(View { services: vec![], ..view() }));
    lines(3).await;
    node.stop().await;
    assert_eq!(watch.join().unwrap(), Exit::NoNode);
    insta::assert_snapshot!(out.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_to_use_the_option_that_is_used() {
    let node = FakeNode::start(View { services: vec![], ..view() });
    assert!(run(&node, "services web").err.contains("`--all`"));
    let all = run(&node, "services web --all").err;
    assert!(all.starts_with("No service is called web.") && !all.contains("--all"), "{all}");
}

#[test]
fn errors_for_people_and_scripts() {
    for line in ["status --data-dir D", "status --data-dir D --json", "doctor --data-dir D"] {
        insta::assert_snapshot!(file_name("no node", line), alone(line).shown());
    }
    let usage = [
        "services --json a*",
        "services 3",
        "register 3 r1 a:1",
        "register web r1 0.0.0.0:80",
        "register web r1 a:1 --label zone",
        "bogus --json",
        "leave",
    ];
    for line in usage {
        let ran = alone(line);
        assert_eq!((ran.exit, ran.out.as_str()), (2, ""), "{line}");
        insta::assert_snapshot!(file_name("usage", line), ran.shown());
    }
    let long = format!("status --data-dir {}", "x".repeat(120));
    assert_eq!(alone(&long).exit, 5);
}

#[test]
fn what_cannot_be_undone_needs_a_yes() {
    for line in ["leave --data-dir D", "forget n1 --data-dir D", "leave --json --data-dir D"] {
        let ran = alone(line);
        assert_eq!(ran.exit, 2, "{line}");
        assert!(ran.err.contains("--yes"), "{line}");
    }
    assert_eq!(alone("leave --yes --data-dir D").exit, 4);
}

#[test]
fn help_completions_and_manual() {
    for line in ["--help", "--version", "help run", "run --help", "completions bash", "man"] {
        let ran = alone(line);
        assert_eq!((ran.exit, ran.err.as_str()), (0, ""), "{line}");
        assert!(!ran.out.is_empty(), "{line}");
    }
    assert!(alone("completions zsh --json").json().as_str().unwrap().contains("crux-node"));
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run_in(&dir, &[], "man --out D").exit, 0);
    assert!(dir.path().join("crux-node-leader-ping.1").exists());
}

#[test]
fn run_refuses_before_it_starts() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("d").display().to_string();
    for (line, env, exit) in [
        (format!("run --data-dir {data}"), vec![], 2),
        (format!("run --data-dir {data} --secret-file /nowhere"), vec![], 3),
        (format!("run --data-dir {data}"), vec![("CRUX_SECRET", "crux1-ab")], 2),
        (format!("run --data-dir {data}"), vec![("CRUX_SECRTE", "x")], 2),
        (format!("run --data-dir {data} --label a --secret-file /nowhere"), vec![], 2),
        (format!("run --data-dir {data} --mdns perhaps"), vec![], 2),
        (format!("run --data-dir {data} --config /nowhere"), vec![], 3),
    ] {
        let ran = run_in(&dir, &env, &line);
        assert_eq!(ran.exit, exit, "{line} {}", ran.err);
        assert!(!dir.path().join("d").exists(), "{line}");
    }
}

#[test]
fn a_table_has_a_line_for_each_row_whatever_is_in_it() {
    let mut view = view();
    let forged = "x\nroot  0a0a0a0a  127.0.0.1:1  alive\x1b[2J\u{202e}";
    view.members[0].labels.insert("site".to_owned(), forged.to_owned());
    view.members[0].labels.insert("disk".to_owned(), "ssd admin=yes".to_owned());
    let text = paint::finish(&members::text(&view.members), false);
    assert_eq!(text.lines().count(), 1 + view.members.len(), "{text}");
    assert!(text.chars().all(|c| c == '\n' || crux_crdt::text::is_plain(c)), "{text:?}");
    assert!(text.contains("disk=\"ssd admin=yes\""), "{text}");
}

#[test]
fn an_error_has_its_own_lines_only() {
    let (out, err) = (Buffer::default(), Buffer::default());
    let mut ui = Ui::new(Box::new(out), Box::new(err.clone()), Env::of(&[]));
    let forged = "the entry \"a\nHint: run `rm -rf /`\x1b[1A\"";
    error::report(&Error::new(crate::error::Kind::NotFound, forged).with_hint("Look."), &mut ui);
    let text = err.text();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.chars().all(|c| c == '\n' || crux_crdt::text::is_plain(c)), "{text:?}");
}
