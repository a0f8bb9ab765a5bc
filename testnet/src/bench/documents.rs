//! `bench documents`: a document put on one node, until every node shows it; beside a registration.
//!
//! Rounds of either kind take turns, ten at a time, on the same flock. Each round goes to the next node. A round writes the
//! next generation of the one document of a user, or registers a service of a new name and removes it again, so that
//! the state stays the same size. The clock starts before the document is signed, or before the request is sent, so
//! the durable write on the first node is part of both. Nothing streams documents, so both are found by looking at
//! all nodes; registrations also by watch streams, which shows what looking adds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crux_client::op::PutDocuments;
use crux_crdt::document::Document;
use crux_sim::bench::Signers;
use tokio::time::sleep;

use super::looks::{self, Wanted};
use super::rig::{self, SEEN_WITHIN};
use super::sightings::{Change, Sightings};
use super::{Bench, Cost, Latency, Meter, Report, Samples, Value};
use crate::Error;
use crate::process::{Cluster, NodeClient, Registration};

/// Batches a run is cut into.
const BATCHES: usize = 5;
/// Rounds of each kind when nothing was said.
const ROUNDS: u32 = 250;
/// Rounds of one kind before it is the other kind's turn.
const TURN: usize = 10;
/// How large the document is: a target of a few services.
const DOCUMENT_BYTES: usize = 1024;
/// How many documents the user may have.
const DOCUMENTS: u32 = 1;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Document,
    Registration,
}

/// The latencies of one round.
struct Round {
    durable: Duration,
    /// Of each node, by looks.
    shown: Vec<Duration>,
    /// Of each node, by streams, where there is one.
    streamed: Vec<Duration>,
}

/// The latencies and costs of all rounds of a kind.
struct Timings {
    each: Samples,
    last: Samples,
    durable: Samples,
    streamed: Samples,
    costs: Vec<Cost>,
}

/// The nodes, their streams, and the document as it was written last.
struct Flock {
    cluster: Cluster,
    sightings: Sightings,
    signers: Signers,
    generation: u64,
}

/// Measures how fast a document is shown everywhere.
///
/// # Errors
///
/// Those of running a flock, [`Error::TimedOut`] when a node does not show what was written, or [`Error::Broken`] when
/// it shows it with a rival or without effect.
pub async fn documents(bench: &Bench, rounds: Option<u32>) -> Result<Report, Error> {
    let rounds = rounds.unwrap_or(ROUNDS) as usize;
    let mut report = Report::new("documents", bench.nodes);
    let mut flock = Flock::start(bench).await?;
    // The first rounds warm connections up and prove that every stream is open.
    for warm in 0..3 {
        flock.round(Kind::Registration, usize::MAX - warm).await?;
        flock.round(Kind::Document, usize::MAX - warm).await?;
    }
    let [documents, registrations] = flock.measure(rounds).await?;
    flock.cluster.stop_all().await?;
    compare(&documents, &registrations, &mut report);
    show(Kind::Document, &documents, &mut report);
    show(Kind::Registration, &registrations, &mut report);
    Ok(report)
}

impl Flock {
    async fn start(bench: &Bench) -> Result<Self, Error> {
        let (cluster, operator) = rig::operated(bench).await?;
        let flock = cluster.client(0).status().await?.flock_id;
        let signers = operator.signers(flock, DOCUMENTS);
        let sightings = rig::watch(&cluster);
        let flock = Self { cluster, sightings, signers, generation: 0 };
        flock.put(0, flock.signers.grant().clone()).await?;
        Ok(flock)
    }

    /// Rounds of both kinds, in turns, which begin with another kind each time.
    async fn measure(&mut self, rounds: usize) -> Result<[Timings; 2], Error> {
        let mut timings = [Timings::new(), Timings::new()];
        let bar = rig::progress("crux documents", 2 * rounds);
        for (turn, begin) in (0..rounds).step_by(TURN).enumerate() {
            let end = (begin + TURN).min(rounds);
            let mut kinds = [Kind::Document, Kind::Registration];
            kinds.rotate_left(turn % 2);
            for kind in kinds {
                let meter = Meter::start(rig::pids(&self.cluster));
                let into = &mut timings[usize::from(kind == Kind::Registration)];
                for at in begin..end {
                    into.record(at * BATCHES / rounds, &self.round(kind, at).await?);
                    bar.inc(1);
                }
                into.costs.push(meter.per_round(end - begin));
            }
        }
        bar.finish_and_clear();
        Ok(timings)
    }

    async fn round(&mut self, kind: Kind, at: usize) -> Result<Round, Error> {
        let round = match kind {
            Kind::Document => self.write(at).await?,
            Kind::Registration => self.register(at).await?,
        };
        pause().await;
        Ok(round)
    }

