use core::num::NonZeroU16;
use core::time::Duration;
use std::collections::BTreeMap;

use crux_protocol::flock::{Control, STORE_PATIENCE};
use crux_protocol::leader::Claim;
use crux_protocol::time::Instant;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::check::{Health, Looked, leader_now};
use super::host::derive;
use super::invariant::{Rest, at_rest, some_written};
use super::net::addr_of;
use super::picket;
use super::report::{Outcome, Report};
use super::world::World;
use crate::scenario::{Condition, Hosts, Request, Scenario, Service, Step};

/// How often a condition is checked.
const LOOK: Duration = Duration::from_millis(50);
/// A condition that was reached must still hold after this.
const STEADY: Duration = Duration::from_millis(1_100);
/// How many lines of a history that led to a violation are kept.
const HISTORY: usize = 400;

/// The options of a run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The seed.
    pub seed: u64,
    /// How many nodes; none: as many as the scenario has.
    pub nodes: Option<usize>,
    /// Whether to keep the whole history.
    pub log: bool,
}

/// Plays a scenario on one flock, or on the supervisor of one machine. Of a run in which something does not hold, the last part of the
/// history is kept, too: it is run once more for it.
pub fn run(scenario: &Scenario, options: Options) -> Report {
    if scenario.picket {
        return picket::run(scenario, options);
    }
    let world = play(scenario, options, if options.log { usize::MAX } else { 0 });
    let log = match world.violation {
        Some(_) if !options.log => play(scenario, options, HISTORY).trace.into_text(),
        _ => world.trace.text(),
    };
    Report::of(scenario, options, Outcome::of(&world), log)
}

fn play(scenario: &Scenario, options: Options, log: usize) -> World {
    let nodes = options.nodes.unwrap_or(scenario.nodes).max(1);
    let steps = scenario.draw(nodes, derive(options.seed, &scenario.name, nodes as u64));
    let mut runner = Runner {
        world: World::new(options.seed, nodes + scenario.spare, log),
        since: Instant::ORIGIN,
        led: None,
        watched: Vec::new(),
    };
    if scenario.health {
        let luck = StdRng::from_seed(derive(options.seed, "health", nodes as u64));
        runner.world.health = Health::new(Some(luck));
    }
    if scenario.targets {
        runner.world.furnish();
    }
    for step in steps {
        runner.world.trace.line(runner.world.now, format_args!("== {step}"));
        runner.perform(step);
        if runner.world.violation.is_some() {
            break;
        }
    }
    if let Err(why) = some_written(runner.world.clients.writes) {
        runner.world.broken(why);
    }
    runner.world
}

struct Runner {
    world: World,
    since: Instant,
    led: Option<Claim>,
    watched: Vec<Condition<Hosts>>,
}

impl Runner {
    fn perform(&mut self, step: Step) {
        if !matches!(step, Step::Expect { .. } | Step::Always { .. }) {
            self.since = self.world.now;
            self.world.rest_from = self.world.now;
        }
        match step {
            Step::Wait(time) => self.pass(time),
            Step::Expect { what, within, .. } => self.expect(&what, within),
            Step::Always { what, time } => self.always(&what, time),
            Step::Watch(what) => self.watched.push(what),
            Step::Unwatch => self.watched.clear(),
            Step::Ask(who, request) => {
                who.iter().for_each(|host| ask(&mut self.world, host, &request));
            }
            step => change(&mut self.world, step),
        }
    }

    /// Time passes, in which what is watched must hold.
    fn pass(&mut self, time: Duration) {
        let until = self.world.now + time;
        if self.watched.is_empty() {
            return self.world.run_until(until);
        }
        while self.world.now < until && self.world.violation.is_none() {
            self.world.run_until((self.world.now + LOOK).min(until));
            for what in &self.watched {
                if let Err(why) = self.check(what) {
                    return self.world.broken(format!("watched: {what}: {why}"));
                }
            }
        }
    }

    fn expect(&mut self, what: &Condition<Hosts>, within: Duration) {
        use Condition as C;
        let until = self.world.now + within;
        loop {
            if self.check(what).is_ok() {
                if matches!(what, C::Still(_)) {
                    return self.look_at_rest();
                }
                if !matches!(what, C::OneFlock(_) | C::Component(_) | C::Settled) {
                    return;
                }
                let looked_at = self.world.now;
                self.pass(STEADY);
                if self.check(what).is_ok() {
                    self.led = leader_now(&self.world);
                    if !matches!(what, C::Component(_)) {
                        self.world.clients.on_one_flock();
                    }
                    self.world.rest_from = self.world.now;
                    let took = looked_at.since(self.since);
                    self.world.trace.line(self.world.now, format_args!("== held after {took:?}"));
                    return;
                }
            }
            if matches!(what, C::OneFlock(_) | C::Settled)
                && let Err(why) = self.looked().honest_digests()
            {
                self.world.broken(why);
            }
            if self.world.violation.is_some() {
                return;
            }
            if self.world.now >= until {
                let why = self.check(what).err().unwrap_or_else(|| "it does not last".to_owned());
                return self.world.broken(format!("not within {within:?}: {what}: {why}"));
            }
            self.pass(LOOK.min(until.since(self.world.now)));
        }
    }

    fn always(&mut self, what: &Condition<Hosts>, time: Duration) {
        let until = self.world.now + time;
        while self.world.now < until && self.world.violation.is_none() {
            self.pass(LOOK.min(until.since(self.world.now)));
            if let Err(why) = self.check(what) {
                self.world.broken(format!("not for {time:?}: {what}: {why}"));
            }
        }
    }

