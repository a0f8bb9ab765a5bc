//! `bench join`: a fresh node joins a flock with a large registry, without and with documents.
//!
//! A flock is formed and stopped; then every disk gets what it would have if the flock had been large: members that the
//! first node admitted, with their registrations. They do not run, so to the nodes they are dead: it is the replica that is
//! large. A newcomer with an empty disk is started, and the clock runs from then until it and the first node show the
//! same digest, which covers members, registrations and documents. It leaves, and the next one comes.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crux_client::op::{PUT_DOCUMENTS_MAX, PutDocuments};
use crux_crdt::Digest;
use crux_crdt::fact::Fact;
use crux_crdt::record::{Frontier, Profile};
use crux_crdt::sign::{Identity, Terms};
use crux_crdt::strew::Strew;
use crux_node::identity;
use crux_node::store::{Batch, Store};
use crux_sim::bench::mint;

use super::operator::Operator;
use super::rig::{self, FORM_WITHIN, broken};
use super::{Bench, Cost, Latency, Meter, Report, Samples};
use crate::Error;
use crate::process::{Cluster, STOP_WITHIN};
use crate::wait::{self, Seen};

/// How many services a member registers.
const SERVICES: usize = 250;
/// How large each document is: a target of a few services.
const DOCUMENT_BYTES: usize = 1024;
/// How often newcomer and first node are asked.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long a join may take before the bench gives up.
const JOIN_WITHIN: Duration = Duration::from_secs(120);
/// Where members are said to be that do not run: nobody answers there.
const NOWHERE: &str = "127.0.0.1:9";

const BARE: [&str; 2] = ["start → holds all", "start → answers"];
const WITH_DOCUMENTS: [&str; 2] =
    ["start → holds all, with documents", "start → answers, with documents"];

/// The settings of the bench.
#[derive(Debug, Clone)]
pub struct Joining {
    /// Those of every bench.
    pub bench: Bench,
    /// How often a node joins.
    pub rounds: usize,
    /// How many registrations there are, rounded up to what whole members have.
    pub registrations: usize,
    /// How many documents there are in the second half.
    pub documents: u32,
}

/// Measures how long a fresh node takes until it holds everything.
///
/// # Errors
///
/// Those of running a flock, [`Error::TimedOut`], or [`Error::Broken`] when a node lacks a registration.
pub async fn join(joining: &Joining) -> Result<Report, Error> {
    let Joining { bench, rounds, registrations, documents } = joining;
    let (mut report, members) =
        (Report::new("join", bench.nodes), registrations.div_ceil(SERVICES));
    let (mut cluster, operator, flock) = large(bench, members).await?;
    newcomers(&mut cluster, *rounds, members, BARE, &mut report).await?;
    if *documents > 0 {
        put(&mut cluster, &operator, flock, *documents).await?;
        newcomers(&mut cluster, *rounds, members, WITH_DOCUMENTS, &mut report).await?;
    }
    cluster.stop_all().await?;
    report.notes.push(format!(
        "{} registrations of {members} members that do not run; {documents} documents of \
         {DOCUMENT_BYTES} bytes and of one user; each join is a batch",
        members * SERVICES
    ));
    Ok(report)
}

/// A flock that holds what so many members registered.
async fn large(bench: &Bench, members: usize) -> Result<(Cluster, Operator, Digest), Error> {
    let (mut cluster, operator) = rig::operated(bench).await?;
    let flock = cluster.client(0).status().await?.flock_id;
    cluster.stop_all().await?;
    enlarge(&cluster, operator.terms(flock), members)?;
    cluster.start_all()?;
    cluster.until_still(FORM_WITHIN).await?;
    Ok((cluster, operator, flock))
}

