use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::fact::Fact;
use crux_crdt::record::Record;
use crux_protocol::flock::{
    self, Batch, Command, Control, ControlId, Event, Notice, PersistError, StopReason,
};
use crux_protocol::link;
use crux_protocol::liveness::Liveness;
use crux_protocol::time::Instant;
use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::check::{Clients, Health, Told};
use super::host::{Disk, Host, Keys, Process, Stock, derive};
use super::invariant::{Authentic, Body, Fences, Forward, Violation, false_death, may_stop};
use super::net::{Net, Socket, addr_of};
use super::people::People;
use super::probe::Probe;
use super::queue::{Happening, Queue};
use super::site::Sites;
use super::trace::Trace;

/// How often a process may wake at one instant. More means that it spins.
const WAKES_MAX: u32 = 200;
/// How long a durable write takes at most, in microseconds.
const WRITE_MICROS_MAX: u64 = 12_000;
/// How long a write may wait that need not be durable.
const SAVE_DELAY: Duration = Duration::from_millis(300);
/// How long a read takes.
const READ_DELAY: Duration = Duration::from_millis(2);

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) queue: Queue,
    pub(super) rng: StdRng,
    pub(super) hosts: Vec<Host>,
    pub(super) net: Net,
    pub(super) keys: Keys,
    pub(super) clients: Clients,
    pub(super) health: Health,
    /// The signers of documents, and what they were told.
    pub(super) people: People,
    pub(super) told: Told,
    pub(super) fences: Fences,
    pub(super) authentic: Authentic,
    pub(super) forward: Forward,
    pub(super) trace: Trace,
    /// Targets, and what they came to.
    pub(super) sites: Sites,
    /// Whether what each host holds and says of each other is remembered, and checked. There are
    /// millions of such pairs of thousands of hosts.
    pub(super) thorough: bool,
    /// The notices of nodes to the people who run them.
    pub(super) notices: Vec<(Instant, usize, Notice)>,
    /// The first thing that went wrong.
    pub(super) violation: Option<Violation>,
    pub(super) handled: u64,
    /// How many registry messages arrived by gossip, and how many of them were news.
    pub(super) copies: (u64, u64),
    /// How many bytes were sent.
    pub(super) sent: u64,
    /// How long what is published takes.
    pub(super) probe: Probe,
    /// When anybody was last told of a link that came or went.
    pub(super) links_changed_at: Instant,
    /// Since when nothing was done to anybody, and links are still.
    pub(super) rest_from: Instant,
}

impl World {
    /// Hosts that do not run yet, with everything derived from the seed. Of the history so many lines
    /// are kept.
    pub(super) fn new(seed: u64, hosts: usize, log: usize) -> Self {
        let keys = Keys::new(seed);
        let mut rng = StdRng::from_seed(derive(seed, "world", 0));
        let hosts: Vec<_> = (0..hosts).map(|host| new_host(&keys, host, &mut rng)).collect();
        let name = |(host, it): (usize, &Host)| (it.principal(), format!("n{host}"));
        let names: BTreeMap<Principal, String> = hosts.iter().enumerate().map(name).collect();
        let people = People::new(&keys);
        Self {
            now: Instant::ORIGIN,
            queue: Queue::default(),
            rng,
            hosts,
            net: Net::default(),
            keys,
            clients: Clients::default(),
            health: Health::default(),
            people,
            told: Told::default(),
            fences: Fences::default(),
            authentic: Authentic::default(),
            forward: Forward::default(),
            trace: Trace::new(log, names),
            sites: Sites::new(seed),
            notices: Vec::new(),
            thorough: true,
            violation: None,
            handled: 0,
            copies: (0, 0),
            sent: 0,
            probe: Probe::default(),
            links_changed_at: Instant::ORIGIN,
            rest_from: Instant::ORIGIN,
        }
    }

    /// Lets happen what happens until then, or until something is wrong.
    pub(super) fn run_until(&mut self, until: Instant) {
        while self.violation.is_none() {
            let Some((at, what)) = self.queue.pop(until) else { break };
            self.now = at;
            self.happen(what);
        }
        self.now = self.now.max(until);
    }

