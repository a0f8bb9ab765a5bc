use core::num::NonZeroU16;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::words::host_number;
use super::{
    Condition, Deed, Hosts, Line, Op, Paper, Request, Scenario, Service, Shape, Share, Signer,
    Site, Step, User, Weather, Who, Write,
};

/// How many steps a scenario may come to.
const STEPS_MAX: usize = 100_000;
/// The longest pause between two clients.
const CLIENT_PAUSE: Duration = Duration::from_millis(150);
/// The longest pause between two targets.
const TARGET_PAUSE: Duration = Duration::from_secs(5);
/// The shapes of targets that chance has signed.
const SHAPES: [Shape; 4] = [Shape::Plain, Shape::Few, Shape::After, Shape::Chain];
/// How long what a target wants may take once nothing breaks any more, in seconds: a roll-out that fails, and the way
/// back, a node at a time.
const PLACED_SECS: u64 = 240;
/// How many documents chance writes.
const PAPERS: u32 = 6;
/// How many documents a user is let have: few, or so many that not all users may.
const GRANTED: [u32; 6] = [1, 2, 3, 5, 8, 8_000];

/// What a scenario is drawn with, from a number.
pub fn seed_of(number: u64) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    seed
}

impl Scenario {
    /// How many nodes chance would have.
    pub fn draw_size(&self, luck: &mut StdRng) -> usize {
        luck.random_range(self.sizes.0.min(self.sizes.1)..=self.sizes.1)
    }

    /// Decides everything that is left to chance. The end is as the module promises. Nodes that a
    /// scenario names and that are not there are left out.
    pub fn draw(&self, nodes: usize, seed: [u8; 32]) -> Vec<Step> {
        let mut draw = Draw::new(nodes.max(1), self.spare, seed);
        draw.targets = self.targets;
        draw.all(&self.lines);
        draw.close();
        draw.steps
    }
}

/// A scenario in the making.
struct Draw {
    luck: StdRng,
    nodes: usize,
    spare: usize,
    steps: Vec<Step>,
    names: BTreeMap<String, Hosts>,
    calm: bool,
    down: BTreeSet<usize>,
    frozen: BTreeSet<usize>,
    full: BTreeSet<usize>,
    cut: bool,
    watched: bool,
    /// Nodes enact targets.
    targets: bool,
    topology: u32,
    /// What clients registered, and where.
    services: Vec<(usize, Service)>,
    /// What clients removed, and where.
    gone: Vec<(usize, Service)>,
    next_service: u32,
    /// The last port that a service was registered at again.
    port: NonZeroU16,
    /// Decides what clients register, so that everything else is drawn as it was before they did that.
    whims: StdRng,
}

impl Draw {
    fn new(nodes: usize, spare: usize, seed: [u8; 32]) -> Self {
        let mut luck = StdRng::from_seed(seed);
        let whims = StdRng::from_seed(seed.map(|byte| !byte));
        let topology = luck.random_range(0..4);
        Self {
            luck,
            nodes,
            spare,
            steps: Vec::new(),
            names: BTreeMap::new(),
            calm: true,
            down: (0..nodes).collect(),
            frozen: BTreeSet::new(),
            full: BTreeSet::new(),
            cut: false,
            watched: false,
            targets: false,
            topology,
            services: Vec::new(),
            gone: Vec::new(),
            next_service: 0,
            port: Service::PORT,
            whims,
        }
    }

    fn all(&mut self, lines: &[Line]) {
        for line in lines {
            if self.steps.len() >= STEPS_MAX {
                return;
            }
            self.line(line);
        }
    }

