//! Gossip under load.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crux_protocol::link::{Command, Topic, Verdict};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::gossip::{connect_all, receive, warm_up};
use super::harness::{DEADLINE, Node};

/// Messages a second.
const RATE: u32 = 300;

/// What the nodes of the load test have received, and whether they pass it on.
#[derive(Default)]
struct Progress {
    /// How many different messages of the load each node has.
    load: Vec<AtomicU32>,
    /// How many probes.
    probes: Vec<AtomicU32>,
    /// Whether nodes keep to themselves what they receive.
    quiet: AtomicBool,
}

impl Progress {
    fn new(nodes: usize) -> Arc<Self> {
        let counts = || (0..nodes).map(|_| AtomicU32::new(0)).collect();
        Arc::new(Self { load: counts(), probes: counts(), quiet: AtomicBool::new(false) })
    }

    fn least(counts: &[AtomicU32]) -> u32 {
        let counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
        counts.min().unwrap_or(0)
    }

    /// Receives for one node, for ever.
    async fn receive(&self, n: usize, node: &mut Node) {
        let mut seen = BTreeSet::new();
        loop {
            let quiet = self.quiet.load(Ordering::Relaxed);
            let verdict = if quiet { Verdict::Ignore } else { Verdict::Accept };
            let (_, data) = receive(node, verdict).await;
            if data.starts_with(b"probe") {
                self.probes[n].fetch_add(1, Ordering::Relaxed);
            } else if data.starts_with(b"load") && seen.insert(data) {
                self.load[n].fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Trap P1: with more nodes than a mesh holds, ids are announced to those outside of it, and too
/// many ids in one message end the link, silently and for good.
///
/// So after the load every single link of the source has to work: nobody passes anything on, and
/// who is not in the source's mesh hears of a message by such an announcement alone.
async fn three_hundred_a_second_reach_all_of_sixteen_and_spoil_no_link(total: u32) {
    let mut nodes = Node::flock(16).await;
    connect_all(&mut nodes).await;
    warm_up(&mut nodes).await;
    let source = nodes.remove(0);
    let progress = Progress::new(nodes.len());
    let mut relays = JoinSet::new();
    for (n, mut node) in nodes.into_iter().enumerate() {
        let progress = Arc::clone(&progress);
        relays.spawn(async move { progress.receive(n, &mut node).await });
    }
    // Several times what it takes, for the machine may be busy.
    let long = 3 * DEADLINE + 10 * Duration::from_secs(1) * total / RATE;
    let arrived = timeout(long, publish_load(&source, &progress, total)).await;
    assert!(arrived.is_ok(), "of {total} arrived {:?}", progress.load);
    progress.quiet.store(true, Ordering::Relaxed);
    let arrived = timeout(DEADLINE, publish_probes(&source, &progress)).await;
    assert!(arrived.is_ok(), "of the probes arrived {:?}", progress.probes);
}

/// Publishes at the rate, but never more than a second's worth ahead of the slowest: that would
/// only measure how busy the machine is. Returns when everybody has everything.
async fn publish_load(source: &Node, progress: &Progress, total: u32) {
    let topic = Topic::Registry;
    let mut tick = interval(Duration::from_secs(1) / RATE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0..total {
        tick.tick().await;
        while number - Progress::least(&progress.load).min(number) > RATE {
            tick.tick().await;
        }
        let data = [b"load", &number.to_be_bytes()[..]].concat();
        source.tell(Command::Publish { topic, data }).await;
    }
    while Progress::least(&progress.load) < total {
        tick.tick().await;
    }
}

/// Publishes a little until everybody has some of it, and at least for as long as the load is
/// announced.
async fn publish_probes(source: &Node, progress: &Progress) {
    let topic = Topic::Registry;
    let mut tick = interval(Duration::from_millis(100));
    for number in 0_u32.. {
        tick.tick().await;
        let data = [b"probe", &number.to_be_bytes()[..]].concat();
        source.tell(Command::Publish { topic, data }).await;
        if number == 30 {
            // Those that came before the links were spoilt prove nothing.
            for count in &progress.probes {
                count.store(0, Ordering::Relaxed);
            }
        }
        if number > 30 && Progress::least(&progress.probes) > 0 {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_seconds() {
    three_hundred_a_second_reach_all_of_sixteen_and_spoil_no_link(10 * RATE).await;
}

/// `cargo test -p crux-protocol --test net load::a_minute -- --ignored`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute"]
async fn a_minute() {
    three_hundred_a_second_reach_all_of_sixteen_and_spoil_no_link(60 * RATE).await;
}