    fn happen(&mut self, what: Happening) {
        let host = match &what {
            Happening::Tell(at, _)
            | Happening::Wake(at, _)
            | Happening::Heartbeat(at)
            | Happening::Site(at, ..)
            | Happening::TimedOut(at, _) => at.host,
            Happening::Established(conn, side)
            | Happening::Shut(conn, side)
            | Happening::Arrive(conn, side, _) => match self.net.conns.get(*conn) {
                Some(conn) => conn.end(*side).at.host,
                None => return,
            },
            Happening::Written(..) | Happening::Dial(_) => usize::MAX,
        };
        let stopped = self.hosts.get_mut(host).and_then(|host| host.inbox.as_mut());
        if let Some(inbox) = stopped {
            return inbox.push(what);
        }
        match what {
            Happening::Tell(at, event) => self.handle(at, *event),
            Happening::Wake(at, timer) => self.wake(at, timer),
            Happening::Heartbeat(at) => self.heartbeat(at),
            Happening::Site(at, life, errand) => self.run_errand(at, life, *errand),
            Happening::Written(at, number) => self.written(at, number),
            Happening::Dial(attempt) => self.dial_next(attempt),
            Happening::Established(conn, side) => self.established(conn, side),
            Happening::Shut(conn, side) => self.close_end(conn, side),
            Happening::Arrive(conn, side, message) => self.arrive(conn, side, message),
            Happening::TimedOut(at, id) => {
                if self.is_current(at) {
                    self.fail_request(at, id, link::RequestFailure::Lost);
                }
            }
        }
    }

    /// Whether this life of a process still goes on.
    pub(super) fn is_current(&self, at: Process) -> bool {
        let host = &self.hosts[at.host];
        host.boot == at.boot && host.running.is_some()
    }

    /// The memory of a host's adapter.
    ///
    /// # Panics
    /// When its process does not run: callers look first.
    pub(super) fn socket(&mut self, host: usize) -> &mut Socket {
        let running = self.hosts[host].running.as_mut();
        &mut running.expect("callers know that the process runs").socket
    }

    /// Tells a process something, after what happens at this instant already.
    pub(super) fn tell(&mut self, at: Process, event: link::Event) {
        self.queue.push(self.now, Happening::Tell(at, Event::Link(event).into()));
    }

    pub(super) fn delay(&mut self) -> Duration {
        self.net.paths.delay(&mut self.rng)
    }

    pub(super) fn broken(&mut self, what: String) {
        self.trace.line(self.now, format_args!("VIOLATION {what}"));
        self.violation.get_or_insert(Violation(what));
    }

    /// Hands an event to a process and carries out what it commands, in order.
    pub(super) fn handle(&mut self, at: Process, event: Event) {
        if !self.is_current(at) {
            return;
        }
        self.handled += 1;
        self.trace.event(self.now, at.host, &event);

        if matches!(
            event,
            Event::Link(link::Event::Connected { .. } | link::Event::Disconnected { .. })
        ) {
            self.links_changed_at = self.now;
            self.rest_from = self.now;
        }
        let host = &mut self.hosts[at.host];
        let now = host.time(self.now);
        let Some(running) = host.running.as_mut() else { return };
        let commands = running.state.handle(event, now);
        let state = &running.state;
        let gone = |holder: &Principal| state.has_departed(holder);
        if let Err(why) = self.fences.show(at.host, state.fence(), gone) {
            self.broken(why);
        }
        for command in commands {
            if self.is_current(at) {
                self.trace.command(self.now, at.host, &command);
                self.execute(at, command);
            }
        }
        self.set_timer(at);
    }

    fn set_timer(&mut self, at: Process) {
        if !self.is_current(at) {
            return;
        }
        let host = &mut self.hosts[at.host];
        let clock = host.clock;
        let Some(running) = host.running.as_mut() else { return };
        let deadline = running.state.deadline();
        let when = if deadline == Instant::NEVER {
            Instant::NEVER
        } else {
            Instant::after_origin(deadline.since_origin().saturating_sub(clock)).max(self.now)
        };
        if running.timer.1 == when {
            return;
        }
        running.timer = (running.timer.0 + 1, when);
        if when != Instant::NEVER {
            self.queue.push(when, Happening::Wake(at, running.timer.0));
        }
    }

    fn wake(&mut self, at: Process, timer: u64) {
        if !self.is_current(at) {
            return;
        }
        let now = self.now;
        let Some(running) = self.hosts[at.host].running.as_mut() else { return };
        if running.timer.0 != timer {
            return;
        }
        running.timer.1 = Instant::NEVER;
        let (last, count) = running.wakes;
        running.wakes = if last == now { (now, count + 1) } else { (now, 1) };
        if running.wakes.1 > WAKES_MAX {
            return self.broken(format!("n{} woke {WAKES_MAX} times at one instant", at.host));
        }
        self.handle(at, Event::Wake);
    }