    fn line(&mut self, line: &Line) {
        match line {
            Line::Form => self.form(),
            Line::AnyWeather => self.any_weather(),
            Line::Let(name, who) => {
                let hosts = self.who(who);
                self.names.insert(name.clone(), hosts);
            }
            Line::Pause(most) => self.pause(*most),
            Line::Clients(at, count) => {
                for _ in 0..*count {
                    let at = self.who(at);
                    self.client(&at);
                }
            }
            Line::Writers(at, count) => {
                for _ in 0..*count {
                    let at = self.who(at);
                    self.writer(&at);
                }
            }
            Line::Targets(at, count) => {
                for _ in 0..*count {
                    let at = self.who(at);
                    self.target(&at);
                }
            }
            Line::Repeat(count, lines) => {
                for _ in 0..self.luck.random_range(count.0..=count.1) {
                    self.all(lines);
                }
            }
            Line::Each(name, from, lines) => {
                let from = self.who(from);
                for host in self.shuffled(&from) {
                    self.names.insert(name.clone(), Hosts::one(host));
                    self.all(lines);
                }
            }
            Line::Maybe(percent, lines) => {
                if self.luck.random_range(0..100) < *percent {
                    self.all(lines);
                }
            }
            Line::Choose(options) => {
                let total: u32 = options.iter().map(|(weight, _)| weight).sum();
                let mut at = self.luck.random_range(0..total.max(1));
                for (weight, line) in options {
                    if at < *weight {
                        return self.line(line);
                    }
                    at -= weight;
                }
            }
            Line::Do(op) => self.op(op.clone()),
        }
    }

    /// An operation that is nobody's is left out.
    fn op(&mut self, op: Op<Who>) {
        let mut nobody = false;
        let op = op.map(|who| {
            let hosts = self.who(&who);
            // A process may have no seed peers.
            nobody |= hosts.0.is_empty() && who.of != ["none"];
            hosts
        });
        if nobody {
            return;
        }
        match op {
            Op::Weather(weather) => {
                self.calm = weather.gossip_loss == 0;
                self.steps.push(Op::Weather(weather));
            }
            Op::Start { who, joining } => {
                for host in who.iter() {
                    let joining = joining.clone().unwrap_or_else(|| self.told_of(host));
                    self.start(host, joining);
                }
            }
            Op::Expect { what, within, rough } => {
                let within = rough.filter(|_| !self.calm).unwrap_or(within);
                self.steps.push(Op::Expect { what, within, rough: None });
            }
            op => {
                self.note(&op);
                self.steps.push(op);
            }
        }
    }

    /// Follows who is down, stopped or full.
    fn note(&mut self, op: &Step) {
        match op {
            Op::Kill(who) | Op::Ask(who, Request::Leave) => {
                self.down.extend(who.iter().filter(|host| *host < self.nodes));
                self.frozen.retain(|host| !who.0.contains(host));
            }
            Op::Freeze(who) => {
                self.frozen.extend(who.iter().filter(|host| !self.down.contains(host)));
            }
            Op::Resume(who) => self.frozen.retain(|host| !who.0.contains(host)),
            Op::Fill(who) => self.full.extend(who.iter()),
            Op::Empty(who) => self.full.retain(|host| !who.0.contains(host)),
            Op::Cut { .. } => self.cut = true,
            Op::Heal => self.cut = false,
            Op::Watch(_) => self.watched = true,
            Op::Unwatch => self.watched = false,
            _ => {}
        }
    }

    fn start(&mut self, host: usize, joining: Hosts) {
        self.down.remove(&host);
        self.steps.push(Op::Start { who: Hosts::one(host), joining: Some(joining) });
    }

    /// The seed peers of a host: all of one, each of the one before, all of all, or all of some.
    fn told_of(&self, host: usize) -> Hosts {
        match self.topology {
            0 => Hosts::one(0),
            1 => Hosts::one(host.saturating_sub(1)),
            2 => Hosts((0..self.nodes).collect()),
            _ => Hosts((0..self.nodes.min(3)).collect()),
        }
    }

    fn any_weather(&mut self) {
        self.calm = self.luck.random_bool(0.5);
        let weather = if self.calm { Weather::calm() } else { Weather::rough() };
        self.steps.push(Op::Weather(weather));
    }

