use core::time::Duration;
use std::collections::BTreeSet;

use crux_protocol::flock::Control;
use crux_protocol::leader::Claim;
use crux_protocol::time::Instant;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::check::{Expectation, leader_now};
use super::host::derive;
use super::net::addr_of;
use super::report::Report;
use super::story::{Op, Plot, Scenario};
use super::world::World;

/// How often an expectation is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// What was brought about must still hold after this.
const STEADY: Duration = Duration::from_millis(1_100);

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The seed.
    pub seed: u64,
    /// How many nodes; none: as many as the scenario has.
    pub nodes: Option<usize>,
    /// Whether to keep the whole history.
    pub log: bool,
}

/// Tells one story on one flock.
pub fn run(scenario: &Scenario, options: Options) -> Report {
    let nodes = options.nodes.unwrap_or(scenario.nodes).max(1);
    let mut rng = StdRng::from_seed(derive(options.seed, scenario.name, nodes as u64));
    let mut plot = Plot::new(nodes, &mut rng);
    (scenario.tell)(&mut plot);
    let ops = plot.ops;
    let mut teller = Teller {
        world: World::new(options.seed, nodes + scenario.spare, options.log),
        since: Instant::ORIGIN,
        led: None,
    };
    for op in ops {
        teller.world.trace.line(teller.world.now, format_args!("== {op}"));
        teller.perform(op);
        if teller.world.violation.is_some() {
            break;
        }
    }
    Report::new(scenario, options, teller.world)
}

struct Teller {
    world: World,
    since: Instant,
    led: Option<Claim>,
}

impl Teller {
    fn perform(&mut self, op: Op) {
        let world = &mut self.world;
        if !matches!(op, Op::Expect(..) | Op::Always(..)) {
            self.since = world.now;
        }
        match op {
            Op::Weather(weather) => world.net.paths.weather = weather,
            Op::Start(host, join) => start(world, host, &join),
            Op::Kill(host) => world.kill(host),
            Op::Wipe(host) => {
                world.hosts[host].disk.wipe();
                world.clients.on_loss(host);
            }
            Op::Rekey(host) => world.rekey(host),
            Op::Copy(host, to, disk) => world.copy(host, to, disk),
            Op::Fill(host, full) => world.hosts[host].disk.full = full,
            Op::Freeze(host) => world.freeze(host),
            Op::Resume(host) => world.resume(host),
            Op::Find(host, other) => world.find(host, other),
            Op::Cut(from, to, how) => world.cut(&from, &to, how),
            Op::Heal => world.heal(),
            Op::Ask(host, request) => {
                if request == Control::Leave {
                    world.clients.on_loss(host);
                }
                world.ask(host, request);
            }
            Op::Forget(host, other) => {
                world.clients.on_loss(other);
                let principal = world.hosts[other].principal();
                world.ask(host, Control::Forget(principal));
            }
            Op::Wait(time) => world.run_until(world.now + time),
            Op::Expect(what, within) => self.expect(&what, within),
            Op::Always(what, time) => self.always(&what, time),
        }
    }

    fn expect(&mut self, what: &Expectation, within: Duration) {
        let until = self.world.now + within;
        loop {
            let found = self.check(what);
            let settles = matches!(what, Expectation::OneFlock(_) | Expectation::Component(_));
            if found.is_ok() {
                if !settles {
                    return;
                }
                let looked_at = self.world.now;
                self.world.run_until(looked_at + STEADY);
                if self.check(what).is_ok() {
                    self.led = leader_now(&self.world);
                    let took = looked_at.since(self.since);
                    self.world.trace.line(self.world.now, format_args!("== held after {took:?}"));
                    return;
                }
            }
            if self.world.violation.is_some() {
                return;
            }
            if self.world.now >= until {
                let why = self.check(what).err().unwrap_or_else(|| "it does not last".to_owned());
                return self.world.broken(format!("not within {within:?}: {what}: {why}"));
            }
            self.world.run_until((self.world.now + LOOK).min(until));
        }
    }

    fn always(&mut self, what: &Expectation, time: Duration) {
        let until = self.world.now + time;
        while self.world.now < until && self.world.violation.is_none() {
            self.world.run_until((self.world.now + LOOK).min(until));
            if let Err(why) = self.check(what) {
                self.world.broken(format!("not for {time:?}: {what}: {why}"));
            }
        }
    }

    fn check(&self, what: &Expectation) -> Result<(), String> {
        what.check(&self.world, self.since, self.led)
    }
}

fn start(world: &mut World, host: usize, join: &BTreeSet<usize>) {
    let join = join.iter().map(|other| addr_of(*other).to_string()).collect();
    world.hosts[host].config.join = join;
    world.start(host);
}
