//! Gossip under load.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crux_crdt::Principal;
use crux_protocol::link::{Command, Event, Topic, Verdict};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

use super::gossip::{connect_all, warm_up};
use super::harness::{DEADLINE, Node};
use super::told;

const TOPIC: Topic = Topic::Fact;

/// Messages a second.
const RATE: u32 = 300;

/// Twice as many as a mesh has at most: half of the links or more carry announcements only.
const NODES: u8 = 16;

/// The ids of so many seconds are announced at least, and so many of them in one message: see
/// `net::gossip`.
const ANNOUNCED: (Duration, usize) = (Duration::from_secs(5), 600);

/// The same where libp2p is left at its defaults: 16 KiB hold 221 of its ids.
const BY_DEFAULT: (Duration, usize) = (Duration::from_secs(2), 221);

/// Of so many one may be lost: gossip that waits a second to be passed on is dropped, and a machine
/// that is busy with other things has such seconds. Anti-entropy brings it, which is not here.
const OF_WHICH_ONE_IS_LOST: u32 = 1000;

/// Probes up to this one may be older than the last announcement of the load, and prove nothing.
const PROBES_VOID: u32 = 35;

/// What the nodes have received, and whether they pass it on.
struct Progress {
    /// How many different messages of the load each node has.
    load: Vec<AtomicU32>,
    /// Whether nodes keep to themselves what they receive.
    quiet: AtomicBool,
    /// Receivers that had a probe from its author itself: `(author, receiver)`.
    probed: Mutex<BTreeSet<(Principal, Principal)>>,
}

impl Progress {
    fn new(nodes: usize) -> Arc<Self> {
        let load = (0..nodes).map(|_| AtomicU32::new(0)).collect();
        Arc::new(Self { load, quiet: AtomicBool::new(false), probed: Mutex::default() })
    }

    /// What everybody but the source has.
    fn least(&self) -> u32 {
        let counts = self.load[1..].iter().map(|count| count.load(Ordering::Relaxed));
        counts.min().unwrap_or(0)
    }

    /// Receives for one node, for ever.
    async fn receive(&self, n: usize, node: &mut Node) {
        let mut seen = BTreeSet::new();
        while let Some(event) = node.net.events.recv().await {
            let Event::Gossip { id, from, data, .. } = event else { continue };
            let quiet = self.quiet.load(Ordering::Relaxed);
            let verdict = if quiet { Verdict::Ignore } else { Verdict::Accept };
            node.tell(Command::Judge { id, verdict }).await;
            if data.starts_with(b"load") && seen.insert(data.clone()) {
                self.load[n].fetch_add(1, Ordering::Relaxed);
            }
            if counts_as_probe(from, &data) {
                self.probed.lock().expect("nobody panics with it").insert((from, node.me));
            }
        }
    }

    /// The links over which no probe came.
    fn dead(&self, nodes: &[Source]) -> Vec<(Principal, Principal)> {
        let probed = self.probed.lock().expect("nobody panics with it");
        let all = nodes.iter().flat_map(|by| nodes.iter().map(|to| (by.me, to.me)));
        all.filter(|link| link.0 != link.1 && !probed.contains(link)).collect()
    }
}

fn probe(by: Principal, number: u32) -> Vec<u8> {
    [b"probe", &by.0[..], &number.to_be_bytes()].concat()
}

/// Whether it is a probe of the one whom it came from, and none too many.
fn counts_as_probe(from: Principal, data: &[u8]) -> bool {
    let number = data.last_chunk().map(|number| u32::from_be_bytes(*number));
    number.is_some_and(|number| number > PROBES_VOID && data == probe(from, number))
}

/// Where to tell a node, that receives elsewhere, what to publish.
struct Source {
    me: Principal,
    commands: Sender<Command>,
}

impl Source {
    async fn publish(&self, data: Vec<u8>) {
        let published = self.commands.send(Command::Publish { topic: TOPIC, data });
        let taken = timeout(DEADLINE, published).await.expect("commands are taken");
        taken.expect("the task runs");
    }
}

/// How the load went.
struct Pace {
    /// When each message was published.
    at: Vec<Instant>,
    /// How many of them one node does not have, at most.
    lost: u32,
}

