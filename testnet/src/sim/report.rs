use core::fmt;
use core::time::Duration;

use super::Violation;
use super::run::Options;
use super::story::Scenario;
use super::world::World;

/// What became of one run.
#[derive(Debug)]
pub struct Report {
    scenario: &'static str,
    options: Options,
    nodes: usize,
    virtual_time: Duration,
    events: u64,
    answers: u64,
    digest: Option<String>,
    /// What did not hold.
    pub violation: Option<Violation>,
    /// The whole history, if it was asked for.
    pub log: String,
}

impl Report {
    pub(super) fn new(scenario: &Scenario, options: Options, world: World) -> Self {
        let first = (0..world.hosts.len()).find_map(|host| world.state(host));
        Self {
            scenario: scenario.name,
            options,
            nodes: world.hosts.len(),
            virtual_time: world.now.since_origin(),
            events: world.handled,
            answers: world.clients.answered,
            digest: first.map(|state| state.strew().digest().short()),
            violation: world.violation,
            log: world.trace.into_text(),
        }
    }

    /// The command that runs it again and prints its history.
    pub fn command(&self) -> String {
        let Self { scenario, nodes, options, .. } = self;
        let seed = options.seed;
        format!("crux-testnet sim --scenario {scenario} --nodes {nodes} --seed {seed} --log")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, nodes, options, events, answers, .. } = self;
        let seconds = self.virtual_time.as_secs_f64();
        write!(
            f,
            "{scenario}, seed {}: {nodes} nodes, {seconds:.3} s of virtual time, ",
            options.seed
        )?;
        write!(f, "{events} events, {answers} requests answered, ")?;
        write!(f, "digest {}: ", self.digest.as_deref().unwrap_or("none"))?;
        match &self.violation {
            None => f.write_str("held"),
            Some(violation) => write!(f, "VIOLATED: {violation}"),
        }
    }
}
