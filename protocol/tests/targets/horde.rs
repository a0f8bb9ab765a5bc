//! A modelled horde: machines, the network between them, and the users' documents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::Digest;
use crux_crdt::blob::BlobId;
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Marker, Target, Usage};
use crux_crdt::service::{Config, ReplaceAfter, SpecTag, Step};
use crux_protocol::proctor::planner::{Command, Event, Node, View};
use crux_protocol::proctor::{Content, Held};

use super::judge::Judge;
use super::machine::{Fact, Machine};
use super::rig::{at, config, horde, node};

/// How long a tick is, in milliseconds.
const TICK: u64 = 500;

/// A user's wish: how many of `web`, and in which version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) web: u8,
    pub(crate) version: u8,
}

pub(crate) struct Horde {
    pub(crate) machines: Vec<Machine>,
    /// On which side of the network each is.
    pub(crate) sides: Vec<bool>,
    pub(crate) usages: Vec<Usage>,
    /// Whether each has the label that `db` needs.
    pub(crate) disks: Vec<bool>,
    pub(crate) documents: Vec<(Held, Wish)>,
    pub(crate) now: u64,
    pub(crate) judge: Judge,
    /// How many plans became durable.
    pub(crate) plans: u64,
}

impl Horde {
    pub(crate) fn new(count: u8) -> Self {
        Self {
            machines: (0..count).map(Machine::new).collect(),
            sides: vec![false; count.into()],
            usages: vec![Usage::Open; count.into()],
            disks: (0..count).map(|number| number < 2).collect(),
            documents: Vec::new(),
            now: 1_000,
            judge: Judge::default(),
            plans: 0,
        }
    }

    /// A user signs a target on a node.
    pub(crate) fn apply(&mut self, on: usize, wish: Wish) {
        let Wish { web, version } = wish;
        let program = format!(
            "pick(web, {web}, ALL) pick(db, 1, LABEL(disk)) pick(app, 1, ALL) start app after 1 of db"
        );
        let last = self.machines[on].target.clone();
        let generation = last.as_ref().map_or(0, |held| held.marker.generation) + 1;
        let before = last.as_ref().and_then(Held::target);
        let earlier = before.map(|it| it.history(generation - 1, node(9))).unwrap_or_default();
        let configs = configs(version);
        let target = Target::new(&horde(), program, configs, String::new(), earlier).unwrap();
        let id = Digest([u8::try_from(self.documents.len()).unwrap(); 32]);
        let marker = Marker { grants_version: 1, generation, id };
        let held = Held { marker, content: Content::Target(Arc::new(target)) };
        self.documents.push((held.clone(), wish));
        self.machines[on].target = Some(held);
    }

    /// The wish of a document.
    pub(crate) fn wish(&self, marker: Marker) -> Wish {
        self.documents.iter().find(|(held, _)| held.marker == marker).unwrap().1
    }

    /// Every version that somebody signed.
    pub(crate) fn signed(&self) -> BTreeSet<SpecTag> {
        let targets = self.documents.iter().filter_map(|(held, _)| held.target());
        targets.flat_map(|it| it.services().values().map(Config::spec_tag)).collect()
    }

    fn hears(&self, one: usize, other: usize) -> bool {
        let both = [one, other].iter().all(|it| self.machines[*it].is_alive);
        both && self.sides[one] == self.sides[other]
    }

    /// The view of a machine.
    pub(crate) fn view(&self, by: usize) -> View {
        let node_of = |other: usize| {
            let fact = self.machines[by].known.get(&self.machines[other].number);
            let mut labels = BTreeMap::new();
            if self.disks[other] {
                labels.insert("disk".to_owned(), String::new());
            }
            Node {
                name: format!("n{other}"),
                labels,
                is_alive: self.hears(by, other),
                usage: self.usages[other],
                runs: fact.and_then(|fact| fact.runs.clone()),
                ..Node::default()
            }
        };
        let all = 0..self.machines.len();
        View { nodes: all.map(|it| (node(self.machines[it].number), node_of(it))).collect() }
    }

    /// Half a second passes.
    pub(crate) fn tick(&mut self) {
        self.now += TICK;
        for machine in self.machines.iter_mut().filter(|machine| machine.is_alive) {
            machine.work();
        }
        self.sync();
        for by in 0..self.machines.len() {
            if self.machines[by].is_alive {
                self.lead(by);
                self.machines[by].obey();
            }
        }
    }

