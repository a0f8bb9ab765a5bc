//! Documents: keys of made-up people, and a node that holds what they sign.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use crux_crdt::canon::Decoder;
use crux_crdt::document::{Body, Document, Grant, Key};
use crux_crdt::sign::{Ed25519, Identity, Terms};

use super::*;
use crate::secret::{Format, UserPublic};

/// The seed of the operator's key.
pub(super) const OPERATOR: u8 = 1;
/// The seeds of users.
pub(super) const ALICE: u8 = 2;
pub(super) const BOB: u8 = 3;

/// A node in a flock with an operator, beside files with keys: `operator.key`, `alice.key`, `bob.key`.
pub(super) struct Flock {
    pub(super) node: FakeNode,
}

pub(super) fn identity(seed: u8) -> Identity {
    Identity::from_seed(&[seed; 32])
}

/// The public line of a user.
pub(super) fn public(seed: u8) -> String {
    UserPublic(identity(seed).principal()).to_string()
}

fn key_line(prefix: &'static str, seed: u8) -> String {
    Format { prefix, version: 1 }.encode(&[seed; 32]).to_string()
}

impl Flock {
    pub(super) fn start() -> Self {
        let operator = Some(identity(OPERATOR).principal());
        let node = FakeNode::start(View { operator, ..view() });
        let flock = Self { node };
        flock.private("operator.key", &key_line("crux-operator", OPERATOR));
        flock.private("alice.key", &key_line("crux-user", ALICE));
        flock.private("bob.key", &key_line("crux-user", BOB));
        flock
    }

    /// A flock in which Alice may deploy in the horde `main`.
    pub(super) fn with_alice() -> Self {
        let flock = Self::start();
        flock.add("alice", ALICE, "--role deployer:main");
        flock
    }

    pub(super) fn add(&self, name: &str, seed: u8, rest: &str) -> Ran {
        let line = format!("user add {name} --key {} {rest}", public(seed));
        done(self.operator(&line))
    }

