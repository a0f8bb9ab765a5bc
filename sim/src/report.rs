use core::fmt;
use core::time::Duration;

use super::run::Options;
use super::world::World;
use super::{Violation, Writes};
use crate::scenario::Scenario;

/// The outcome of one run.
#[derive(Debug)]
pub struct Report {
    scenario: String,
    file: Option<String>,
    seed: u64,
    nodes: usize,
    /// How long it lasted, for its nodes.
    pub virtual_time: Duration,
    /// How many events its nodes handled.
    pub events: u64,
    answers: u64,
    /// The fate of its clients' writes.
    pub writes: Writes,
    digest: Option<String>,
    /// The invariant that did not hold.
    pub violation: Option<Violation>,
    /// The whole history if it was asked for, its last part if something did not hold.
    pub log: String,
}

/// How one run went.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) virtual_time: Duration,
    pub(super) events: u64,
    pub(super) answers: u64,
    pub(super) writes: Writes,
    pub(super) digest: Option<String>,
    pub(super) violation: Option<Violation>,
}

impl Outcome {
    pub(super) fn of(world: &World) -> Self {
        let first = (0..world.hosts.len()).find_map(|host| world.state(host));
        Self {
            virtual_time: world.now.since_origin(),
            events: world.handled,
            answers: world.clients.answered,
            writes: world.clients.writes,
            digest: first.map(|state| state.strew().digest().short()),
            violation: world.violation.clone(),
        }
    }
}

impl Report {
    pub(super) fn of(scenario: &Scenario, options: Options, how: Outcome, log: String) -> Self {
        let Outcome { virtual_time, events, answers, writes, digest, violation } = how;
        Self {
            scenario: scenario.name.clone(),
            file: scenario.file.clone(),
            seed: options.seed,
            nodes: options.nodes.unwrap_or(scenario.nodes),
            virtual_time,
            events,
            answers,
            writes,
            digest,
            violation,
            log,
        }
    }

    /// The command that runs it again and prints its history.
    pub fn command(&self) -> String {
        let Self { scenario, nodes, seed, file, .. } = self;
        let scenario = file.as_ref().map_or_else(|| scenario.clone(), |file| quoted(file));
        format!("crux-testnet sim --reproduce {seed} --scenario {scenario} --nodes {nodes}")
    }
}

/// One word of a shell's.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, seed, nodes, events, answers, .. } = self;
        let seconds = self.virtual_time.as_secs_f64();
        write!(f, "{scenario}, seed {seed}: {nodes} nodes, {seconds:.3} s of virtual time, ")?;
        let Writes { acknowledged, refused, unanswered, .. } = self.writes;
        write!(f, "{events} events, {answers} requests answered, ")?;
        write!(
            f,
            "{acknowledged} writes acknowledged, {refused} refused, {unanswered} unanswered, "
        )?;
        write!(f, "digest {}: ", self.digest.as_deref().unwrap_or("none"))?;
        match &self.violation {
            None => f.write_str("held"),
            Some(violation) => write!(f, "VIOLATED: {violation}"),
        }
    }
}
