//! A run: the flock forms, faults come and go while clients work, all is healed, and the end is
//! written down.

use std::path::PathBuf;
use std::time::Duration;

use crux_client::model::Status;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::check::{Finale, blobs};
use super::history::{History, Put};
use super::mover::{Mover, get, lacking};
use super::observer::observe;
use super::rig::Rig;
use super::workload::{Client, keys};
use super::{Fault, Plan};
use crate::Error;
use crate::process::{FlockStatus, Home, NodeClient};
use crate::proxy::Stats;
use crate::wait::{self, Seen};

/// How long the flock may take to form, and to become one again after everything was healed. The
/// goals are 5 s and 30 s; a loaded machine gets more.
pub const SETTLE_WITHIN: Duration = Duration::from_secs(90);
/// The time between the two looks at the end.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// How many blobs other nodes have to get at the end.
const GOT_AT_THE_END: usize = 5;
/// How often the faults look whether a process has crashed.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// This program: nodes are started by running it.
    pub exe: PathBuf,
    /// How many nodes.
    pub nodes: usize,
    /// How many clients.
    pub clients: usize,
    /// The longest pause of a client between two calls.
    pub pause_max: Duration,
    /// The seed of the clients.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Ran {
    /// Everything that was recorded.
    pub history: History,
    /// What the nodes showed at the end, or why there was no end.
    pub finale: Result<Finale, String>,
    /// When all faults had been healed.
    pub healed: Duration,
    /// How long it then took until all were one flock.
    pub settled: Option<Duration>,
    /// How long the whole run took.
    pub took: Duration,
    /// What passed between nodes.
    pub stats: Stats,
    /// What a scenario expected and did not come true.
    pub unmet: Vec<String>,
    /// The directory with the logs.
    pub home: Home,
}

/// Runs a plan on a new flock in `home`. `told` is told what happens, when it happens.
///
/// # Errors
///
/// What the testnet itself could not do. What nodes do wrong is in the result.
pub async fn run(
    options: &Options,
    home: Home,
    plan: &Plan,
    mut told: impl FnMut(Duration, &str),
) -> Result<Ran, Error> {
    let mut rig = Rig::new(options.exe.clone(), home, options.nodes).await?;
    let recorder = rig.recorder();
    (0..options.nodes).try_for_each(|host| rig.start(host))?;
    rig.cluster().until("the flock forms", SETTLE_WITHIN, FlockStatus::is_agreed).await?;
    told(recorder.now(), "one flock");
    let observers = observers(&rig);
    let (stop, stopped) = watch::channel(false);
    let mut clients = JoinSet::new();
    for number in 0..options.clients {
        let (nodes, recorder) = (rig.clients(), recorder.clone());
        let client = Client::new(number, options.seed, nodes, recorder, options.pause_max);
        clients.spawn(client.run(stopped.clone()));
    }
    clients.spawn(Mover::new(rig.specs(), recorder.clone(), options.seed).run(stopped));
    torment(&mut rig, plan, &mut told).await?;
    rig.end_those(|_| true)?;
    // One that crashed does not come back by itself.
    (0..options.nodes).try_for_each(|host| rig.start(host))?;
    told(recorder.now(), "all healed");
    // Each ends the call it is in, so that its outcome is known.
    stop.send_replace(true);
    while clients.join_next().await.is_some() {}
    finish(rig, observers).await
}

pub(super) fn observers(rig: &Rig) -> JoinSet<()> {
    let mut observers = JoinSet::new();
    for (host, node) in rig.clients().into_iter().enumerate() {
        observers.spawn(observe(host, node, rig.recorder()));
    }
    observers
}

/// Lets faults come and go as planned.
async fn torment(
    rig: &mut Rig,
    plan: &Plan,
    told: &mut impl FnMut(Duration, &str),
) -> Result<(), Error> {
    let mut due: Vec<(Duration, bool, &Fault)> = Vec::new();
    for planned in &plan.faults {
        due.push((planned.from, true, &planned.fault));
        due.push((planned.to, false, &planned.fault));
    }
    due.sort_by_key(|(at, begins, _)| (*at, !*begins));
    let began = Instant::now();
    for (at, begins, fault) in due {
        while Instant::now() < began + at {
            sleep_until((began + at).min(Instant::now() + WATCH_EVERY)).await;
            rig.note_crashes()?;
        }
        if begins {
            told(rig.recorder().now(), &fault.to_string());
            rig.begin(fault)?;
        } else {
            rig.end(fault)?;
        }
    }
    Ok(())
}