    /// Links are still: what does everyone do now?
    fn look_at_rest(&mut self) {
        let world = &mut self.world;
        let time = world.now.since(world.rest_from);
        let mut running = (0..world.hosts.len()).filter_map(|host| {
            let running = world.hosts[host].running.as_ref()?;
            let members = running.state.strew().membership().members().count();
            let open = running.socket.sent.len() + running.socket.owed.len();
            let (since, sent) = running.socket.sent_bytes;
            let sent = if since >= world.rest_from { sent } else { 0 };
            let known = running.state.strew().records().count();
            let kept = running.state.kept();
            Some(Rest { host, members, known, time, sent, open, kept })
        });
        if let Err(why) = running.try_for_each(at_rest) {
            world.broken(format!("not bounded: {why}"));
        }
    }

    fn check(&self, what: &Condition<Hosts>) -> Result<(), String> {
        self.looked().check(what)
    }

    fn looked(&self) -> Looked<'_> {
        Looked { world: &self.world, since: self.since, led: self.led }
    }
}

/// Something happens to hosts or the paths between them.
fn change(world: &mut World, step: Step) {
    match step {
        Step::Weather(weather) => world.net.paths.weather = weather,
        Step::Start { who, joining } => {
            let joining = joining.unwrap_or_default();
            who.iter().for_each(|host| start(world, host, &joining));
        }
        Step::Kill(who) => who.iter().for_each(|host| world.kill(host)),
        Step::Freeze(who) => who.iter().for_each(|host| world.freeze(host)),
        Step::Resume(who) => who.iter().for_each(|host| world.resume(host)),
        Step::Sleep(who, time) => who.iter().for_each(|host| world.sleep(host, time)),
        Step::Wipe(who) => who.iter().for_each(|host| world.wipe(host)),
        Step::Rekey(who) => who.iter().for_each(|host| world.rekey(host)),
        Step::Backup(who) => who.iter().for_each(|host| world.backup(host)),
        Step::Restore(who) => who.iter().for_each(|host| world.restore(host)),
        Step::Copy { from, to, disk } => {
            for (host, other) in pairs(&from, &to) {
                world.copy(host, other, disk);
            }
        }
        Step::Fill(who) => who.iter().for_each(|host| world.hosts[host].disk.full = true),
        Step::Empty(who) => {
            let now = world.now;
            who.iter().for_each(|host| world.hosts[host].disk.empty(now));
        }
        Step::Name { who, like } => {
            for (host, other) in pairs(&who, &like) {
                world.name(host, other);
            }
        }
        Step::Find { other, by } => {
            for (host, found) in pairs(&by, &other) {
                world.find(host, found);
            }
        }
        Step::Cut { how, from, to, both } => {
            world.cut(&from.0, &to.0, how);
            if both {
                world.cut(&to.0, &from.0, how);
            }
        }
        Step::Heal => world.heal(),
        Step::Ask(..)
        | Step::Wait(_)
        | Step::Expect { .. }
        | Step::Always { .. }
        | Step::Watch(_)
        | Step::Unwatch => {}
    }
}

fn pairs(first: &Hosts, second: &Hosts) -> Vec<(usize, usize)> {
    first.iter().flat_map(|a| second.iter().map(move |b| (a, b))).filter(|(a, b)| a != b).collect()
}

fn start(world: &mut World, host: usize, joining: &Hosts) {
    let join = joining.iter().map(|other| addr_of(other).to_string()).collect();
    world.hosts[host].config.join = join;
    world.start(host);
}

fn ask(world: &mut World, host: usize, request: &Request<Hosts>) {
    match request {
        Request::Register { service, port, sync } => {
            register_at(world, host, *service, *port, *sync);
            world.state_health(host);
        }
        Request::Deregister(service) => {
            world.ask(host, Control::Deregister(key_of(*service)));
            world.state_health(host);
        }
        Request::Ping => world.ask(host, Control::LeaderPing),
        Request::Restart(within) => world.ask(host, Control::Restart(*within)),
        Request::Leave => {
            world.clients.on_loss(host);
            world.ask(host, Control::Leave);
        }
        Request::Write(write) => world.write(host, write),
        Request::Order(order, who) => who.iter().for_each(|node| world.order(host, *order, node)),
        Request::Forget(who) => {
            for other in who.iter() {
                world.clients.on_loss(other);
                let principal = world.hosts[other].principal();
                world.ask(host, Control::Forget(principal));
            }
        }
    }
}

/// A client registers a service.
pub(super) fn register(world: &mut World, host: usize, service: Service, sync: u32) {
    register_at(world, host, service, Service::PORT, sync);
}

fn register_at(world: &mut World, host: usize, service: Service, port: NonZeroU16, sync: u32) {
    let (key, labels) = (key_of(service), BTreeMap::new());
    let endpoint = format!("10.9.0.1:{port}").parse().expect("an address and a port");
    let (lease, patience) = (None, STORE_PATIENCE);
    world.ask(host, Control::Register { key, endpoint, labels, lease, sync, patience });
}

fn key_of(service: Service) -> crux_protocol::author::ServiceKey {
    crux_protocol::author::ServiceKey {
        horde: crux_crdt::name::Label::main_horde(),
        service: service.to_string().parse().expect("letters and digits make a name"),
        rev: "v1".parse().expect("a letter and a digit make a name"),
        ordinal: 0,
    }
}