    fn execute(&mut self, at: Process, command: Command) {
        match command {
            Command::Link(command) => self.execute_link(at, command),
            Command::Persist { ticket, batch } => {
                self.check_merged(at, &batch);
                let number = self.hosts[at.host].disk.write(Some(ticket), batch);
                let micros = self.rng.random_range(100..WRITE_MICROS_MAX);
                let when = self.now + Duration::from_micros(micros);
                self.queue.push(when, Happening::Written(at, number));
            }
            Command::Save(batch) => {
                self.check_merged(at, &batch);
                let number = self.hosts[at.host].disk.write(None, batch);
                self.queue.push(self.now + SAVE_DELAY, Happening::Written(at, number));
            }
            Command::Recall { author } => {
                let whole = |record: &&Arc<Record>| !record.is_stripped();
                let record = self.hosts[at.host].disk.record(&author).filter(whole).cloned();
                let event = record.map(|record| Event::Recalled { record });
                let when = self.now + READ_DELAY;
                event.into_iter().for_each(|event| {
                    self.queue.push(when, Happening::Tell(at, event.into()));
                });
            }
            Command::Answer { id, result } if self.is_answered(id, &result) => {}
            Command::Answer { id, result } => {
                self.health.answered(id, result.is_ok());
                let full_at = self.hosts[at.host].disk.full_at(self.now);
                let running = self.hosts[at.host].running.as_ref();
                if let Some(documents) = running.map(|it| it.state.strew().documents())
                    && let Err(what) = self.told.answered(id, &result, documents)
                {
                    self.broken(what);
                }
                if let Err(what) = self.clients.answered(id, result, full_at) {
                    self.broken(what);
                }
            }
            Command::Changed => self.look_soon(at),
            Command::Notice(notice) => {
                self.check_death(at, &notice);
                if self.thorough {
                    self.notices.push((self.now, at.host, notice));
                }
            }
            Command::Stop(reason) => self.stopped(at, &reason),
        }
    }

    fn execute_link(&mut self, at: Process, command: link::Command) {
        use link::Command as C;
        match command {
            C::Dial { id, addrs, expect } => self.start_dial(at, id, &addrs, expect),
            C::Disconnect { peer } => self.disconnect(at, &peer),
            C::Release { peer } => self.release(at, &peer),
            C::Admit { members } => self.socket(at.host).admitted = members,
            C::Publish { topic, data } => self.publish(at, topic, data),
            C::Judge { id, verdict } => self.judge(at, id, verdict),
            C::Request { id, peer, protocol, body } => {
                self.send_request(at, id, peer, protocol, body);
            }
            C::Reply { id, body } => self.send_reply(at, id, body),
            C::Observe { subjects } => self.observe(at, subjects),
            C::Beat { incarnation, counter } => self.beat(at, incarnation, counter),
            // The simulated network makes room for nobody.
            C::Keep { .. } | C::SetAddresses { .. } | C::Find { .. } => {}
            // The blob mover's, which is not simulated here.
            C::Provide { .. } | C::Withdraw { .. } | C::Seek { .. } => {}
        }
    }

    fn written(&mut self, at: Process, number: u64) {
        if !self.is_current(at) {
            return;
        }
        let done = self.hosts[at.host].disk.finish(number);
        self.note_durable(at.host);
        for (ticket, durable) in done {
            let result = if durable { Ok(()) } else { Err(PersistError::Full) };
            let event = Event::Persisted { ticket, result };
            self.queue.push(self.now, Happening::Tell(at, event.into()));
        }
    }

    /// A process stopped by itself.
    fn stopped(&mut self, at: Process, reason: &StopReason) {
        self.trace.line(self.now, format_args!("n{} stops: {reason:?}", at.host));
        let (host, me) = (at.host, self.hosts[at.host].principal());
        let others = self.hosts.iter().enumerate().filter(|(other, _)| *other != host);
        let twin = others.map(|(_, other)| other).any(|it| it.boot > 0 && it.principal() == me);
        if let Err(why) = may_stop(reason, self.clients.told_to_leave(host), twin) {
            self.broken(format!("n{host} {why}"));
        }
        if matches!(reason, StopReason::Cloned { .. }) {
            self.clients.on_outlived(host);
        }
        self.hosts[at.host].disk.finish(u64::MAX);
        self.note_durable(at.host);
        self.end_process(at.host);
    }

    /// Notes that the facts on disks from the beginning were made durable by their authors.
    pub(super) fn know(&mut self, stock: &Stock) {
        for record in stock.records.values() {
            self.authentic.wrote(record.author(), record.id());
        }
        for act in stock.acts.values() {
            self.authentic.issued(act.author(), act.id());
        }
    }

    /// Notes that the facts on a disk now are there for good.
    pub(super) fn note_durable(&mut self, host: usize) {
        let me = self.hosts[host].principal();
        let disk = &mut self.hosts[host].disk;
        for act in disk.take_new_acts() {
            if act.author() == me {
                self.authentic.issued(me, act.id());
            }
        }
        if let Some(record) = disk.record(&me) {
            self.authentic.wrote(me, record.id());
        }
        self.fences.keep(host, disk.fence());
    }