    /// Every other pair of machines that hear each other compares what it knows.
    fn sync(&mut self) {
        let round = usize::try_from(self.now / TICK).unwrap();
        let all = self.machines.len();
        for (one, other) in (0..all).flat_map(|one| (0..all).map(move |other| (one, other))) {
            if one != other && (one + other + round) % 2 == 0 && self.hears(one, other) {
                let (known, target) =
                    (self.machines[other].known.clone(), self.machines[other].target.clone());
                self.machines[one].merge(&known, target.as_ref());
            }
        }
    }

    /// A machine decides whether it leads, and plans if it does.
    fn lead(&mut self, by: usize) {
        let view = self.view(by);
        let (target, newest) = (self.machines[by].target.clone(), self.machines[by].newest());
        self.tell(by, Event::Seen { view, target, newest });
        let greatest = self.greatest_claim(by);
        let known = self.machines[by].known.values().map(|fact| fact.term).max().unwrap_or(0);
        let first = (0..self.machines.len()).find(|other| self.hears(by, *other));
        let me = &mut self.machines[by];
        match greatest {
            None if first == Some(by) => me.say(|fact| fact.term = known + 1),
            Some((_, leader)) if usize::from(leader) != by && me.known[&me.number].term > 0 => {
                me.say(|fact| fact.term = 0);
            }
            _ => {}
        }
        let leads = self.greatest_claim(by).filter(|(_, leader)| usize::from(*leader) == by);
        let leads = leads.map(|(term, _)| term);
        if self.machines[by].leads != leads {
            self.machines[by].leads = leads;
            self.tell(by, Event::Led(leads));
        }
        if self.machines[by].writes {
            self.written(by);
        }
    }

    /// The greatest term of those that a machine hears, and its holder.
    fn greatest_claim(&self, by: usize) -> Option<(u64, u8)> {
        let heard = (0..self.machines.len()).filter(|other| self.hears(by, *other));
        let claim = |other: usize| {
            let number = self.machines[other].number;
            let term = self.machines[by].known.get(&number).map_or(0, |fact: &Fact| fact.term);
            (term > 0).then_some((term, number))
        };
        heard.filter_map(claim).max()
    }

    /// A plan is durable.
    fn written(&mut self, by: usize) {
        self.machines[by].writes = false;
        self.tell(by, Event::Planned(true));
        let own = node(self.machines[by].number);
        let plan = self.machines[by].engine.newest().filter(|it| it.pass.leader == own).cloned();
        let Some(plan) = plan else { return };
        self.plans += 1;
        self.judge.plan(&plan, &self.wish(plan.target), &self.signed());
        self.machines[by].say(|fact| fact.plan = Some(plan));
    }

    fn tell(&mut self, by: usize, event: Event) {
        let mut out = Vec::new();
        let (me, before) =
            (Some(self.machines[by].number), self.machines[by].engine.newest().cloned());
        self.machines[by].engine.handle(event, at(self.now), &mut out);
        for command in out {
            match command {
                Command::Plan(_) => {
                    self.machines[by].writes = true;
                    let newest = self.machines[by].engine.newest().cloned().or(before.clone());
                    self.judge.sees(node(self.machines[by].number), self.view(by), newest);
                }
                Command::Read(blob) => self.read(by, blob),
                // As the leader engine does: only under a plan whose leader it does not hear.
                Command::Outbid(greater) if self.greatest_claim(by).map(|it| it.1) == me => {
                    self.machines[by].say(|fact| fact.term = greater.term + 1);
                }
                Command::Outbid(_) | Command::Tell(_) => {}
            }
        }
    }

    fn read(&mut self, by: usize, blob: BlobId) {
        let targets = self.documents.iter().filter_map(|(held, _)| held.target());
        let found = targets.map(|it| &**it).find(|it| it.blob() == blob);
        let content = found.map(Target::to_canonical);
        self.tell(by, Event::Read { blob, content });
    }
}

/// The configs of a target with this version of `web`.
fn configs(version: u8) -> Vec<Config> {
    let replace_after = ReplaceAfter::Time(Duration::from_secs(5));
    let web = config("web", version, |it| {
        (it.rollout.step, it.rollout.deadline) = (Step::Nodes(1), Duration::from_secs(20));
        it.moving.replace_after = replace_after;
    });
    let db = config("db", 1, |it| it.moving.replace_after = replace_after);
    vec![web, db, config("app", 1, |_| ())]
}
