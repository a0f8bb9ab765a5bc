//! Orders to nodes: `drain`, `cordon`, `uncordon`.

use std::sync::Arc;

use crux_client::model::{Member, NodeUse};
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{NodeOrder, Usage};

use super::document::{ALICE, BOB, Flock, done, refused};
use super::*;
use crate::view::testing::principal;

fn is(exit: u8, kind: &str) -> (u8, String) {
    (exit, kind.to_owned())
}

/// Alice may give orders to nodes, and Bob may deploy.
fn flock() -> Flock {
    let flock = Flock::start();
    flock.add("alice", ALICE, "--grant nodes");
    flock.add("bob", BOB, "--role deployer:main");
    flock
}

impl Flock {
    /// The order to a node as every node has it.
    fn usage(&self, node: &str) -> Usage {
        self.node.views.borrow().documents.usage(&principal(node))
    }

    /// Shows a node in another use, as the flock does once it has the order.
    fn show(&self, node: &str, node_use: NodeUse, left: &[(&str, u32)]) {
        let view = self.node.views.borrow().clone();
        let mut members: Vec<Member> = view.members.clone();
        let shown = members.iter_mut().filter(|it| it.principal == principal(node));
        shown.for_each(|it| {
            it.node_use = node_use;
            it.left = left.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        });
        self.node.views.send_replace(Arc::new(View { members, ..(*view).clone() }));
    }
}

fn draining(deadline: Option<Duration>) -> Usage {
    Usage::Draining { deadline }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_drained_cordoned_and_opened() {
    let flock = flock();
    flock.show("n2", NodeUse::Draining, &[("web", 2)]);
    let ran = done(flock.alice("drain n2"));
    insta::assert_snapshot!("drain", ran.shown());
    assert_eq!(flock.usage("n2"), draining(None));
    assert_eq!(flock.usage("n1"), Usage::Open);
    // The same again writes nothing, another deadline does.
    let json = done(flock.alice("drain n2 --json")).json();
    assert_eq!((&json["changed"], &json["generation"]), (&false.into(), &().into()));
    done(flock.alice("drain n2 --deadline 5m"));
    assert_eq!(flock.usage("n2"), draining(Some(Duration::from_secs(300))));
    let json = done(flock.operator("cordon n2 --json")).json();
    insta::assert_snapshot!("json_cordon", serde_json::to_string_pretty(&json).unwrap());
    assert_eq!(flock.usage("n2"), Usage::Cordoned);
    insta::assert_snapshot!("uncordon", done(flock.alice("uncordon n2")).shown());
    assert_eq!(flock.usage("n2"), Usage::Open);
    let states: Vec<_> = flock.list().into_iter().filter(|it| it.starts_with("node/")).collect();
    assert_eq!(states, [format!("node/{} deleted 4 1 alice", principal("n2"))]);
    let ran = done(flock.alice("uncordon n2"));
    assert!(ran.out.starts_with("Unchanged: n2 "), "{ran:?}");
    // A node that is not here, by its principal.
    let other = "ab".repeat(32);
    let json = done(flock.alice(&format!("cordon {other} --json"))).json();
    assert_eq!((&json["node"], &json["principal"]), (&().into(), &other.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_is_followed_until_nothing_is_left() {
    let flock = flock();
    flock.show("n2", NodeUse::Draining, &[("web", 2), ("job", 1)]);
    let ran = flock.alice("drain n2 --wait=300ms");
    insta::assert_snapshot!("drain_wait_over", ran.shown());
    let ran = flock.alice("drain n2 --wait=300ms --json");
    assert_eq!(refused(&ran), is(6, "timed_out"));
    assert!(ran.err.contains("\"state_changed\":\"yes\""), "{ran:?}");

    let views = flock.node.views.clone();
    let waits = std::thread::spawn({
        let line = format!("drain n2 --wait --identity {}", flock.path("alice.key"));
        let path = flock.node.dir.path().display().to_string();
        let (out, err) = (Buffer::default(), Buffer::default());
        let ui = Ui::new(Box::new(out.clone()), Box::new(err.clone()), Env::of(&[]));
        let args: Vec<_> =
            format!("crux-node {line} --data-dir {path}").split(' ').map(OsString::from).collect();
        let told = err.clone();
        let ran = std::thread::spawn(move || (run_with(args, ui), out.text(), err.text()));
        move || {
            // The rest changes once it was told, and then it is nothing.
            while !told.text().contains("left: ") {
                std::thread::sleep(Duration::from_millis(5));
            }
            let view = views.borrow().clone();
            let mut members = view.members.clone();
            for member in members.iter_mut().filter(|it| it.principal == principal("n2")) {
                (member.node_use, member.left) = (NodeUse::Drained, Default::default());
            }
            views.send_replace(Arc::new(View { members, ..(*view).clone() }));
            ran.join().unwrap()
        }
    });
    let (exit, out, err) = tokio::task::block_in_place(|| waits.join().unwrap());
    assert_eq!((exit, err.lines().count()), (Exit::Done, 1), "{err}");
    assert!(out.starts_with("Unchanged: n2 (6e326e32) is drained already"), "{out}");
    // Somebody else opens it.
    flock.show("n2", NodeUse::Open, &[]);
    assert_eq!(refused(&flock.alice("drain n2 --wait --json")), is(5, "conflict"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_makes_no_sense_is_not_signed() {
    let flock = flock();
    let before = flock.list();
    for (line, exit, kind) in [
        ("drain n99", 3, "not_found"),
        ("cordon N", 2, "invalid_name"),
        ("uncordon n99", 3, "not_found"),
        ("drain n2 --deadline 8d", 2, "invalid_argument"),
        ("drain n2 --deadline 0s", 2, "invalid_argument"),
        ("drain n2 --deadline soon", 2, "invalid_argument"),
        ("drain n2 --wait=0", 2, "invalid_argument"),
        ("drain", 2, "invalid_argument"),
    ] {
        let ran = flock.alice(&format!("{line} --json"));
        assert_eq!(refused(&ran), is(exit, kind), "{line} {}", ran.err);
    }
    for line in ["drain n2", "cordon n2", "uncordon n2"] {
        let ran = flock.bob(&format!("{line} --json"));
        assert_eq!(refused(&ran), is(5, "not_granted"), "{line}");
        assert_eq!(flock.run(line).exit, 2, "{line} without a key");
    }
    let ran = done(flock.alice("drain n2 --deadline 90s --dry-run"));
    assert!(ran.out.contains(": draining, for at most 90s, generation 1"), "{ran:?}");
    assert_eq!(flock.list(), before);
}

/// A document that a newer version wrote is left alone, and what is none is replaced.
#[tokio::test(flavor = "multi_thread")]
async fn the_order_that_there_is_counts() {
    let flock = flock();
    let key = NodeOrder::key(&principal("n2"));
    flock.hold(ALICE, &key, (1, 1), Some(&[2, 1, 0, 0, 0, 0]));
    let ran = flock.alice("cordon n2 --json");
    assert_eq!(refused(&ran), is(1, "unsupported"), "{ran:?}");
    let cordoned = NodeOrder { usage: Usage::Cordoned, ..NodeOrder::default() }.to_canonical();
    flock.hold(ALICE, &key, (1, 2), Some(&cordoned));
    let json = done(flock.alice("cordon n2 --json")).json();
    assert_eq!(json["changed"], false);
    flock.hold(ALICE, &key, (1, 3), Some(b"cordoned"));
    let json = done(flock.alice("cordon n2 --json")).json();
    assert_eq!((&json["changed"], &json["generation"]), (&true.into(), &4.into()));
}