/// Writes what so many members registered onto every disk.
fn enlarge(cluster: &Cluster, terms: Terms<'static>, members: usize) -> Result<(), Error> {
    let first = &cluster.nodes()[0].spec().data_dir;
    let key = identity::load_or_make(first).map_err(broken)?;
    let by = Identity::from_seed(&key.seed);
    let after = signed_so_far(&cluster.nodes()[0].spec().database(), terms, &by)?;
    let facts = registered(&terms.flock, &by, after, members)?;
    let batch = Batch { facts, ..Batch::default() };
    let bar = rig::progress("disks", cluster.nodes().len());
    for node in cluster.nodes() {
        let (mut store, _) = Store::open(&node.spec().database(), terms).map_err(broken)?;
        store.commit(&batch).map_err(broken)?;
        store.close().map_err(broken)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Up to where a node that is stopped has signed acts.
fn signed_so_far(database: &Path, terms: Terms<'static>, of: &Identity) -> Result<Frontier, Error> {
    let (store, snapshot) = Store::open(database, terms).map_err(broken)?;
    store.close().map_err(broken)?;
    let strew = Strew::restore(of.principal(), terms.operator, snapshot.facts);
    Ok(strew.frontier(&of.principal()))
}

/// Members that one admitted, each with its registrations.
fn registered(
    flock: &Digest,
    by: &Identity,
    after: Frontier,
    members: usize,
) -> Result<Vec<Fact>, Error> {
    let all: Vec<_> = (0..members).map(|_| Identity::from_seed(&rand::random())).collect();
    let made = mint::admissions(flock, by, after, all.iter());
    let mut facts: Vec<_> = made.acts.into_iter().map(Fact::from).collect();
    for (at, (member, acts)) in all.iter().zip(made.ends).enumerate() {
        let profile = Profile {
            name: Some(format!("m{at}").parse().map_err(broken)?),
            addresses: vec![NOWHERE.parse().map_err(broken)?],
            ..Profile::default()
        };
        let record = mint::record(flock, member, profile, acts, SERVICES);
        facts.push(Arc::new(record).into());
    }
    Ok(facts)
}

/// Has the first node write so many documents of a user, and waits until all have them.
async fn put(
    cluster: &mut Cluster,
    operator: &Operator,
    flock: Digest,
    count: u32,
) -> Result<(), Error> {
    let signers = operator.signers(flock, count);
    let documents = signers.first(usize::try_from(count).map_err(broken)?, DOCUMENT_BYTES);
    let all: Vec<_> = [signers.grant().clone()].into_iter().chain(documents).collect();
    for some in all.chunks(PUT_DOCUMENTS_MAX) {
        let documents = some.iter().map(|document| document.sealed()).collect();
        let put = PutDocuments { documents, sync: 0, sync_within: None };
        cluster.client(0).call(&put).await?;
    }
    cluster.until_still(FORM_WITHIN).await.map(drop)
}

/// Nodes that join one after the other, each for the first time.
async fn newcomers(
    cluster: &mut Cluster,
    rounds: usize,
    members: usize,
    names: [&'static str; 2],
    report: &mut Report,
) -> Result<(), Error> {
    let (mut holds, mut answers, mut cost) = (Samples::new(rounds), Samples::new(rounds), NOTHING);
    let bar = rig::progress("crux join", rounds);
    for batch in 0..rounds {
        let joined = newcomer(cluster, members).await?;
        holds.record(batch, joined.holds);
        answers.record(batch, joined.answers);
        cost.cpu_ms += joined.cost.cpu_ms / rounds as f64;
        cost.loopback_bytes += joined.cost.loopback_bytes / rounds as f64;
        bar.inc(1);
    }
    bar.finish_and_clear();
    for (what, samples, cost_per_round) in
        [(names[0], holds, Some(cost)), (names[1], answers, None)]
    {
        if let Some(figure) = samples.figure() {
            report.latencies.push(Latency { system: "crux", what, figure, cost_per_round });
        }
    }
    Ok(())
}

const NOTHING: Cost = Cost { cpu_ms: 0.0, loopback_bytes: 0.0 };

/// How long a newcomer took.
struct Joined {
    answers: Duration,
    holds: Duration,
    cost: Cost,
}

/// A fresh node joins, and leaves again.
async fn newcomer(cluster: &mut Cluster, members: usize) -> Result<Joined, Error> {
    let meter = Meter::start(rig::pids(cluster));
    let node = cluster.add()?;
    let since = Instant::now();
    node.start()?;
    let at = cluster.nodes().len() - 1;
    let (answers, holds) = until_joined(cluster, at, since).await?;
    let mut cost = meter.per_round(1);
    let own = cluster.nodes()[at].cpu_time().unwrap_or_default();
    cost.cpu_ms += own.as_secs_f64() * 1000.0;

    let found = cluster.client(at).services("*/*/*/svc0/*", true).await?.len();
    if found != members {
        return Err(Error::Broken(format!("a newcomer shows {found} of {members} registrations")));
    }
    cluster.client(at).leave().await?;
    cluster.node(at).until_ended(STOP_WITHIN).await?;
    cluster.until_still(FORM_WITHIN).await?;
    Ok(Joined { answers, holds, cost })
}

/// When the newcomer answered first, and when it held what the first node holds.
async fn until_joined(
    cluster: &Cluster,
    at: usize,
    since: Instant,
) -> Result<(Duration, Duration), Error> {
    let (newcomer, first) = (cluster.client(at), cluster.client(0));
    let mut answered = None;
    wait::until_every(LOOK_EVERY, "the newcomer holds all", JOIN_WITHIN, async || {
        // It has no socket at first.
        let Ok(theirs) = newcomer.status().await else {
            return Ok(Seen::NotYet("it does not answer".to_owned()));
        };
        let took = *answered.get_or_insert_with(|| since.elapsed());
        let held = first.status().await?.state_digest;
        let holds = held == theirs.state_digest;
        Ok(Seen::when(holds, (took, since.elapsed()), |_| "it lacks something".to_owned()))
    })
    .await
}
