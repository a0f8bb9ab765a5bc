//! Only the supervisor may start tasks and threads of a node.

use std::collections::BTreeSet;

use crate::source::{has_segments, paths, product, sources};

/// How a task or a thread is started that nobody waits for.
const SPAWNS: &[&str] = &["tokio::spawn", "task::spawn", "thread::spawn", "thread::Builder::new"];

/// Where a node's tasks and threads start, and why anywhere else.
const SPAWNERS: &[(&str, &str)] = &[
    ("node/src/parts/supervisor.rs", "starts and watches all parts of a node"),
    ("protocol/src/net/mod.rs", "hands its task to its caller, which is a part of the node"),
    ("node/src/outfile/signals.rs", "removes what commands left unfinished: there is no node"),
];

#[test]
fn parts_of_a_node_start_supervised() {
    let mut seen = BTreeSet::new();
    for line in product(sources(["crdt/src", "client/src", "protocol/src", "node/src"])) {
        let spawns =
            SPAWNS.iter().find(|word| paths(&line.code).any(|path| has_segments(path, word)));
        let Some(word) = spawns else { continue };
        let allowed = SPAWNERS.iter().find(|(file, _)| *file == line.file);
        assert!(allowed.is_some(), "{}: {word} outside node::parts::Supervisor", line.at());
        seen.insert(line.file);
    }
    let listed: BTreeSet<_> = SPAWNERS.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(seen, listed, "an exception that nobody needs");
}
