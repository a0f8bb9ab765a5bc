//! What happens to hosts, and to the paths between them.

use core::time::Duration;
use std::collections::BTreeSet;

use crux_protocol::context::Context;
use crux_protocol::flock::{self, Event, Parts};
use crux_protocol::time::Instant;

use super::host::{Process, Running};
use super::net::{Side, Socket};
use super::queue::Happening;
use super::world::World;
use crate::scenario::Cut;

impl World {
    /// Starts the process of a host.
    pub(super) fn start(&mut self, host: usize) {
        if self.hosts[host].running.is_some() {
            return;
        }
        let it = &mut self.hosts[host];
        it.boot += 1;
        let context = Context {
            flock: self.keys.flock,
            operator: Some(self.keys.operator.principal()),
            me: it.principal(),
            verifier: self.keys.verifier.clone(),
            sharing: self.keys.pool.clone(),
        };
        let parts = Parts {
            identity: it.identity.clone(),
            join_key: self.keys.join.clone(),
            restored: it.disk.restore(std::mem::replace(&mut it.known_key, true), &context.terms()),
            seed: self.keys.process_seed(host, it.boot),
        };
        let state = flock::State::new(it.config.clone(), context, parts, it.time(self.now));
        let (socket, wakes) = (Socket::default(), (self.now, 0));
        it.running = Some(Running { state, socket, timer: (0, Instant::NEVER), wakes });
        (it.changed_at, it.fresh) = (self.now, true);
        let at = Process { host, boot: it.boot };
        self.fences.start(host);
        self.check_survived(host);
        self.queue.push(self.now, Happening::Tell(at, Event::Wake.into()));
        self.begin_gossip(at);
        self.open_site(at);
    }

    /// Kills the process of a host. The kernel closes its connections.
    pub(super) fn kill(&mut self, host: usize) {
        self.strike(host);
        self.hosts[host].disk.crash(&mut self.rng);
        self.note_durable(host);
        self.end_process(host);
    }

    pub(super) fn end_process(&mut self, host: usize) {
        self.clients.on_end(host);
        self.told.on_end(host);
        self.forward.end(host);
        self.hosts[host].inbox = None;
        if self.hosts[host].running.take().is_none() {
            return;
        }
        self.close_site(host);
        self.hosts[host].changed_at = self.now;
        for (conn, side) in self.ends_at(|at, _| at == host) {
            self.close_end(conn, side);
        }
    }

    /// Every end that is up, for which this holds of its host and the other one.
    fn ends_at(&self, holds: impl Fn(usize, usize) -> bool) -> Vec<(super::net::ConnId, Side)> {
        let sides = [Side::Dialler, Side::Listener];
        let ends =
            self.net.conns.iter().flat_map(|(id, conn)| sides.map(move |side| (id, conn, side)));
        ends.filter(|(_, conn, side)| {
            let (end, other) = (conn.end(*side), conn.end(side.other()));
            end.is_up() && holds(end.at.host, other.at.host)
        })
        .map(|(id, _, side)| (id, side))
        .collect()
    }

    /// An empty disk, for a host whose process does not run. What all others hold of it stays
    /// promised; of the rest nothing can be relied on.
    pub(super) fn wipe(&mut self, host: usize) {
        if let Some(machine) = self.machine(host) {
            machine.wipe();
        }
        self.release_promises(host);
        self.fences.lose(host);
        self.hosts[host].disk.wipe();
        self.lose_papers(host);
    }

    /// The disk as it was when it was saved, for a host whose process does not run.
    pub(super) fn restore(&mut self, host: usize) {
        self.release_promises(host);
        self.fences.lose(host);
        self.hosts[host].disk = self.hosts[host].saved.copy();
        self.lose_papers(host);
    }

    /// Keeps a copy of a disk.
    pub(super) fn backup(&mut self, host: usize) {
        self.hosts[host].saved = self.hosts[host].disk.copy();
    }

    /// A host is about to lose what it has on its disk. It gets back what others hold, unless a cut keeps it from asking
    /// them: it does not wait for ever, and what it writes then replaces what they hold of it.
    fn release_promises(&mut self, host: usize) {
        let may_ask = !self.net.paths.uncut_for(host, self.now).is_zero();
        if may_ask && self.all_others_hold(host) {
            self.clients.on_lent(host);
        } else {
            self.clients.on_loss(host);
        }
    }

