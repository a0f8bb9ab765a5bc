//! A horde by hand: nodes n0, n1, … with small numbers, services whose versions are the numbers of their images.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::blob::BlobId;
use crux_crdt::document::{Marker, Target, Usage};
use crux_crdt::name::{Label, ServiceName};
use crux_crdt::record::{First, InstanceKey, InstanceReport, NameTag, Pass as Number, Stage};
use crux_crdt::service::{Config, Fields, Image, SpecTag};
use crux_crdt::{Digest, Principal};
use crux_protocol::proctor::planner::{Input, Newest, Node, Pass, Program, Timers, View, pass};
use crux_protocol::proctor::{Content, Held};
use crux_protocol::time::Instant;

pub(crate) fn at(millis: u64) -> Instant {
    Instant::after_origin(Duration::from_millis(millis))
}

pub(crate) const fn node(number: u8) -> Principal {
    Principal([number; 32])
}

pub(crate) fn name(text: &str) -> ServiceName {
    text.parse().unwrap()
}

pub(crate) fn horde() -> Label {
    "main".parse().unwrap()
}

/// A version of a service, and what else its config says.
pub(crate) fn config(text: &str, version: u8, change: impl FnOnce(&mut Fields<Image>)) -> Config {
    let mut fields = Fields::new(name(text), Image::Blob(BlobId([version; 32])));
    change(&mut fields);
    fields.try_into().unwrap()
}

pub(crate) fn plain(text: &str, version: u8) -> Config {
    config(text, version, |_| ())
}

/// The tag of a version of a service whose config says nothing else.
pub(crate) fn spec(text: &str, version: u8) -> SpecTag {
    plain(text, version).spec_tag()
}

pub(crate) fn marker(generation: u64) -> Marker {
    Marker { grants_version: 1, generation, id: Digest([1; 32]) }
}

pub(crate) fn held(generation: u64, program: &str, configs: Vec<Config>) -> Held {
    let target = Target::new(&horde(), program.to_owned(), configs, String::new(), Vec::new());
    Held { marker: marker(generation), content: Content::Target(Arc::new(target.unwrap())) }
}

/// The pass of leader n0 in term 3.
pub(crate) const fn number(pass: u64) -> Number {
    Number { term: 3, leader: node(0), pass }
}

/// A statement of a node: service, version, stage, how many, and the pass that assigned them.
pub(crate) type Line<'a> = (&'a str, u8, Stage, u16, u64);

pub(crate) fn report(lines: &[Line<'_>]) -> Option<InstanceReport> {
    let line = |(service, version, stage, count, first): &Line<'_>| {
        let (tag, spec) = (NameTag::of(&name(service)), spec(service, *version));
        let first = First::from(number(*first));
        (InstanceKey { service: tag, spec, stage: *stage, first }, *count)
    };
    InstanceReport::new(lines.iter().map(line).collect()).unwrap()
}

/// A horde with a leader, whose plans are obeyed when the test says so.
pub(crate) struct Site {
    pub(crate) view: View,
    pub(crate) program: Program,
    pub(crate) newest: Option<Newest>,
    pub(crate) timers: Timers,
    pub(crate) now: u64,
    pub(crate) number: u64,
}

impl Site {
    /// So many nodes, all alive, on which nothing runs.
    pub(crate) fn new(nodes: u8, program: &str, configs: Vec<Config>) -> Self {
        let node_of = |number| {
            (node(number), Node { name: format!("n{number}"), is_alive: true, ..Node::default() })
        };
        Self {
            view: View { nodes: (0..nodes).map(node_of).collect() },
            program: Program::of(&held(1, program, configs)).unwrap(),
            newest: None,
            timers: Timers::default(),
            now: 1_000,
            number: 0,
        }
    }

    pub(crate) fn node(&mut self, number: u8) -> &mut Node {
        self.view.nodes.get_mut(&node(number)).unwrap()
    }

    /// Another generation of the target.
    pub(crate) fn apply(&mut self, program: &str, configs: Vec<Config>) {
        let generation = self.program.marker.generation + 1;
        self.program = Program::of(&held(generation, program, configs)).unwrap();
    }

    /// A pass that nobody obeys.
    pub(crate) fn look(&mut self) -> Pass {
        let input = Input {
            view: &self.view,
            program: &self.program,
            newest: self.newest.as_ref(),
            number: number(self.number + 1),
        };
        pass(input, &mut self.timers, at(self.now)).unwrap()
    }

    /// A pass that becomes the newest plan. Returns what it assigns: see [`shown`].
    pub(crate) fn plan(&mut self) -> String {
        let planned = self.look();
        let input = Input {
            view: &self.view,
            program: &self.program,
            newest: None,
            number: number(self.number + 1),
        };
        let next = planned.newest(&input);
        if !self.newest.as_ref().is_some_and(|last| last.says(&next)) {
            self.number += 1;
            self.newest = Some(next);
        }
        shown(&planned)
    }

    /// All live nodes run what the newest plan lets them start, and it is ready.
    pub(crate) fn obey(&mut self) {
        for (principal, node) in self.view.nodes.iter_mut().filter(|(_, node)| node.is_alive) {
            let entries = self.newest.iter().filter_map(|it| it.entries.get(principal)).flatten();
            let mut lines = BTreeMap::new();
            for (key, amount) in entries.filter(|(_, amount)| amount.released() > 0) {
                let service = NameTag::of(&key.service);
                let key =
                    InstanceKey { service, spec: key.spec, stage: Stage::Ready, first: key.first };
                lines.insert(key, amount.released());
            }
            node.runs = InstanceReport::new(lines).unwrap();
        }
    }

    /// Plans and obeys until nothing changes. Returns what is assigned then.
    pub(crate) fn settle(&mut self) -> String {
        for _ in 0..50 {
            let last = self.number;
            let shown = self.plan();
            self.obey();
            if self.number == last {
                return shown;
            }
        }
        panic!("it never settles: {}", self.plan());
    }

    /// How many passes were said.
    pub(crate) const fn said(&self) -> u64 {
        self.number
    }
}

/// The assignments of a pass: `n0:web1x2@1`, two instances of version 1 that pass 1 assigned first; `/1` after the count: only
/// one of them may start.
pub(crate) fn shown(planned: &Pass) -> String {
    let mut all = Vec::new();
    for (node, entries) in &planned.entries {
        for (key, amount) in entries {
            let version = (1..=9).find(|it| spec(key.service.as_str(), *it) == key.spec);
            let version = version.map_or("?".to_owned(), |version| version.to_string());
            let (count, released) = (amount.count(), amount.released());
            let count = if count > 1 { format!("x{count}") } else { String::new() };
            let held =
                if released < amount.count() { format!("/{released}") } else { String::new() };
            let (service, first) = (&key.service, key.first.pass);
            all.push(format!("n{}:{service}{version}{count}{held}@{first}", node.0[0]));
        }
    }
    all.join(" ")
}

/// The lines of a pass, without reasons.
pub(crate) fn steps(planned: &Pass) -> Vec<String> {
    let brief = |step: String| step.split(';').next().unwrap().to_owned();
    planned.steps.iter().map(|step| brief(step.to_string())).collect()
}

/// Holds, as text.
pub(crate) fn holds(planned: &Pass) -> Vec<String> {
    planned.holds.iter().map(|hold| format!("{}: {}", hold.service, hold.why.as_str())).collect()
}

pub(crate) const fn draining(deadline: Option<u64>) -> Usage {
    match deadline {
        Some(millis) => Usage::Draining { deadline: Some(Duration::from_millis(millis)) },
        None => Usage::Draining { deadline: None },
    }
}