impl Pace {
    /// How many there were in a stretch of this length, at least in half of all.
    fn within(&self, stretch: Duration) -> usize {
        let until = |time: Instant| self.at.partition_point(|at| *at <= time);
        let last = self.at.last().copied();
        let whole =
            self.at.iter().take_while(|from| last.is_some_and(|last| **from + stretch <= last));
        let mut counts: Vec<_> = whole.map(|from| until(*from + stretch) - until(*from)).collect();
        counts.sort_unstable();
        counts.get(counts.len() / 2).copied().unwrap_or(0)
    }

    fn a_second(&self) -> f64 {
        let lasted = self.at[self.at.len() - 1].duration_since(self.at[0]);
        (self.at.len() - 1) as f64 / lasted.as_secs_f64()
    }

    /// The trap cannot be sprung where fewer ids are to be announced than one message holds.
    fn check(&self) {
        for (stretch, ids) in [ANNOUNCED, BY_DEFAULT] {
            assert!(self.within(stretch) > ids, "too busy a machine, for {stretch:?}: {self}");
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} messages a second", self.a_second())?;
        for (stretch, _) in [ANNOUNCED, BY_DEFAULT] {
            write!(f, ", {} in {stretch:?}", self.within(stretch))?;
        }
        write!(f, ", {} lost", self.lost)
    }
}

/// Trap P1: with more nodes than a mesh holds, ids are announced to those outside of it, and too
/// many ids in one message end the link, silently and for good.
///
/// So after the load every link has to work, either way: nobody passes anything on, and who is not
/// in the author's mesh hears of a message by such an announcement alone.
async fn load_reaches_all_and_spoils_no_link(total: u32) -> Pace {
    told::listen();
    let mut nodes = Node::flock(NODES).await;
    connect_all(&mut nodes).await;
    warm_up(&mut nodes).await;
    let commands = |node: &Node| Source { me: node.me, commands: node.net.commands.clone() };
    let sources: Vec<Source> = nodes.iter().map(commands).collect();
    let progress = Progress::new(nodes.len());
    let mut receivers = JoinSet::new();
    for (n, mut node) in nodes.into_iter().enumerate() {
        let progress = Arc::clone(&progress);
        receivers.spawn(async move { progress.receive(n, &mut node).await });
    }
    // Several times what it takes: a machine that is too slow fails by its pace.
    let long = 3 * DEADLINE + 3 * Duration::from_secs(1) * total / RATE;
    let pace = timeout(long, publish_load(&sources[0], &progress, total)).await;
    let pace = pace.unwrap_or_else(|_| panic!("of {total} arrived {:?}", progress.load));
    pace.check();
    progress.quiet.store(true, Ordering::Relaxed);
    let probed = timeout(3 * DEADLINE, publish_probes(&sources, &progress)).await;
    assert!(probed.is_ok(), "links that are dead: {:?}", progress.dead(&sources));
    assert_eq!(told::lines(&["substream", "exceeded"]), [""; 0], "streams were given up");
    pace
}

/// Publishes at the rate, but never more than a second's worth ahead of the slowest: what does not
/// get through is lost. Returns when everybody has it, but for what may be lost.
async fn publish_load(source: &Source, progress: &Progress, total: u32) -> Pace {
    let mut at = Vec::new();
    // What was missed is caught up with, or the timer's milliseconds would slow it down.
    let mut tick = interval(Duration::from_secs(1) / RATE);
    let mut retry = interval(Duration::from_millis(1));
    for number in 0..total {
        tick.tick().await;
        while number - progress.least().min(number) > RATE {
            retry.tick().await;
        }
        at.push(Instant::now());
        source.publish([b"load", &number.to_be_bytes()[..]].concat()).await;
    }
    while progress.least() < total - total / OF_WHICH_ONE_IS_LOST {
        retry.tick().await;
    }
    Pace { at, lost: total - progress.least() }
}

/// Everybody publishes a little until everybody else has some of it.
async fn publish_probes(nodes: &[Source], progress: &Progress) {
    let mut tick = interval(Duration::from_millis(200));
    for number in 0_u32.. {
        tick.tick().await;
        for node in nodes {
            node.publish(probe(node.me, number)).await;
        }
        if progress.dead(nodes).is_empty() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_seconds() {
    let pace = load_reaches_all_and_spoils_no_link(10 * RATE).await;
    println!("{pace}");
}

/// `cargo test --workspace --test net load::a_minute -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute, and a machine with nothing else to do"]
async fn a_minute() {
    let pace = load_reaches_all_and_spoils_no_link(60 * RATE).await;
    println!("{pace}");
    let rate = pace.a_second();
    assert!(rate > 0.95 * f64::from(RATE), "too slow a machine: {rate:.0} messages a second");
}