    fn pause(&mut self, most: Duration) {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let millis = self.luck.random_range(0..=most);
        self.steps.push(Op::Wait(Duration::from_millis(millis)));
    }

    fn form(&mut self) {
        self.any_weather();
        let spread = [0, 30, 500, 2_000][self.luck.random_range(0..4)];
        let all = Hosts((0..self.nodes).collect());
        for host in self.shuffled(&all) {
            self.start(host, self.told_of(host));
            self.pause(Duration::from_millis(spread));
        }
        self.expect(Condition::OneFlock(all), 30);
    }

    fn client(&mut self, at: &Hosts) {
        if at.0.is_empty() {
            return;
        }
        let here = |(host, _): &&(usize, Service)| at.0.contains(host);
        let here: Vec<_> = self.services.iter().filter(here).copied().collect();
        if here.is_empty() || self.luck.random_bool(0.6) {
            let host = self.shuffled(at)[0];
            let sync = u32::from(self.luck.random_bool(0.1));
            let (service, port) = self.registered(host);
            let request = Request::Register { service, port, sync };
            self.steps.push(Op::Ask(Hosts::one(host), request));
        } else {
            let (host, service) = here[self.luck.random_range(0..here.len())];
            self.services.retain(|known| *known != (host, service));
            self.gone.push((host, service));
            self.steps.push(Op::Ask(Hosts::one(host), Request::Deregister(service)));
        }
        self.pause(CLIENT_PAUSE);
    }

    /// Somebody writes documents at one of these.
    fn writer(&mut self, at: &Hosts) {
        let Some(host) = self.shuffled(at).first().copied() else { return };
        let write = self.write();
        self.steps.push(Op::Ask(Hosts::one(host), Request::Write(write)));
        self.pause(CLIENT_PAUSE);
    }

    /// Somebody signs a target at one of these.
    fn target(&mut self, at: &Hosts) {
        let Some(host) = self.shuffled(at).first().copied() else { return };
        let shape = SHAPES[self.luck.random_range(0..SHAPES.len())];
        let version = self.luck.random_range(1..5);
        let is_bad = self.luck.random_bool(0.2);
        let site = Site { shape, version, is_bad, replaces: false };
        self.steps.push(Op::Ask(Hosts::one(host), Request::Write(Deed::Apply(site).into())));
        self.pause(TARGET_PAUSE);
    }

    fn write(&mut self) -> Write {
        let paper = Paper(self.luck.random_range(0..PAPERS));
        let user = User::ALL[self.luck.random_range(0..User::ALL.len())];
        let by =
            if self.luck.random_range(0..4) == 0 { Signer::Operator } else { Signer::User(user) };
        let documents = GRANTED[self.luck.random_range(0..GRANTED.len())];
        let deed = match self.luck.random_range(0..20) {
            0..10 => Deed::Put(paper, by),
            10..12 => Deed::Drop(paper, by),
            12..15 => Deed::Grant(user, documents),
            15 => Deed::Revoke(user),
            16..18 => return Deed::Flood(user).into(),
            _ => return Deed::Remember.into(),
        };
        let old = self.luck.random_range(0..6) == 0;
        let unasked = self.luck.random_range(0..8) == 0;
        let sync = u32::from(!unasked && self.luck.random_range(0..8) == 0);
        Write { deed, old, unasked, stored: false, sync }
    }

    /// What is registered next at a host: something new, or something at another port that is or was
    /// there.
    fn registered(&mut self, host: usize) -> (Service, NonZeroU16) {
        let whim = self.whims.random_range(0..4);
        let from = if whim == 0 { &self.services } else { &self.gone };
        let known: Vec<_> = from.iter().filter(|(at, _)| *at == host).copied().collect();
        if whim > 1 || known.is_empty() {
            self.next_service += 1;
            let service = Service(self.next_service);
            self.services.push((host, service));
            return (service, Service::PORT);
        }
        let again = known[self.whims.random_range(0..known.len())];
        self.gone.retain(|gone| *gone != again);
        self.services.retain(|known| *known != again);
        self.services.push(again);
        self.port = self.port.saturating_add(1);
        (again.1, self.port)
    }

