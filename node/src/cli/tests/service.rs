//! Services: a node with a store of blobs on one socket, a made-up picket on the other.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crux_client::op::{Goal, New, Until};
use crux_crdt::service::{Config, Image, Port};

use super::*;
use crate::api::tests::picket::{Asked, config};
use crate::services;

/// The SHA3-256 of `abc`.
const ABC: &str = "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532";

fn both() -> (FakeNode, FakePicket) {
    let node = FakeNode::start(view());
    let picket = FakePicket::start(node.dir.path());
    (node, picket)
}

fn file(node: &FakeNode, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = node.dir.path().join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn done(ran: Ran) -> Ran {
    assert_eq!(ran.exit, 0, "{ran:?}");
    ran
}

fn error(ran: &Ran) -> serde_json::Value {
    assert_eq!(ran.out, "", "{ran:?}");
    serde_json::from_str(ran.err.lines().last().unwrap()).unwrap()
}

/// The config that the picket was sent last.
fn sent(picket: &FakePicket) -> Config {
    match picket.last() {
        Asked::Add(op) => op.config,
        Asked::Update(op) => match op.new {
            New::Config(config) => *config,
            New::Image { .. } => panic!("{op:?}"),
        },
        Asked::Other(..) => panic!("no config was sent"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_becomes_a_blob_and_a_service() {
    let (node, picket) = both();
    let program = file(&node, "prog", "abc");
    let line = format!(
        "service add web --rev r2 --port http=auto --port admin=8080 --env LOG=info --check http:/up --wait \
         started --timeout 5s --data-dir D -- {program} -p ${{port.http}}"
    );
    let ran = done(tokio::task::block_in_place(|| run_in(&node.dir, &[], &line)));
    insta::assert_snapshot!("service_added", ran.shown());
    let sent = sent(&picket);
    assert_eq!(sent.image, Image::Blob(ABC.parse().unwrap()));
    assert_eq!(sent.argv0.as_deref(), Some(program.as_str()), "a command sees how it was called");
    assert_eq!(sent.args, ["-p", "${port.http}"]);
    assert_eq!((sent.name.as_str(), sent.rev.as_str()), ("web", "r2"));
    let ports: Vec<_> = sent.ports.iter().map(|(name, port)| (name.to_string(), port)).collect();
    assert_eq!(ports[0], ("http".to_owned(), Port::Auto));
    assert_eq!((ports[1].0.as_str(), ports[1].1.number()), ("admin", Some(8080)));
    assert_eq!((sent.env["LOG"].as_str(), sent.check.len()), ("info", 1));
    let Asked::Add(op) = picket.last() else { panic!() };
    let within = Duration::from_secs(5);
    assert_eq!(op.until, Until { goal: Goal::Started, within, generation: None });
    assert_eq!(done(run(&node, "blob ls --json")).json()[0]["id"], ABC);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_and_its_image_put() {
    let (node, picket) = both();
    let program = file(&node, "prog", "abc");
    let toml =
        format!("name = \"api\"\nimage = {program:?}\nports = {{ http = 8080 }}\ncount = 1\n");
    let toml = file(&node, "api.toml", toml);
    let ran = done(run(&node, &format!("service add {toml} --json")));
    insta::assert_snapshot!(serde_json::to_string_pretty(&ran.json()).unwrap());
    assert_eq!(sent(&picket).image, Image::Blob(ABC.parse().unwrap()));
    assert_eq!(sent(&picket).argv0, None, "a file says it itself");
    let Asked::Add(op) = picket.last() else { panic!() };
    assert_eq!(op.until, Until::default());
    let updated = done(run(&node, &format!("service update api {toml}")));
    assert_eq!(updated.out, "Updated api v1: up, pid 4711, http=27200\n");
    assert!(matches!(picket.last(), Asked::Update(_)));
    // It is what it was.
    let json = format!("{{\"name\": \"same\", \"image\": \"{ABC}\"}}");
    let json = file(&node, "same.json", json);
    let ran = done(run(&node, &format!("service add {json}")));
    assert!(ran.out.starts_with("Unchanged: same v1: up"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_digits_of_an_image_will_do() {
    let (node, picket) = both();
    let program = file(&node, "prog", "abc");
    done(run(&node, &format!("blob put {program}")));
    let line = "service add web --image 3a985da7 --data-dir D -- -v";
    done(tokio::task::block_in_place(|| run_in(&node.dir, &[], line)));
    let config = sent(&picket);
    assert_eq!(config.image, Image::Blob(ABC.parse().unwrap()));
    assert_eq!((config.argv0.as_deref(), config.args.as_slice()), (None, &["-v".to_owned()][..]));
    done(run(&node, "service update web --image 3a98 --rev v2"));
    let Asked::Update(op) = picket.last() else { panic!() };
    let rev = Some("v2".parse().unwrap());
    assert_eq!(op.new, New::Image { blob: ABC.parse().unwrap(), argv0: None, rev });
    for line in ["service add web --image ffff", "service update web --image ffff"] {
        let ran = run(&node, &format!("{line} --json"));
        assert_eq!((ran.exit, &error(&ran)["kind"]), (3, &"blob_unknown".into()), "{line}");
    }
}

/// A service whose image is a blob already needs only the picket.
#[tokio::test(flavor = "multi_thread")]
async fn services_go_on_while_the_fulcrum_is_away() {
    let (mut node, picket) = both();
    node.stop().await;
    done(run(&node, &format!("service add web --image {ABC}")));
    assert_eq!(sent(&picket).image, Image::Blob(ABC.parse().unwrap()));
    for line in ["ps", "inspect web", "service show web", "service stop web", "logs web", "events"]
    {
        done(run(&node, line));
    }
    let status = run(&node, "status --json");
    let error = error(&status);
    assert_eq!((status.exit, &error["kind"]), (4, &"no_node".into()));
    assert!(error["message"].as_str().unwrap().contains("fulcrum"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_picket_says_so() {
    let node = FakeNode::start(view());
    for line in ["ps", "logs web", "service stop web"] {
        let ran = run(&node, &format!("{line} --json"));
        let error = error(&ran);
        assert_eq!((ran.exit, &error["kind"]), (4, &"picket_away".into()), "{line}");
        assert!(error["hint"].as_str().unwrap().contains("services = false"), "{error}");
    }
    let nowhere = tempfile::tempdir().unwrap();
    assert_eq!(tokio::task::block_in_place(|| run_in(&nowhere, &[], "ps --data-dir D")).exit, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_of_a_wait_has_a_kind_and_an_exit_code() {
    let (node, _picket) = both();
    for (name, exit, kind, has_log) in [
        ("text", 1, "image_unusable", false),
        ("broken", 1, "start_failed", true),
        ("sick", 1, "unhealthy", true),
        ("worse", 1, "rolled_back", true),
        ("slow", 6, "timed_out", false),
        ("stale", 5, "generation", false),
        ("capped", 5, "not_enforced", false),
        ("rooted", 5, "not_permitted", false),
        ("full", 5, "limit_reached", false),
    ] {
        let ran = run(&node, &format!("service add {name} --image {ABC} --json"));
        let error = error(&ran);
        assert_eq!((ran.exit, &error["kind"]), (exit, &kind.into()), "{name}: {error}");
        assert_eq!(error["exit_code"], exit, "{name}");
        let lines = error["fields"]["log"].as_str().map(|log| log.lines().collect::<Vec<_>>());
        assert_eq!(lines.is_some(), has_log, "{name}: {error}");
        if let Some(lines) = lines {
            assert_eq!((lines.len(), lines[0], lines[19]), (20, "line 11", "line 30"));
        }
        let update = run(&node, &format!("service update {name} --image {ABC} --json"));
        assert_eq!(update.exit, exit, "{name}");
    }
    for verb in ["rollback", "start", "stop", "restart", "rm --yes"] {
        let ran = run(&node, &format!("service {verb} nowhere --json"));
        assert_eq!((ran.exit, &error(&ran)["kind"]), (3, &"not_found".into()), "{verb}");
    }
    let ran = run(&node, &format!("service add broken --image {ABC}"));
    insta::assert_snapshot!("service_broken", ran.shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_has_an_answer() {
    let (node, picket) = both();
    for (line, told, asked) in [
        ("rollback web", "Rolled back web v1: up, pid 4711, http=27200\n", "roll back"),
        ("start web --wait none", "Started web v1: pending\n", "start"),
        ("restart web", "Restarted web v1: up, pid 4711, http=27200\n", "restart"),
        ("stop web --timeout 7s", "Stopped web v1: stopped\n", "stop"),
        ("rm web --yes", "Removed web v1\n", "remove"),
    ] {
        let ran = done(run(&node, &format!("service {line}")));
        assert_eq!((ran.out.as_str(), ran.err.as_str()), (told, ""), "{line}");
        let Asked::Other(what, until) = picket.last() else { panic!() };
        assert_eq!(what, asked);
        assert_eq!(until.goal == Goal::None, line.contains("none"), "{line}");
        let within = if asked == "stop" { 7 } else { 60 };
        assert_eq!(until.within, Duration::from_secs(within), "{line}");
        let json = done(run(&node, &format!("service {line} --json"))).json();
        let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys.len(), 6, "{line}: {keys:?}");
    }
    let refused = run(&node, "service rm web --json");
    assert_eq!((refused.exit, &error(&refused)["kind"]), (2, &"not_confirmed".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_shown_in_tables_and_json() {
    let (node, _picket) = both();
    for line in ["ps", "ps --all", "ps web", "inspect web", "service show web"] {
        let ran = done(run(&node, line));
        insta::assert_snapshot!(file_name("text", line), ran.shown());
        let json = done(run(&node, &format!("{line} --json"))).json();
        let json = serde_json::to_string_pretty(&json).unwrap();
        insta::assert_snapshot!(file_name("json", line), json);
    }
    let order = done(run(&node, "ps --json")).json();
    let order = order.as_array().unwrap().iter();
    let order: Vec<_> = order.map(|it| format!("{} {}", it["service"], it["ordinal"])).collect();
    assert_eq!(order, ["\"web\" 0", "\"web\" 1", "\"web2\" 0", "\"web10\" 0"]);
    for line in ["ps nowhere", "inspect nowhere", "service show nowhere", "logs nowhere"] {
        assert_eq!(run(&node, line).exit, 3, "{line}");
    }
    let empty = done(run(&node, "ps other"));
    assert!(empty.err.contains("`--all`"), "{empty:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_that_is_shown_reads_back_to_the_same() {
    let (node, picket) = both();
    for option in ["", " --json"] {
        let shown = done(run(&node, &format!("service show web{option}"))).out;
        let draft = services::read(&shown, services::Owner::Person).unwrap();
        let image = config().image.clone();
        assert_eq!(draft.with_image(image), Ok(config()), "{shown}");
        let path = file(&node, "shown", &shown);
        done(run(&node, &format!("service add {path}")));
        assert_eq!(sent(&picket), config(), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_events_are_a_line_each() {
    let (node, picket) = both();
    for line in ["logs web", "logs web --tail 1", "events", "events --kind plugin.crash*"] {
        let ran = done(run(&node, line));
        insta::assert_snapshot!(file_name("text", line), ran.shown());
        let json = done(run(&node, &format!("{line} --json")));
        insta::assert_snapshot!(file_name("json", line), json.out);
    }
    let count = |line: &str| done(run(&node, line)).out.lines().count();
    assert_eq!((count("logs web --stderr"), count("logs web --stdout")), (1, 2));
    assert_eq!((count("logs web --until-exit"), count("logs web -f --until-exit")), (4, 4));
    assert_eq!((count("events --after 8"), count("events --service web2")), (1, 1));
    assert_eq!(run(&node, "logs web --stdout --stderr").exit, 2);
    assert_eq!(run(&node, "events --kind [a-z]").exit, 2);
    // They follow until the picket is gone.
    let dir = node.dir.path().to_owned();
    let followed = ["logs web -f", "events -f"].map(|line| {
        let out = Buffer::default();
        let ui = Ui::new(Box::new(out.clone()), Box::new(Buffer::default()), Env::of(&[]));
        let line = format!("crux-node {line} --data-dir {}", dir.display());
        let args: Vec<_> = line.split(' ').map(OsString::from).collect();
        (out, std::thread::spawn(move || run_with(args, ui)))
    });
    for ((out, _), lines) in followed.iter().zip([4, 3]) {
        while out.text().lines().count() < lines {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    drop(picket);
    for (_, ends) in followed {
        assert_eq!(tokio::task::block_in_place(|| ends.join().unwrap()), Exit::NoNode);
    }
}

/// No node is asked.
#[test]
fn what_is_wrong_with_a_config_is_said_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let good = format!("name = \"web\"\nimage = \"{ABC}\"\n");
    fs::write(path("good"), &good).unwrap();
    fs::write(path("unknown"), format!("{good}prot = 3\n")).unwrap();
    fs::write(path("long"), format!("{good}#{}", "x".repeat(300_000))).unwrap();
    let run = |line: String| run_in(&dir, &[], &line);
    let at = |name: &str| path(name).display().to_string();
    let checked = done(run(format!("service check {}", at("good"))));
    assert_eq!(checked.out, "web v1: the config is valid\n");
    let json = done(run(format!("service check {} --json", at("good")))).json();
    assert_eq!(json, serde_json::json!({ "service": "web", "rev": "v1" }));
    for verb in ["check", "add", "update web"] {
        let ran = run(format!("service {verb} {} --json", at("unknown")));
        let error = error(&ran);
        assert_eq!((ran.exit, &error["kind"]), (2, &"invalid_config".into()), "{verb}");
        assert_eq!(
            (&error["fields"]["line"], &error["fields"]["column"]),
            (&"3".into(), &"1".into())
        );
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("line 3, column 1") && message.contains("prot"), "{message}");
        let ran = run(format!("service {verb} {} --json", at("long")));
        assert_eq!((ran.exit, &self::error(&ran)["kind"]), (2, &"invalid_config".into()), "{verb}");
        let ran = run(format!("service {verb} {} --json", at("missing")));
        assert_eq!((ran.exit, &self::error(&ran)["kind"]), (3, &"not_found".into()), "{verb}");
    }
    insta::assert_snapshot!("service_no_file", run("service add web".to_owned()).shown());
    let other = run(format!("service update api {} --json", at("good")));
    assert_eq!((other.exit, &error(&other)["kind"]), (2, &"invalid_argument".into()));
    for line in [
        "service add web --port http=auto",
        "service add web --rev r1",
        "service add web --port http --image ffff",
        "service add web --check http --image ffff",
        "service add 3 -- /bin/true",
        "service update web",
        "service update web --rev r2",
        "service update web x --image ffff",
        "service stop 3",
        "service",
    ] {
        let ran = run(line.to_owned());
        assert_eq!((ran.exit, ran.out.as_str()), (2, ""), "{line} {ran:?}");
    }
    let none = run("service add web --json -- no-such-command-anywhere".to_owned());
    assert_eq!((none.exit, &error(&none)["kind"]), (3, &"not_found".into()));
    assert!(!Path::new("web").exists());
}