/// Waits for the end, and writes it down.
pub(super) async fn finish(mut rig: Rig, observers: JoinSet<()>) -> Result<Ran, Error> {
    let recorder = rig.recorder();
    let healed = recorder.now();
    let ended = settle(&mut rig).await;
    let settled = ended.is_ok().then(|| recorder.now().saturating_sub(healed));
    let finale = match ended {
        Ok(digests) => Ok(finale(&mut rig, digests).await),
        Err(why) => Err(why.to_string()),
    };
    let (stats, took) = (rig.stats(), recorder.now());
    drop(observers);
    rig.note_crashes()?;
    // A process that does not stop in order is killed, which does not matter here.
    rig.cluster().stop_all().await.ok();
    let home = rig.into_home();
    let history = recorder.take();
    Ok(Ran { history, finale, healed, settled, took, stats, unmet: Vec::new(), home })
}

/// Waits until all are one flock that is in the same state a while later, and store what their leader
/// tells them. A node that was partitioned is alive again before it is connected with everybody.
async fn settle(rig: &mut Rig) -> Result<[Vec<Option<String>>; 2], Error> {
    rig.note_crashes()?;
    let nodes = clients_up(rig);
    let digests = |seen: &FlockStatus| -> Vec<Option<String>> {
        let said = seen.0.iter().map(|node| node.said.as_ref().ok());
        said.map(|said| Some(said?.state_digest.to_string())).collect()
    };
    wait::until("all are one flock, twice", SETTLE_WITHIN, async || {
        let first = rig.cluster().statuses().await?;
        if !first.is_agreed() {
            return Ok(Seen::NotYet(first.to_string()));
        }
        let Some(node) = nodes.first() else { return Ok(Seen::NotYet("nobody runs".to_owned())) };
        let ping = node.leader_ping().await;
        if !ping.as_ref().is_ok_and(|ping| ping.failed.is_empty()) {
            return Ok(Seen::NotYet(format!("the leader's ping: {ping:?}\n{first}")));
        }
        sleep(BETWEEN_LOOKS).await;
        let second = rig.cluster().statuses().await?;
        let same = second.is_agreed() && second.digest() == first.digest();
        let looks = [digests(&first), digests(&second)];
        Ok(Seen::when(same, looks, |_| second.to_string()))
    })
    .await
}

/// Asks everybody for everything.
async fn finale(rig: &mut Rig, digests: [Vec<Option<String>>; 2]) -> Finale {
    let seen = rig.cluster().ask_all().await;
    let said = || seen.0.iter().map(|node| node.said.as_ref().ok());
    let leader = |said: Option<&Status>| {
        said?.leader.as_ref().map(|leader| format!("{} at {}", leader.node, leader.term))
    };
    let nodes = clients_up(rig);
    let reader = Client::new(usize::MAX, 0, nodes.clone(), rig.recorder(), Duration::ZERO);
    let mut shown = Vec::new();
    for node in &nodes {
        let found = node.services("", true).await.ok();
        shown.push(found.map(|found| reader.shown(&found).into_iter().collect()));
    }
    let (blobs_lacking, blobs_unreached) = look_for_blobs(rig).await;
    Finale {
        blobs_lacking,
        blobs_unreached,
        hosts: (0..rig.clients().len()).filter(|host| rig.is_up(*host)).collect(),
        shown,
        digests,
        leaders: said().map(leader).collect(),
        principals: said().map(|said| Some(said?.principal.to_string())).collect(),
        accepted: nodes[0].leader_ping().await.map(|ping| keys(&ping.accepted)).unwrap_or_default(),
    }
}

/// Which acknowledged blobs are not where they were put; and what nodes say that cannot get one of the
/// last few, which other nodes hold.
async fn look_for_blobs(rig: &Rig) -> (Vec<(usize, String)>, Vec<String>) {
    let (specs, history) = (rig.specs(), rig.recorder().history().clone());
    let stand = |put: &&Put| rig.is_up(put.host) && !blobs::is_gone(&history, put);
    let puts: Vec<_> = history.puts.iter().filter(stand).collect();
    let mut lost = Vec::new();
    for (host, spec) in specs.iter().enumerate() {
        let of_it = puts.iter().filter(|put| put.host == host);
        let wanted: Vec<_> = of_it.map(|put| put.blob.clone()).collect();
        lost.extend(lacking(spec, &wanted).await.into_iter().map(|blob| (host, blob)));
    }
    let mut unreached = Vec::new();
    for put in puts.iter().rev().take(GOT_AT_THE_END) {
        let other = (put.host + 1) % specs.len();
        let Ok(blob) = put.blob.parse() else { continue };
        if rig.is_up(other)
            && let Err(error) = get(&specs[other], blob).await
        {
            unreached.push(error.to_string());
        }
    }
    (lost, unreached)
}

/// Clients of those that run, in the order of their numbers.
fn clients_up(rig: &Rig) -> Vec<NodeClient> {
    let up = rig.clients().into_iter().enumerate().filter(|(host, _)| rig.is_up(*host));
    up.map(|(_, node)| node).collect()
}