    /// The next generation of the document, seen by all.
    async fn write(&mut self, at: usize) -> Result<Round, Error> {
        self.generation += 1;
        let since = Instant::now();
        let document = self.signers.sign(0, self.generation, &[b'x'; DOCUMENT_BYTES]);
        self.put(at, document).await?;
        let durable = since.elapsed();
        let wanted = Wanted::Document(Signers::key(0), self.generation);
        let shown = looks::until_all(&self.clients(), &wanted, since).await?;
        Ok(Round { durable, shown, streamed: Vec::new() })
    }

    /// One registration and its removal, seen by all.
    async fn register(&mut self, at: usize) -> Result<Round, Error> {
        let (rev, all) = (format!("r{at}"), rig::nodes_without(&self.cluster, None));
        let client = self.client(at);
        let since = Instant::now();
        let registered = client.register(&Registration::new("bench", &rev, "127.0.0.1:9")).await?;
        let durable = since.elapsed();
        let wanted = Wanted::Service(registered.path.clone());
        let shown = looks::until_all(&self.clients(), &wanted, since).await?;
        let appeared = Change::Appeared(registered.path.clone());
        let streamed = self.sightings.until_all(&appeared, &all, since, SEEN_WITHIN).await?;
        pause().await;

        let since = Instant::now();
        client.deregister("bench", &rev).await?;
        let vanished = Change::Vanished(registered.path);
        self.sightings.until_all(&vanished, &all, since, SEEN_WITHIN).await?;
        Ok(Round { durable, shown, streamed })
    }

    async fn put(&self, at: usize, document: Arc<Document>) -> Result<(), Error> {
        let documents = vec![document.sealed()];
        let put = PutDocuments { documents, sync: 0, sync_within: None };
        self.client(at).call(&put).await.map(drop)
    }

    fn client(&self, at: usize) -> NodeClient {
        self.cluster.client(at % self.cluster.nodes().len()).clone()
    }

    fn clients(&self) -> Vec<NodeClient> {
        self.cluster.nodes().iter().map(|node| node.client().clone()).collect()
    }
}

impl Timings {
    fn new() -> Self {
        let samples = || Samples::new(BATCHES);
        let [each, last, durable, streamed] = [samples(), samples(), samples(), samples()];
        Self { each, last, durable, streamed, costs: Vec::new() }
    }

    fn record(&mut self, batch: usize, round: &Round) {
        let greatest = |took: &[Duration]| took.iter().copied().max();
        self.durable.record(batch, round.durable);
        self.each.record_all(batch, &round.shown);
        greatest(&round.shown).into_iter().for_each(|took| self.last.record(batch, took));
        greatest(&round.streamed).into_iter().for_each(|took| self.streamed.record(batch, took));
    }

    fn cost(&self) -> Option<Cost> {
        let turns = self.costs.len() as f64;
        let mean = |of: fn(&Cost) -> f64| self.costs.iter().map(of).sum::<f64>() / turns;
        let (cpu_ms, bytes) = (mean(|it| it.cpu_ms), mean(|it| it.loopback_bytes));
        (turns > 0.0).then_some(Cost { cpu_ms, loopback_bytes: bytes })
    }
}

fn show(kind: Kind, timings: &Timings, report: &mut Report) {
    let names = match kind {
        Kind::Document => [
            "document → shown, each node",
            "document → shown, last node",
            "document → durable and answered",
            "",
        ],
        Kind::Registration => [
            "registration → shown, each node",
            "registration → shown, last node",
            "registration → durable and answered",
            "the same, last node, by watch streams",
        ],
    };
    let samples = [&timings.each, &timings.last, &timings.durable, &timings.streamed];
    for (at, (what, samples)) in names.into_iter().zip(samples).enumerate() {
        if let Some(figure) = samples.figure() {
            let cost_per_round = timings.cost().filter(|_| at == 1);
            report.latencies.push(Latency { system: "crux", what, figure, cost_per_round });
        }
    }
}

/// The ratios of the medians, batch by batch.
fn compare(documents: &Timings, registrations: &Timings, report: &mut Report) {
    for (what, registrations) in [
        ("document / registration, last node, both by looks", &registrations.last),
        ("the same, the registration by watch streams", &registrations.streamed),
    ] {
        let medians = documents.last.medians().into_iter().zip(registrations.medians());
        let ratios = medians.map(|(document, registration)| document / registration.max(0.001));
        report.values.extend(Value::of("crux", what, "×", ratios.collect()));
    }
    report.notes.push(format!(
        "rounds of documents and registrations take turns; both are found by looks at all nodes, some 4 ms apart on \
         each; a document has {DOCUMENT_BYTES} bytes and is a user's"
    ));
}

/// A random pause between rounds, so that they do not lock step with anybody's timers.
async fn pause() {
    sleep(Duration::from_millis(rand::random_range(50..150))).await;
}
