use core::time::Duration;
use std::collections::BTreeSet;

use crux_protocol::flock::Control;
use rand::RngExt;
use rand::rngs::StdRng;

use super::Op;
use crate::sim::check::Expectation;
use crate::sim::net::{Cut, Weather};

/// A story in the making. Draws what it is free to choose from the seed.
pub(in crate::sim) struct Plot<'a> {
    pub(in crate::sim) nodes: usize,
    pub(in crate::sim) rng: &'a mut StdRng,
    pub(in crate::sim) ops: Vec<Op>,
    /// Whether nothing is lost.
    pub(in crate::sim) calm: bool,
    join: Vec<BTreeSet<usize>>,
    services: Vec<(usize, u32)>,
    next_service: u32,
}

impl<'a> Plot<'a> {
    pub(in crate::sim) fn new(nodes: usize, rng: &'a mut StdRng) -> Self {
        let mut plot = Self {
            nodes,
            rng,
            ops: Vec::new(),
            calm: true,
            join: vec![BTreeSet::new(); nodes],
            services: Vec::new(),
            next_service: 0,
        };
        plot.draw_joins();
        plot.draw_weather();
        plot
    }

    /// Everyone.
    pub(in crate::sim) fn all(&self) -> BTreeSet<usize> {
        (0..self.nodes).collect()
    }

    /// Who is told of whom: all of one, each of the one before, or all of some.
    fn draw_joins(&mut self) {
        let kind = self.rng.random_range(0..4);
        for host in 0..self.nodes {
            self.join[host] = match kind {
                0 => BTreeSet::from([0]),
                1 => BTreeSet::from([host.saturating_sub(1)]),
                2 => self.all(),
                _ => (0..self.nodes.min(3)).collect(),
            };
        }
    }

    fn draw_weather(&mut self) {
        self.calm = self.rng.random_bool(0.5);
        let weather = if self.calm { Weather::default() } else { Weather::rough() };
        self.push(Op::Weather(weather));
    }

    pub(in crate::sim) fn push(&mut self, op: Op) {
        self.ops.push(op);
    }

    pub(in crate::sim) fn start(&mut self, host: usize) {
        self.ops.push(Op::Start(host, self.join[host].clone()));
    }

    /// A random time up to a bound.
    pub(in crate::sim) fn pause(&mut self, millis_max: u64) {
        let millis = self.rng.random_range(0..=millis_max);
        self.push(Op::Wait(Duration::from_millis(millis)));
    }

    pub(in crate::sim) fn wait(&mut self, seconds: u64) {
        self.push(Op::Wait(Duration::from_secs(seconds)));
    }

    /// Expects something within so many milliseconds, or later where gossip is lost.
    pub(in crate::sim) fn expect_soon(&mut self, what: Expectation, millis: u64) {
        let millis = if self.calm { millis } else { millis + 4_000 };
        self.push(Op::Expect(what, Duration::from_millis(millis)));
    }

    pub(in crate::sim) fn expect(&mut self, what: Expectation, seconds: u64) {
        self.push(Op::Expect(what, Duration::from_secs(seconds)));
    }

    /// All hosts, in a random order.
    pub(in crate::sim) fn shuffled(&mut self) -> Vec<usize> {
        let mut hosts: Vec<_> = (0..self.nodes).collect();
        for last in (1..hosts.len()).rev() {
            let chosen = self.rng.random_range(0..=last);
            hosts.swap(last, chosen);
        }
        hosts
    }

    /// One of these.
    pub(in crate::sim) fn pick(&mut self, from: &BTreeSet<usize>) -> usize {
        let chosen = self.rng.random_range(0..from.len());
        from.iter().nth(chosen).copied().unwrap_or_default()
    }

    /// Everyone starts, at once or one after the other, and they form a flock.
    pub(in crate::sim) fn form(&mut self) {
        let spread = [0, 30, 500, 2_000][self.rng.random_range(0..4)];
        for host in self.shuffled() {
            self.start(host);
            self.pause(spread);
        }
        let all = self.all();
        self.expect(Expectation::OneFlock(all), 30);
    }

    /// Clients register and remove services, at any of these nodes.
    pub(in crate::sim) fn clients(&mut self, at: &BTreeSet<usize>, changes: u32) {
        for _ in 0..changes {
            let here: Vec<_> =
                self.services.iter().filter(|(host, _)| at.contains(host)).copied().collect();
            if here.is_empty() || self.rng.random_bool(0.6) {
                let host = self.pick(at);
                self.next_service += 1;
                let number = self.next_service;
                self.services.push((host, number));
                let sync = u32::from(self.rng.random_bool(0.1));
                self.push(Op::Ask(host, register(number, sync)));
            } else {
                let (host, number) = here[self.rng.random_range(0..here.len())];
                self.services.retain(|known| *known != (host, number));
                self.push(Op::Ask(host, deregister(number)));
            }
            self.pause(150);
        }
    }

    /// Some are cut off from the rest, both ways.
    pub(in crate::sim) fn cut(&mut self, left: &BTreeSet<usize>, how: Cut) {
        let right: BTreeSet<_> = self.all().difference(left).copied().collect();
        self.push(Op::Cut(left.clone(), right.clone(), how));
        self.push(Op::Cut(right, left.clone(), how));
    }

    /// One kind of cut.
    pub(in crate::sim) fn some_cut(&mut self) -> Cut {
        if self.rng.random_bool(0.5) { Cut::Refused } else { Cut::Silent }
    }

    /// So many random hosts.
    pub(in crate::sim) fn some(&mut self, count: usize) -> BTreeSet<usize> {
        self.shuffled().into_iter().take(count).collect()
    }
}

fn register(number: u32, sync: u32) -> Control {
    let text = format!("svc{number}");
    Control::Register {
        horde: crux_crdt::name::Label::main_horde(),
        service: text.parse().expect("letters and digits make a name"),
        rev: "v1".parse().expect("a letter and a digit make a name"),
        endpoint: "10.9.0.1:80".parse().expect("an address and a port"),
        lease: None,
        sync,
    }
}

fn deregister(number: u32) -> Control {
    match register(number, 0) {
        Control::Register { horde, service, rev, .. } => {
            Control::Deregister { horde, service, rev }
        }
        other => other,
    }
}
