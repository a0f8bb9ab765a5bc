use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Principal;
use crux_protocol::context::Context;
use crux_protocol::flock::{
    self, Command, Control, ControlId, Event, Notice, Parts, PersistError, StopReason,
};
use crux_protocol::link;
use crux_protocol::time::Instant;
use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::check::{Clients, Violation};
use super::host::{Disk, Host, Keys, Process, Running, derive};
use super::net::{Cut, Net, Side, Socket, addr_of};
use super::queue::{Happening, Queue};
use super::trace::Trace;

/// How often a process may wake at one instant. More means that it spins.
const WAKES_MAX: u32 = 200;
/// How long a durable write takes at most, in microseconds.
const WRITE_MICROS_MAX: u64 = 12_000;
/// How long a write may wait that need not be durable.
const SAVE_DELAY: Duration = Duration::from_millis(300);

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
    pub(super) trace: Trace,
    /// What nodes told the people who run them.
    pub(super) notices: Vec<(Instant, usize, Notice)>,
    /// The first thing that went wrong.
    pub(super) violation: Option<Violation>,
    pub(super) handled: u64,
    /// When anybody was last told of a link that came or went.
    pub(super) links_changed_at: Instant,
}

impl World {
    /// Hosts that do not run yet, with everything derived from the seed.
    pub(super) fn new(seed: u64, hosts: usize, log: bool) -> Self {
        let keys = Keys::new(seed);
        let mut rng = StdRng::from_seed(derive(seed, "world", 0));
        let hosts: Vec<_> = (0..hosts).map(|host| new_host(&keys, host, &mut rng)).collect();
        let name = |(host, it): (usize, &Host)| (it.principal(), format!("n{host}"));
        let names: BTreeMap<Principal, String> = hosts.iter().enumerate().map(name).collect();
        Self {
            now: Instant::ORIGIN,
            queue: Queue::default(),
            rng,
            hosts,
            net: Net::default(),
            keys,
            clients: Clients::default(),
            trace: Trace::new(log, names),
            notices: Vec::new(),
            violation: None,
            handled: 0,
            links_changed_at: Instant::ORIGIN,
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
            Happening::Tell(at, _) | Happening::Wake(at, _) | Happening::TimedOut(at, _) => at.host,
            Happening::Established(conn, side)
            | Happening::Shut(conn, side)
            | Happening::Arrive(conn, side, _) => match self.net.conns.get(conn) {
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
            Happening::Tell(at, event) => self.handle(at, event),
            Happening::Wake(at, timer) => self.wake(at, timer),
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

    /// What the adapter of a host remembers.
    ///
    /// # Panics
    /// When its process does not run: callers look first.
    pub(super) fn socket(&mut self, host: usize) -> &mut Socket {
        let running = self.hosts[host].running.as_mut();
        &mut running.expect("callers know that the process runs").socket
    }

    /// Tells a process something, after what happens at this instant already.
    pub(super) fn tell(&mut self, at: Process, event: link::Event) {
        self.queue.push(self.now, Happening::Tell(at, Event::Link(event)));
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
        }
        let host = &mut self.hosts[at.host];
        let now = host.time(self.now);
        let Some(running) = host.running.as_mut() else { return };
        let commands = running.state.handle(event, now);
        let fence = running.state.fence();
        if fence < running.fence {
            self.broken(format!("the fence of n{} decreased", at.host));
        } else {
            running.fence = fence;
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
        running.timer += 1;
        if deadline != Instant::NEVER {
            let when = Instant::after_origin(deadline.since_origin().saturating_sub(clock));
            let wake = Happening::Wake(at, running.timer);
            self.queue.push(when.max(self.now), wake);
        }
    }

    fn wake(&mut self, at: Process, timer: u64) {
        if !self.is_current(at) {
            return;
        }
        let now = self.now;
        let Some(running) = self.hosts[at.host].running.as_mut() else { return };
        if running.timer != timer {
            return;
        }
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
                let number = self.hosts[at.host].disk.write(Some(ticket), batch);
                let micros = self.rng.random_range(100..WRITE_MICROS_MAX);
                let when = self.now + Duration::from_micros(micros);
                self.queue.push(when, Happening::Written(at, number));
            }
            Command::Save(batch) => {
                let number = self.hosts[at.host].disk.write(None, batch);
                self.queue.push(self.now + SAVE_DELAY, Happening::Written(at, number));
            }
            Command::Answer { id, result } => {
                if let Err(what) = self.clients.answered(id, result) {
                    self.broken(what);
                }
            }
            Command::Changed => {}
            Command::Notice(notice) => self.notices.push((self.now, at.host, notice)),
            Command::Stop(reason) => self.stopped(at, &reason),
        }
    }

    fn execute_link(&mut self, at: Process, command: link::Command) {
        use link::Command as C;
        match command {
            C::Dial { id, addrs, expect } => self.start_dial(at, id, &addrs, expect),
            C::Disconnect { peer } => self.disconnect(at, &peer),
            C::Admit { members } => self.socket(at.host).admitted = members,
            C::Publish { topic, data } => self.publish(at, topic, data),
            C::Judge { id, verdict } => self.judge(at, id, verdict),
            C::Request { id, peer, protocol, body } => {
                self.send_request(at, id, peer, protocol, body);
            }
            C::Reply { id, body } => self.send_reply(at, id, body),
            C::Observe { subjects } => self.observe(at, subjects),
            C::Beat { incarnation, counter } => self.beat(at, incarnation, counter),
            C::SetAddresses { .. } | C::Find { .. } => {}
        }
    }

    fn written(&mut self, at: Process, number: u64) {
        if !self.is_current(at) {
            return;
        }
        for (ticket, durable) in self.hosts[at.host].disk.finish(number) {
            let result = if durable { Ok(()) } else { Err(PersistError::Full) };
            let event = Event::Persisted { ticket, result };
            self.queue.push(self.now, Happening::Tell(at, event));
        }
    }

    /// A process stopped by itself.
    fn stopped(&mut self, at: Process, reason: &StopReason) {
        self.trace.line(self.now, format_args!("n{} stops: {reason:?}", at.host));
        self.hosts[at.host].disk.finish(u64::MAX);
        self.end_process(at.host);
    }

    /// Starts the process of a host.
    pub(super) fn start(&mut self, host: usize) {
        if self.hosts[host].running.is_some() {
            return;
        }
        let it = &mut self.hosts[host];
        it.boot += 1;
        let parts = Parts {
            identity: it.identity.clone(),
            join_key: self.keys.join.clone(),
            restored: it.disk.restore(),
            seed: self.keys.process_seed(host, it.boot),
        };
        let context = Context {
            flock: self.keys.flock,
            me: it.principal(),
            verifier: self.keys.verifier.clone(),
        };
        let state = flock::State::new(it.config.clone(), context, parts, it.time(self.now));
        let fence = state.fence();
        let (socket, wakes) = (Socket::default(), (self.now, 0));
        it.running = Some(Running { state, socket, timer: 0, wakes, fence });
        let at = Process { host, boot: it.boot };
        self.queue.push(self.now, Happening::Tell(at, Event::Wake));
    }

    /// Kills the process of a host. The kernel closes its connections.
    pub(super) fn kill(&mut self, host: usize) {
        self.hosts[host].disk.crash(&mut self.rng);
        self.end_process(host);
    }

    fn end_process(&mut self, host: usize) {
        self.clients.on_end(host);
        self.hosts[host].inbox = None;
        if self.hosts[host].running.take().is_none() {
            return;
        }
        for (conn, side) in self.ends_at(|at, _| at == host) {
            self.close_end(conn, side);
        }
    }

    /// Every end that is up, for which this holds of its host and the other one.
    fn ends_at(&self, holds: impl Fn(usize, usize) -> bool) -> Vec<(super::net::ConnId, Side)> {
        let sides = [Side::Dialler, Side::Listener];
        let ends = self.net.conns.iter().flat_map(|(id, conn)| sides.map(|side| (*id, conn, side)));
        ends.filter(|(_, conn, side)| {
            let (end, other) = (conn.end(*side), conn.end(side.other()));
            end.is_up() && holds(end.at.host, other.at.host)
        })
        .map(|(id, _, side)| (id, side))
        .collect()
    }

    /// Another key and an empty disk, for a host whose process does not run.
    pub(super) fn rekey(&mut self, host: usize) {
        self.clients.on_loss(host);
        let it = &mut self.hosts[host];
        it.disk.wipe();
        it.lives += 1;
        it.identity = self.keys.identity(host, it.lives);
        self.trace.call(it.principal(), format!("n{host}'{}", it.lives));
    }

    /// The key of a host for another one, and its disk if told so.
    pub(super) fn copy(&mut self, host: usize, to: usize, disk: bool) {
        self.hosts[to].identity = self.hosts[host].identity.clone();
        self.hosts[to].config.name = self.hosts[host].config.name.clone();
        if disk {
            self.hosts[to].disk = self.hosts[host].disk.copy();
        }
    }

    /// Stops a process as SIGSTOP does: the kernel goes on for it.
    pub(super) fn freeze(&mut self, host: usize) {
        if self.hosts[host].running.is_some() {
            self.hosts[host].inbox.get_or_insert_default();
        }
    }

    /// Lets a stopped process go on.
    pub(super) fn resume(&mut self, host: usize) {
        for what in self.hosts[host].inbox.take().unwrap_or_default() {
            self.queue.push(self.now, what);
        }
    }

    /// Cuts the paths from some hosts to some others.
    pub(super) fn cut(&mut self, from: &BTreeSet<usize>, to: &BTreeSet<usize>, how: Cut) {
        for a in from {
            for b in to {
                self.net.paths.cut(*a, *b, how);
            }
        }
        if how == Cut::Refused {
            let between = |a, b| from.contains(&a) && to.contains(&b);
            for (conn, side) in self.ends_at(|a, b| between(a, b) || between(b, a)) {
                let at = self.net.conns.get(&conn).map(|conn| conn.end(side).at);
                at.into_iter().for_each(|at| self.shut_soon(conn, at));
            }
        }
    }

    /// Heals every cut. What was on the way arrives.
    pub(super) fn heal(&mut self) {
        for (conn, side, message) in self.net.paths.heal() {
            self.transmit(conn, side.other(), message);
        }
    }

    /// A client asks something of a node. Nothing happens if it does not run.
    pub(super) fn ask(&mut self, host: usize, request: Control) {
        if self.hosts[host].running.is_some() {
            let id = ControlId(self.clients.asks(host, request.clone()));
            let at = Process { host, boot: self.hosts[host].boot };
            let event = Event::Control { id, request };
            self.queue.push(self.now, Happening::Tell(at, event));
        }
    }

    /// A node finds another one on the link.
    pub(super) fn find(&mut self, host: usize, other: usize) {
        let at = Process { host, boot: self.hosts[host].boot };
        let event = Event::Found { addr: addr_of(other).to_string() };
        self.queue.push(self.now, Happening::Tell(at, event));
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
        config,
        clock: Duration::from_micros(rng.random_range(1..10_000_000_000)),
        boot: 0,
        running: None,
        disk: Disk::default(),
        inbox: None,
    }
}

impl World {
    /// How a principal is called in reports.
    pub(super) fn name_of(&self, who: &Principal) -> String {
        let host = self.hosts.iter().position(|host| host.principal() == *who);
        host.map_or_else(|| who.short(), |host| format!("n{host}"))
    }
}