    /// Checks that the facts of others that a node is about to write are theirs.
    fn check_merged(&mut self, at: Process, batch: &Batch) {
        let me = self.hosts[at.host].principal();
        for fact in batch.facts.iter().filter(|fact| fact.author() != me) {
            let checked = match fact {
                Fact::Act(act) => self.authentic.heard(at.host, act.author(), act.id()),
                Fact::Record(record) => self.check_merged_record(at, record),
                Fact::Document(document) if self.people.signed(&document.id()) => Ok(()),
                Fact::Document(document) => {
                    Err(format!("n{} holds {document:?}, which nobody signed", at.host))
                }
            };
            if let Err(why) = checked {
                return self.broken(why);
            }
        }
    }

    fn check_merged_record(&mut self, at: Process, record: &Record) -> Result<(), String> {
        self.probe.holds(at.host, record.author(), self.now);
        self.authentic.merged(at.host, record.author(), record.id())?;
        // A write that failed is made again after newer ones: what is held counts, not the batch.
        let running = self.hosts[at.host].running.as_ref();
        let held = running.and_then(|it| it.state.strew().record(&record.author()));
        held.filter(|_| self.thorough)
            .map_or(Ok(()), |it| self.forward.merged(at.host, it.author(), it.total()))
    }

    /// A node calls another one dead: was that one, and could it be heard?
    fn check_death(&mut self, at: Process, notice: &Notice) {
        let Notice::Liveness { node, liveness: Liveness::Dead } = notice else { return };
        let Some(state) = self.state(at.host) else { return };
        let named = |host: &usize| {
            let called = state.names().of(&self.hosts[*host].principal());
            called.as_str() == node
        };
        let number = node.strip_prefix('n').and_then(|digits| digits.parse().ok());
        let likely = number.filter(|host| *host < self.hosts.len() && named(host));
        let Some(other) = likely.or_else(|| (0..self.hosts.len()).find(named)) else { return };
        let uncut = self.net.paths.uncut_for(other, self.now);
        if let Err(why) = false_death(self.body(at.host), self.body(other), uncut) {
            self.broken(format!("n{other} {why}, by n{}", at.host));
        }
    }

    /// How the process of a host fares.
    pub(super) fn body(&self, host: usize) -> Body {
        let host = &self.hosts[host];
        let runs = host.running.is_some() && host.inbox.is_none();
        Body { runs, since: self.now.since(host.changed_at), fresh: host.fresh }
    }

    /// A client asks something of a node. Nothing happens if it does not run.
    pub(super) fn ask(&mut self, host: usize, request: Control) {
        self.ask_for(host, request);
    }

    /// A node says how its services are, if the scenario has that.
    pub(super) fn state_health(&mut self, host: usize) {
        let Some(unwell) = self.health.draw() else { return };
        if let Some(id) = self.ask_for(host, Health::request(unwell.as_ref())) {
            self.health.asks(host, id, unwell);
        }
    }

    /// The number of the request; none: the process does not run.
    pub(super) fn ask_for(&mut self, host: usize, request: Control) -> Option<ControlId> {
        let is_up = self.hosts[host].running.is_some();
        is_up.then(|| {
            let it = &self.hosts[host];
            let healthy = it.inbox.is_none() && !it.disk.full;
            let at = Process { host, boot: it.boot };
            let id = ControlId(self.clients.asks(host, request.clone(), self.now, healthy));
            let event = Event::Control { id, request };
            self.queue.push(self.now, Happening::Tell(at, event.into()));
            id
        })
    }

    /// A node finds another one on the link.
    pub(super) fn find(&mut self, host: usize, other: usize) {
        let at = Process { host, boot: self.hosts[host].boot };
        let event = Event::Found { addr: addr_of(other).to_string() };
        self.queue.push(self.now, Happening::Tell(at, event.into()));
    }

    /// The state of a node that runs.
    pub(super) fn state(&self, host: usize) -> Option<&flock::State> {
        self.hosts[host].running.as_ref().map(|running| &running.state)
    }
}

fn new_host(keys: &Keys, host: usize, rng: &mut StdRng) -> Host {
    let endpoint = addr_of(host).try_into().expect("the port is not zero");
    let mut config = flock::Config::new(vec![endpoint]);
    config.name = format!("n{host}").parse().ok();
    Host {
        identity: keys.identity(host, 0),
        lives: 0,
        known_key: false,
        config,
        clock: Duration::from_micros(rng.random_range(1..10_000_000_000)),
        boot: 0,
        running: None,
        disk: Disk::default(),
        saved: Disk::default(),
        inbox: None,
        changed_at: Instant::ORIGIN,
        fresh: true,
        machine: None,
    }
}
