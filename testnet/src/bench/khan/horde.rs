use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::Digest;
use crux_crdt::blob::BlobId;
use crux_crdt::document::{Documents, Marker, Target};
use crux_crdt::name::Label;
use crux_crdt::record::{
    Frontier, Header, InstanceKey, InstanceReport, Marker as Version, NameTag, Pass as Number,
    Profile, Record, SlotKind, Stage, slots_root,
};
use crux_crdt::service::{Config, Fields, Image};
use crux_crdt::sign::{Identity, Signed};
use crux_protocol::proctor::planner::{Input, Member, Newest, Pass, Program, Timers, View, pass};
use crux_protocol::proctor::{Content, Held};
use crux_protocol::time::Instant;

use crate::Error;
use crate::bench::rig::broken;

const FLOCK: Digest = Digest([7; 32]);
/// When it plans, on its leader's clock.
const NOW: Duration = Duration::from_secs(1_000);
/// How long nodes are dead that are lost: longer than any service of the bench waits.
const DEAD_FOR: Duration = Duration::from_secs(120);

/// A horde as its leader has it: the records of its members, and a target with about as many instances as nodes.
pub(super) struct Horde {
    members: Vec<(Identity, Record)>,
    documents: Documents,
    program: Program,
    newest: Option<Newest>,
    /// Whether every tenth node is dead.
    is_hurt: bool,
    timers: Timers,
}

impl Horde {
    pub(super) fn new(nodes: usize, services: usize) -> Result<Self, Error> {
        let members = (0..nodes).map(|at| {
            let identity = identity(at);
            let record = record(&identity, None)?;
            Ok((identity, record))
        });
        let count = nodes / services;
        let text: String = (0..services).map(|at| format!("pick(s{at}, {count}, ALL)\n")).collect();
        let config = |at: usize| -> Result<Config, Error> {
            let name = format!("s{at}").parse().map_err(broken)?;
            Fields::new(name, Image::Blob(BlobId([1; 32]))).try_into().map_err(broken)
        };
        let configs = (0..services).map(config).collect::<Result<Vec<_>, _>>()?;
        let target = Target::new(&Label::main_horde(), text, configs, String::new(), Vec::new());
        let content = Content::Target(Arc::new(target.map_err(broken)?));
        let marker = Marker { grants_version: 1, generation: 1, id: FLOCK };
        Ok(Self {
            members: members.collect::<Result<_, Error>>()?,
            documents: Documents::default(),
            program: Program::of(&Held { marker, content }).map_err(broken)?,
            newest: None,
            is_hurt: false,
            timers: Timers::default(),
        })
    }

    /// The leader's times, for a plan.
    pub(super) fn timers(&self) -> Timers {
        self.timers.clone()
    }

    /// Makes a view of all records, and plans. Returns the view too, whose end is not to be timed.
    pub(super) fn plan(&self, timers: &mut Timers) -> Result<(View, Pass), Error> {
        self.plan_at(timers, Instant::after_origin(NOW))
    }

    fn plan_at(&self, timers: &mut Timers, now: Instant) -> Result<(View, Pass), Error> {
        let members = self.members.iter().enumerate().map(|(at, (_, record))| Member {
            name: format!("n{at:05}"),
            is_alive: !self.is_hurt || at % 10 != 0,
            record,
        });
        let view = View::of(members, &self.documents);
        let planned = pass(self.input(&view), timers, now).map_err(broken)?;
        Ok((view, planned))
    }

    fn input<'a>(&'a self, view: &'a View) -> Input<'a> {
        let leader = self.members[0].0.principal();
        let number = Number { term: 1, leader, pass: if self.newest.is_some() { 2 } else { 1 } };
        Input { view, program: &self.program, newest: self.newest.as_ref(), number }
    }

    /// Everything that is planned runs, and is ready.
    pub(super) fn obey(&mut self) -> Result<(), Error> {
        let (view, planned) = self.plan(&mut self.timers())?;
        let newest = planned.newest(&self.input(&view));
        for (identity, kept) in &mut self.members {
            let entries = newest.entries.get(&identity.principal()).into_iter().flatten();
            let lines: BTreeMap<_, _> = entries
                .map(|(key, amount)| {
                    let (service, stage) = (NameTag::of(&key.service), Stage::Ready);
                    let key = InstanceKey { service, spec: key.spec, stage, first: key.first };
                    (key, amount.count())
                })
                .collect();
            *kept = record(identity, InstanceReport::new(lines).map_err(broken)?)?;
        }
        self.newest = Some(newest);
        Ok(())
    }

    /// Every tenth node is dead, and was for long enough.
    pub(super) fn lose_a_tenth(&mut self) -> Result<(), Error> {
        self.is_hurt = true;
        let mut timers = self.timers();
        self.plan_at(&mut timers, Instant::after_origin(NOW.saturating_sub(DEAD_FOR)))?;
        self.timers = timers;
        Ok(())
    }
}

fn identity(at: usize) -> Identity {
    let mut seed = [9; 32];
    seed[..8].copy_from_slice(&(at as u64).to_le_bytes());
    Identity::from_seed(&seed)
}

/// The record of a node with this statement.
fn record(identity: &Identity, report: Option<InstanceReport>) -> Result<Record, Error> {
    let profile = Profile::default();
    let slots = report.map(SlotKind::into_slot);
    let slots: BTreeMap<_, _> = slots.into_iter().map(|slot| (slot.id(), Arc::new(slot))).collect();
    let header = Header {
        marker: Version { incarnation: 1, nonce: [1; 16], seq: 1 },
        slots_root: slots_root(slots.keys()),
        profile_hash: profile.hash(),
        acts: Frontier::default(),
    };
    Record::new(Signed::sign(header, &FLOCK, identity), profile, slots).map_err(broken)
}