    fn who(&mut self, who: &Who) -> Hosts {
        let mut hosts: BTreeSet<usize> =
            who.of.iter().flat_map(|name| self.named(name).0).collect();
        for name in &who.but {
            let but = self.named(name).0;
            hosts.retain(|host| !but.contains(host));
        }
        let hosts = Hosts(hosts);
        let Some(share) = who.any else { return hosts };
        let count = match share {
            Share::Number(number) => number,
            Share::Range(first, last) => self.luck.random_range(first..=last),
            Share::Fraction(part, whole) => (hosts.0.len() * part / whole).max(1),
        };
        Hosts(self.shuffled(&hosts).into_iter().take(count).collect())
    }

    fn named(&self, name: &str) -> Hosts {
        let nodes = 0..self.nodes;
        Hosts(match name {
            "all" => nodes.collect(),
            "spare" => (self.nodes..self.nodes + self.spare).collect(),
            "down" => self.down.clone(),
            "frozen" => self.frozen.clone(),
            "none" => BTreeSet::new(),
            "up" => nodes
                .filter(|host| !self.down.contains(host) && !self.frozen.contains(host))
                .collect(),
            other => match host_number(other) {
                Some(host) => {
                    Some(host).filter(|host| *host < self.nodes + self.spare).into_iter().collect()
                }
                None => return self.names.get(other).cloned().unwrap_or_default(),
            },
        })
    }

    fn shuffled(&mut self, hosts: &Hosts) -> Vec<usize> {
        let mut hosts: Vec<_> = hosts.iter().collect();
        for last in (1..hosts.len()).rev() {
            let chosen = self.luck.random_range(0..=last);
            hosts.swap(last, chosen);
        }
        hosts
    }

    fn expect(&mut self, what: Condition<Hosts>, seconds: u64) {
        let within = Duration::from_secs(seconds);
        self.steps.push(Op::Expect { what, within, rough: None });
    }

    /// Heals everything and demands that it converges and comes to rest.
    fn close(&mut self) {
        if self.watched {
            self.steps.push(Op::Unwatch);
        }
        if self.cut {
            self.steps.push(Op::Heal);
        }
        for (who, op) in [
            (std::mem::take(&mut self.full), Op::Empty as fn(Hosts) -> Step),
            (std::mem::take(&mut self.frozen), Op::Resume),
        ] {
            if !who.is_empty() {
                self.steps.push(op(Hosts(who)));
            }
        }
        for host in std::mem::take(&mut self.down) {
            self.start(host, self.told_of(host));
        }
        self.expect(Condition::Settled, 60);
        if self.targets {
            self.expect(Condition::Placed(Hosts((0..self.nodes).collect())), PLACED_SECS);
        }
        if !self.calm {
            // Bad weather is a fault, too. What is on the way may still be late.
            self.steps.push(Op::Weather(Weather::calm()));
            self.steps.push(Op::Wait(Duration::from_secs(2)));
        }
        // A leader that meets a greater claim here claims once more, and is obeyed from then on.
        // Several are asked, because one may have stopped by itself.
        let asked = Hosts((0..self.nodes.min(3)).collect());
        self.steps.push(Op::Ask(asked.clone(), Request::Ping));
        self.expect(Condition::Answered, 15);
        self.expect(Condition::Settled, 30);
        self.steps.push(Op::Ask(asked, Request::Ping));
        self.expect(Condition::Obeyed, 15);
        let time = Duration::from_secs(5);
        self.steps.push(Op::Always { what: Condition::SameLeader, time });
        self.expect(Condition::Still(Duration::from_secs(6)), 20);
        self.expect(Condition::Answered, 15);
    }
}