    /// Whether everyone else who runs holds what is on this host's disk, on a disk too, and somebody does. A node
    /// whose disk is full forgets with its process what it holds.
    fn all_others_hold(&self, host: usize) -> bool {
        let author = self.hosts[host].principal();
        let said = self.hosts[host].disk.record(&author).map(|it| it.total());
        let others = (0..self.hosts.len()).filter(|other| *other != host);
        let mut running = others.filter(|other| self.state(*other).is_some()).peekable();
        let holds = |other: usize| {
            let in_memory = self.state(other).and_then(|state| state.strew().record(&author));
            let on_disk = self.hosts[other].disk.record(&author);
            in_memory.map(|it| it.total()) == said && on_disk.map(|it| it.total()) == said
        };
        running.peek().is_some() && running.all(holds)
    }

    /// Another key and an empty disk, for a host whose process does not run.
    pub(super) fn rekey(&mut self, host: usize) {
        self.clients.on_loss(host);
        self.fences.lose(host);
        let it = &mut self.hosts[host];
        it.disk.wipe();
        it.lives += 1;
        it.known_key = false;
        it.identity = self.keys.identity(host, it.lives);
        self.trace.call(it.principal(), format!("n{host}'{}", it.lives));
        self.lose_papers(host);
    }

    /// The key of a host for another one, and its disk if told so.
    pub(super) fn copy(&mut self, host: usize, to: usize, disk: bool) {
        let along = disk || self.all_others_hold(host);
        self.clients.on_copied(host, to, along);
        self.fences.lose(to);
        self.hosts[to].identity = self.hosts[host].identity.clone();
        self.hosts[to].known_key = true;
        self.hosts[to].config.name = self.hosts[host].config.name.clone();
        if disk {
            self.hosts[to].disk = self.hosts[host].disk.copy();
        }
    }

    /// A host claims the name of another one, from its next start on.
    pub(super) fn name(&mut self, host: usize, like: usize) {
        self.hosts[host].config.name = self.hosts[like].config.name.clone();
    }

    /// Stops a process as SIGSTOP does: the kernel goes on for it.
    pub(super) fn freeze(&mut self, host: usize) {
        let it = &mut self.hosts[host];
        if it.running.is_some() && it.inbox.is_none() {
            it.inbox = Some(Vec::new());
            it.changed_at = self.now;
        }
    }

    /// Lets a stopped process go on.
    pub(super) fn resume(&mut self, host: usize) {
        let it = &mut self.hosts[host];
        let Some(waiting) = it.inbox.take() else { return };
        (it.changed_at, it.fresh) = (self.now, false);
        for what in waiting {
            self.queue.push(self.now, what);
        }
    }

    /// The machine of a host slept: its clock is further at once. Timers are due at once, too.
    pub(super) fn sleep(&mut self, host: usize, time: Duration) {
        let it = &mut self.hosts[host];
        it.clock += time;
        if it.running.is_some() {
            (it.changed_at, it.fresh) = (self.now, false);
            let at = Process { host, boot: it.boot };
            self.queue.push(self.now, Happening::Tell(at, Event::Wake.into()));
        }
    }

    /// Cuts the paths from some hosts to some others.
    pub(super) fn cut(&mut self, from: &BTreeSet<usize>, to: &BTreeSet<usize>, how: Cut) {
        for (a, b) in from.iter().flat_map(|a| to.iter().map(move |b| (*a, *b))) {
            self.net.paths.cut(a, b, how);
            let lent: Vec<_> =
                [a, b].into_iter().filter(|host| self.clients.is_lent(*host)).collect();
            lent.into_iter().for_each(|host| self.clients.on_loss(host));
        }
        if how == Cut::Refused {
            let between = |a, b| from.contains(&a) && to.contains(&b);
            for (conn, side) in self.ends_at(|a, b| between(a, b) || between(b, a)) {
                let at = self.net.conns.get(conn).map(|conn| conn.end(side).at);
                at.into_iter().for_each(|at| self.shut_soon(conn, at));
            }
        }
    }

    /// Heals every cut. What was on the way arrives.
    pub(super) fn heal(&mut self) {
        for (conn, side, message) in self.net.paths.heal(self.now) {
            self.transmit(conn, side.other(), message);
        }
    }
}