    /// A file in the node's directory.
    pub(super) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.node.dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    pub(super) fn private(&self, name: &str, content: &str) -> String {
        let path = self.file(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.node.dir.path().join(name).display().to_string()
    }

    /// Runs a command line, signed by Alice.
    pub(super) fn alice(&self, line: &str) -> Ran {
        run(&self.node, &format!("{line} --identity {}", self.path("alice.key")))
    }

    pub(super) fn bob(&self, line: &str) -> Ran {
        run(&self.node, &format!("{line} --identity {}", self.path("bob.key")))
    }

    /// Runs a command line, signed by the operator.
    pub(super) fn operator(&self, line: &str) -> Ran {
        run(&self.node, &format!("{line} --operator-key {}", self.path("operator.key")))
    }

    pub(super) fn run(&self, line: &str) -> Ran {
        run(&self.node, line)
    }

    /// With this on standard input.
    pub(super) fn run_on(&self, line: &str, input: &str) -> Ran {
        let line = format!("{line} --data-dir D");
        tokio::task::block_in_place(|| run_on(&self.node.dir, &[], &line, input))
    }

    /// The rows of `doc ls`: key, state, generation, grants version and signer.
    pub(super) fn list(&self) -> Vec<String> {
        let all = done(self.run("doc ls --json")).json();
        let word = |entry: &serde_json::Value| {
            let signer = entry["signer"]["name"].as_str().unwrap();
            let text = |field: &str| entry[field].as_str().unwrap().to_owned();
            let [generation, version] =
                ["generation", "grants_version"].map(|field| entry[field].as_u64().unwrap());
            format!("{} {} {generation} {version} {signer}", text("key"), text("state"))
        };
        all.as_array().unwrap().iter().map(word).collect()
    }

    /// Has the node hold a document, as if a peer had sent it.
    pub(super) fn hold(&self, seed: u8, key: &Key, at: (u64, u64), content: Option<&[u8]>) {
        let view = self.node.views.borrow().clone();
        let terms = Terms { flock: view.flock_id, operator: view.operator, verifier: &Ed25519 };
        let identity = identity(seed);
        let grant = view.documents.grant_of(&identity.principal()).cloned();
        let body = Body::new(key.clone(), at.0, at.1, content.map(Into::into));
        let document = Document::sign(body, &view.flock_id, &identity, grant).unwrap();
        let document = Document::open(&mut Decoder::new(&document.sealed()), &terms).unwrap();
        let mut documents = (*view.documents).clone();
        documents.merge(Arc::new(document));
        let documents = Arc::new(documents);
        self.node.views.send_replace(Arc::new(View { documents, ..(*view).clone() }));
    }

    /// The grant of a user as the node has it.
    pub(super) fn grant(&self, seed: u8) -> Option<Grant> {
        let view = self.node.views.borrow().clone();
        view.documents.grant_of(&identity(seed).principal())?.granted().cloned()
    }
}

pub(super) fn done(ran: Ran) -> Ran {
    assert_eq!(ran.exit, 0, "{ran:?}");
    ran
}

/// How a command line with `--json` was refused: its exit code and kind.
pub(super) fn refused(ran: &Ran) -> (u8, String) {
    assert_eq!(ran.out, "", "{ran:?}");
    let error: serde_json::Value = serde_json::from_str(ran.err.lines().last().unwrap()).unwrap();
    (ran.exit, error["kind"].as_str().unwrap().to_owned())
}

pub(super) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn is(exit: u8, kind: &str) -> (u8, String) {
    (exit, kind.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_writes_what_her_grant_covers() {
    let flock = Flock::with_alice();
    let file = flock.file("site.txt", "site = 1\n");
    let ran = done(flock.alice(&format!("doc put target/main {file}")));
    insta::assert_snapshot!("doc_put", ran.shown());
    let ran = done(flock.alice(&format!("doc put target/main {file} --json")));
    insta::assert_snapshot!("json_doc_put", serde_json::to_string_pretty(&ran.json()).unwrap());
    insta::assert_snapshot!("doc_ls", done(flock.run("doc ls")).shown());
    let json = done(flock.run("doc ls target --json")).json();
    insta::assert_snapshot!("json_doc_ls", serde_json::to_string_pretty(&json).unwrap());
    insta::assert_snapshot!("doc_show", done(flock.run("doc show target/main")).shown());
    let json = done(flock.run("doc show target/main --json")).json();
    insta::assert_snapshot!("json_doc_show", serde_json::to_string_pretty(&json).unwrap());
    insta::assert_snapshot!("doc_rm", done(flock.alice("doc rm target/main")).shown());
    assert_eq!(flock.list()[1], "target/main deleted 3 1 alice");
    assert_eq!(refused(&flock.alice("doc rm target/main --json")), is(3, "not_found"));
    let json = done(flock.run("doc show target/main --json")).json();
    assert_eq!(
        (&json["content"], &json["rival"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    // It is there again, after its deletion.
    done(flock.alice(&format!("doc put target/main {file}")));
    assert_eq!(flock.list()[1], "target/main current 4 1 alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_of_a_kind_or_a_prefix() {
    let flock = Flock::with_alice();
    for name in ["n10", "n2"] {
        done(flock.run_on(
            &format!("doc put secret/main/{name} - --identity {}", flock.path("alice.key")),
            name,
        ));
    }
    let keys = |prefix: &str| -> Vec<String> {
        let json = done(flock.run(&format!("doc ls {prefix} --json"))).json();
        json.as_array().unwrap().iter().map(|it| it["key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys("secret"), ["secret/main/n2", "secret/main/n10"]);
    assert_eq!(keys("secret/main/n1"), ["secret/main/n10"]);
    assert!(keys("sec").is_empty() && keys("secrets").is_empty(), "a kind is a whole word");
    assert_eq!(refused(&flock.run("doc ls a\u{1b}b --json")), is(2, "invalid_name"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_text_is_in_base64() {
    let flock = Flock::start();
    let file = flock.file("f", [0xff, 0xfe]);
    done(flock.operator(&format!("doc put later/x {file}")));
    let json = done(flock.run("doc show later/x --json")).json();
    assert_eq!(
        (&json["content"], &json["content_base64"]),
        (&serde_json::Value::Null, &"//4=".into())
    );
    assert_eq!(json["known_kind"], false);
    let shown = done(flock.run("doc show later/x")).out;
    assert!(shown.contains("not a text"), "{shown}");
    assert!(done(flock.run("doc ls")).out.contains("later/x *"), "an unknown kind is marked");
    // The content commands no terminal.
    let file = flock.file("f", "a\u{1b}[2Jb");
    done(flock.operator(&format!("doc put later/x {file}")));
    let shown = done(flock.run("doc show later/x")).out;
    assert!(shown.contains("a\\u001b[2Jb"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_key_comes_on_standard_input() {
    let flock = Flock::start();
    let line = fs::read_to_string(flock.path("operator.key")).unwrap();
    let file = flock.file("f", "x");
    done(flock.run_on(&format!("doc put rule/a {file} --operator-key -"), &line));
    done(
        flock.run_on(
            &format!("doc put rule/a - --operator-key {}", flock.path("operator.key")),
            "y",
        ),
    );
    assert_eq!(flock.list(), ["rule/a current 2 1 operator"]);
    assert_eq!(done(flock.run("doc show rule/a --json")).json()["content"], "y");
    for signer in ["--operator-key -", "--identity -"] {
        let ran = flock.run_on(&format!("doc put rule/a - {signer} --json"), &line);
        assert_eq!(refused(&ran), is(2, "invalid_argument"), "{signer}");
    }
    // Standard input is never shown.
    for bad in ["", "x", &line[..40], &line.replace("-end", "a-end"), &public(ALICE)] {
        let ran = flock.run_on(&format!("doc put rule/a {file} --operator-key - --json"), bad);
        assert_eq!(refused(&ran), is(2, "invalid_secret"), "{bad}");
        assert!(bad.len() < 30 || !ran.err.contains(&bad[18..28]), "{}", ran.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_key_is_an_identity_too_and_a_users_is_not_the_operators() {
    let flock = Flock::with_alice();
    let file = flock.file("f", "x");
    let (operator, alice) = (flock.path("operator.key"), flock.path("alice.key"));
    let ran = done(flock.run(&format!("doc put target/main {file} --identity {operator}")));
    assert!(ran.err.contains("keep the operator's key offline"), "{}", ran.err);
    let ran = flock.run(&format!("doc put target/main {file} --operator-key {alice} --json"));
    assert_eq!(refused(&ran), is(2, "invalid_secret"));
    for both in [format!("--identity {alice} --operator-key {operator}"), String::new()] {
        let ran = flock.run(format!("doc put target/main {file} {both} --json").trim_end());
        assert_eq!(ran.exit, 2, "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_written_is_refused_before_it_is_sent() {
    let flock = Flock::with_alice();
    let before = flock.list();
    let file = flock.file("f", "x");
    let large = flock.file("large", vec![0; 64 * 1024 + 1]);
    let open = flock.file("open.key", key_line("crux-user", ALICE));
    let other = flock.private("other.key", &key_line("crux-operator", 9));
    let alice = flock.path("alice.key");
    for (line, exit, kind) in [
        (format!("doc put target/edge {file} --identity {alice}"), 5, "not_granted"),
        (format!("doc put secret/edge/x {file} --identity {alice}"), 5, "not_granted"),
        (format!("doc put setting/log {file} --identity {alice}"), 5, "not_granted"),
        (format!("doc put later/x {file} --identity {alice}"), 5, "not_granted"),
        (
            format!("doc put target/main {file} --identity {}", flock.path("bob.key")),
            5,
            "not_granted",
        ),
        (format!("doc put target/main {file} --identity {other}"), 5, "not_granted"),
        (format!("doc put target/main {file} --operator-key {other}"), 5, "not_granted"),
        (format!("doc put target/main {large} --identity {alice}"), 5, "limit_reached"),
        (format!("doc put target/main {file}.none --identity {alice}"), 3, "not_found"),
        (format!("doc put target/main {file} --identity {alice}.none"), 3, "not_found"),
        (format!("doc put target/main {file} --identity {open}"), 5, "permission_denied"),
        (format!("doc put target {file} --identity {alice}"), 2, "invalid_name"),
        (format!("doc put target/../x {file} --identity {alice}"), 2, "invalid_name"),
        (
            format!("doc put target/raced {file} --operator-key {}", flock.path("operator.key")),
            5,
            "conflict",
        ),
        (
            format!("doc put grant/x {file} --operator-key {}", flock.path("operator.key")),
            2,
            "invalid_argument",
        ),
        ("doc show target/main".to_owned(), 3, "not_found"),
    ] {
        let ran = flock.run(&format!("{line} --json"));
        assert_eq!(refused(&ran), is(exit, kind), "{line} {}", ran.err);
    }
    assert_eq!(flock.list(), before);
    let ran = flock.bob(&format!("doc put target/main {file}"));
    assert!(ran.err.contains(&format!("--key {}", public(BOB))), "{}", ran.err);
    let ran = flock.alice(&format!("doc put target/edge {file}"));
    assert!(ran.err.contains("deploy:main"), "what is granted: {}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_operator_nobody_signs() {
    let flock = Flock::start();
    let view = View { operator: None, ..view() };
    flock.node.views.send_replace(Arc::new(view));
    let file = flock.file("f", "x");
    for ran in [
        flock.operator(&format!("doc put rule/a {file} --json")),
        flock.alice(&format!("doc put target/main {file} --json")),
        flock.operator("setting set forget_after 24h --json"),
        flock.operator(&format!("user add alice --key {} --role viewer --json", public(ALICE))),
        flock.operator("user rm alice --json"),
    ] {
        assert_eq!(refused(&ran), is(5, "no_operator"));
    }
    let ran = flock.operator(&format!("doc put rule/a {file}"));
    insta::assert_snapshot!("doc_no_operator", ran.shown());
    for line in ["doc ls", "user ls", "setting ls"] {
        assert_eq!(done(flock.run(&format!("{line} --json"))).out, "[]\n", "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_it_would_sign_and_signs_nothing() {
    let flock = Flock::with_alice();
    let before = flock.list();
    let file = flock.file("f", "0123456789");
    let ran = done(flock.alice(&format!("doc put target/main {file} --dry-run")));
    insta::assert_snapshot!("doc_dry_run", ran.shown());
    let ran = done(flock.alice(&format!("doc put target/main {file} --dry-run --json")));
    insta::assert_snapshot!("json_doc_dry_run", serde_json::to_string_pretty(&ran.json()).unwrap());
    // It refuses as the real one does.
    let ran = flock.alice(&format!("doc put target/edge {file} --dry-run --json"));
    assert_eq!(refused(&ran), is(5, "not_granted"));
    assert_eq!(flock.list(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_shown_and_the_next_write_ends_it() {
    let flock = Flock::with_alice();
    flock.add("bob", BOB, "--grant deploy:*");
    let target = key("target/main");
    flock.hold(ALICE, &target, (1, 1), Some(b"of alice"));
    flock.hold(BOB, &target, (1, 1), Some(b"of bob"));
    assert!(flock.list()[2].starts_with("target/main conflict 1 1"), "{:?}", flock.list());
    let json = done(flock.run("doc show target/main --json")).json();
    let mut contents = [&json["content"], &json["rival"]["content"]].map(|it| it.as_str().unwrap());
    contents.sort_unstable();
    assert_eq!(contents, ["of alice", "of bob"]);
    assert_eq!(json["rival"]["counts"], true);
    let text = done(flock.run("doc show target/main")).out;
    assert!(text.contains("In conflict with") && text.contains("--rival"), "{text}");
    let text = done(flock.run("doc show target/main --rival")).out;
    assert!(text.contains("of alice") && text.contains("of bob"), "{text}");
    let file = flock.file("f", "settled");
    done(flock.alice(&format!("doc put target/main {file}")));
    assert_eq!(flock.list()[2], "target/main current 2 1 alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_shown_in_words() {
    let flock = Flock::with_alice();
    let grant = Key::grant(&identity(ALICE).principal());
    let text = done(flock.run(&format!("doc show {grant}"))).out;
    assert!(text.contains("alice: read deploy:main secrets:main/; at most 64 documents"), "{text}");
    let json = done(flock.run(&format!("doc show {grant} --json"))).json();
    assert_eq!(json["signer"]["name"], "operator");
    assert_eq!(json["content"], serde_json::Value::Null);
    assert!(json["content_base64"].is_string());
}
