//! Programs that are started, and killed: the same for every supervisor.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::ours::Ours;
use super::{BATCHES, Services};
use crate::bench::{Report, Samples, rig};
use crate::process::PortBlock;
use crate::wait::{self, Seen};
use crate::{Error, sample};

/// How long a program has run when it is killed. Every supervisor waits before it starts one again that ended at
/// once: Crux where it had been up for less than 10 s, the peers for less than 1 s.
pub(super) const STEADY: Duration = Duration::from_secs(12);
/// How long a program may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// How often it is called until then.
const CALL_EVERY: Duration = Duration::from_micros(500);

/// A supervisor with programs, by their numbers.
pub(super) trait System {
    /// Its name in the report.
    fn name(&self) -> &'static str;
    /// Has a program start. It may answer before this returns.
    async fn start(&mut self, at: usize) -> Result<(), Error>;
}

/// A program that a supervisor will run.
pub(super) struct Program {
    /// Its bytes, unlike those of any other.
    pub(super) image: Vec<u8>,
    ports: PortBlock,
}

impl Program {
    /// So many programs with images of that size.
    pub(super) fn some(count: usize, bytes: usize) -> Result<Vec<Self>, Error> {
        let number = |at: usize| {
            let mut image = sample::padded(bytes);
            let end = image.len().saturating_sub(size_of::<usize>());
            image[end..].copy_from_slice(&at.to_le_bytes());
            Ok(Self { image, ports: PortBlock::reserve()? })
        };
        (0..count).map(number).collect()
    }

    /// Where it answers.
    pub(super) fn addr(&self) -> SocketAddr {
        self.ports.addr(0)
    }
}

/// Measures the starts of a node's programs.
pub(super) async fn ours(
    what: &Services,
    bytes: usize,
    names: [&'static str; 2],
    report: &mut Report,
) -> Result<(), Error> {
    let programs = Program::some(what.rounds, bytes)?;
    let mut cluster = super::alone(&what.bench).await?;
    let measured = async {
        let node = &cluster.nodes()[0];
        let system = Ours::prepare(node, &programs).await?;
        measure(system, &programs, names, report).await
    };
    super::keep_if_failed(measured.await, &mut cluster)?;
    cluster.stop_all().await
}

/// Starts each program, then kills each. Returns the supervisor, with all of them running.
pub(super) async fn measure<S: System>(
    mut system: S,
    programs: &[Program],
    names: [&'static str; 2],
    report: &mut Report,
) -> Result<S, Error> {
    let (mut start, mut again) = (Samples::new(BATCHES), Samples::new(BATCHES));
    let rounds = programs.len();
    let bar = rig::progress(system.name(), 2 * rounds);
    for (at, program) in programs.iter().enumerate() {
        let since = Instant::now();
        let (started, took) = tokio::join!(system.start(at), answers(program.addr(), 0, since));
        started?;
        start.record(at * BATCHES / rounds, took?);
        bar.inc(1);
    }
    sleep(STEADY).await;
    for (at, program) in programs.iter().enumerate() {
        let old = sample::call(program.addr()).await?.pid;
        let since = Instant::now();
        sample::kill(old)?;
        again.record(at * BATCHES / rounds, answers(program.addr(), old, since).await?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    report.latency(system.name(), names[0], &start);
    report.latency(system.name(), names[1], &again);
    Ok(system)
}

/// Waits until another process than `old` answers; returns how long that took.
async fn answers(addr: SocketAddr, old: u32, since: Instant) -> Result<Duration, Error> {
    let what = format!("a program answers at {addr}");
    wait::until_every(CALL_EVERY, &what, ANSWERS_WITHIN, async || {
        Ok(match sample::call(addr).await {
            Ok(answer) if answer.pid != old => Seen::Done(since.elapsed()),
            other => Seen::NotYet(format!("  {other:?}")),
        })
    })
    .await
}
