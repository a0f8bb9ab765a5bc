//! The invariants of the supervisor, checked with each of its commands, and what has to be so in the end.

use std::collections::BTreeSet;
use std::time::Duration;

use crux_crdt::name::ServiceName;
use crux_crdt::service::UpdateBy;
use crux_protocol::picket::{
    InstanceId, Outcome, Record, Request, RequestId, Row, RunState, Wait, Wanted,
};

use super::contents::{self, Content};
use super::rig::{millis, secs};
use super::world::{CRASHES_AFTER, Item, Known, World};

/// How long one try of a service that cannot run well takes at most: its `start_timeout` of 10 s, the quit, and
/// what the machine needs. Its `retry_failed` is 30 s: longer, so that it is *failed* in between.
const TRY_TAKES: Duration = secs(25);

impl World {
    /// Whether an instance may be started.
    pub(super) fn check_spawn(&mut self, record: &Record, by: UpdateBy) {
        assert_eq!(self.records.get(&record.instance), Some(record), "recorded before");
        assert!(self.sealed.contains(&record.blob), "sealed before");
        assert!(self.stopping.is_none(), "the node stops");
        let wanted = self.state.as_ref().unwrap().wanted_of(&record.service).unwrap();
        assert!(wanted.run && wanted.current.number == record.version);
        let refused = wanted.refused.as_ref().map(|version| version.number);
        assert_ne!(refused, Some(record.version), "it was taken back");
        let waiting = self.queue.values().filter_map(|item| match item {
            Item::Spawn(record) => Some(record),
            _ => None,
        });
        let all = self.programs.values().map(|program| &program.record).chain(waiting);
        let of: Vec<&Record> = all.filter(|it| it.service == record.service).collect();
        let here: Vec<_> = of.iter().filter(|it| it.ordinal == record.ordinal).collect();
        if let Some(other) = here.first() {
            assert_eq!(here.len(), 1, "{here:?}");
            // It may have failed since the new one began.
            assert!(other.version != record.version && by == UpdateBy::Overlap, "{other:?}");
            let mut places: Vec<u16> = of.iter().map(|it| it.ordinal).collect();
            places.sort_unstable();
            let twice = places.windows(2).any(|two| two[0] == two[1]);
            assert!(!twice, "one place at a time: {of:?}");
        }
        for other in &of {
            let same =
                other.ports.values().find(|port| record.ports.values().any(|it| it == *port));
            assert_eq!(same, None, "two have one port: {of:?}");
        }
        let starts = self.starts.entry((record.service.clone(), record.ordinal)).or_default();
        starts.push(self.now);
        let lately = starts.iter().filter(|at| self.now.since(**at) < secs(60)).count();
        assert!(lately <= 10, "{lately} starts of {} within a minute", record.service);
        self.known.insert(record.instance.clone(), Known::default());
    }

    /// Whether an instance may be signalled.
    pub(super) fn check_signal(&mut self, instance: &InstanceId) {
        let known = self.known.entry(instance.clone()).or_default();
        // A program that ended by itself was not told to, also if its children are killed.
        known.signalled |= !known.ended;
        if known.ended || !self.fulcrum || self.stopping.is_some() {
            return;
        }
        assert!(!self.told.contains(instance), "{instance} is registered and signalled");
        if self.registered.contains(instance) {
            let since = known.withdrawn.map(|at| self.now.since(at));
            assert!(since.is_some_and(|it| it >= secs(2)), "the others still see it: {since:?}");
        }
    }

    /// Whether all of these may be registered.
    pub(super) fn check_publish(&mut self, all: &BTreeSet<InstanceId>) {
        assert!(self.fulcrum, "nobody is there");
        for instance in all {
            let known = &self.known[instance];
            let lived = known.spawned.is_some_and(|at| self.now.since(at) >= secs(1));
            let checks = contents::checks(self.records.get(instance).map(|it| it.blob));
            let up = known.passed.len() >= checks && (checks > 0 || lived);
            assert!(known.was_up || up, "{instance} is not up");
            assert!(!known.ended && !known.signalled, "{instance} ended: {known:?}");
        }
        for instance in self.told.difference(all) {
            let known = self.known.entry(instance.clone()).or_default();
            known.withdrawn = Some(self.now);
        }
        self.told.clone_from(all);
    }

    pub(super) fn check_answer(&mut self, id: RequestId, outcome: &Outcome) {
        let asked = self.asked.remove(&id);
        let (request, wait, until) = asked.expect("each request is answered once");
        assert!(self.now <= until + millis(100), "too late: {request:?} {outcome:?}");
        let Outcome::Done(rows) = outcome else { return };
        let name = request.name().unwrap();
        match request {
            Request::Stop(_) | Request::Remove(_) if wait != Wait::Nothing => {
                let mut of = self.programs.values().filter(|it| it.record.service == *name);
                assert!(of.next().is_none(), "{request:?} is done and something runs");
            }
            _ if wait == Wait::Up => {
                let fine = [
                    RunState::Up,
                    RunState::Degraded,
                    RunState::Paused,
                    RunState::Done,
                    RunState::Stopped,
                    RunState::Draining,
                    RunState::Stopping,
                ];
                let all = rows.iter().all(|row| fine.contains(&row.state));
                assert!(all, "{request:?}: {rows:#?}");
            }
            _ => {}
        }
    }

    /// Nothing breaks any longer: once it had time, everything is as it is wanted.
    pub(super) fn settle(&mut self) {
        self.disk(true);
        for service in contents::SERVICES {
            self.pause(service, false);
            self.sicken(service, false);
        }
        self.run(secs(1200));
        let mut up = self.check_hopeless();
        assert!(self.asked.is_empty(), "never answered: {:?}", self.asked);
        let state = self.state.as_ref().expect("the picket is back");
        for (name, wanted) in state.all_wanted() {
            let rows = state.rows_of(name);
            let of = self.programs.values().filter(|it| it.record.service == *name).count();
            let content = contents::of(wanted.current.image.blob());
            if !wanted.run {
                assert_eq!(of, 0, "{name} is stopped: {rows:#?}");
            } else if content.is_good() {
                let states: Vec<_> = rows.iter().map(|row| row.state).collect();
                let count = usize::from(wanted.current.config.count);
                assert_eq!(states, vec![RunState::Up; count], "{name}: {rows:#?}");
                assert_eq!(of, count);
                assert!(!wanted.on_trial, "{name} proved itself");
                up.extend(
                    rows.into_iter()
                        .filter(|it| !it.ports.is_empty())
                        .map(|it| it.instance.unwrap()),
                );
            } else if content == Content::Job {
                assert_eq!((rows[0].state, of), (RunState::Done, 0), "{rows:#?}");
            } else {
                assert!(!wanted.on_trial || wanted.previous.is_none(), "it was taken back");
            }
        }
        for program in self.programs.values() {
            assert!(state.wanted_of(&program.record.service).is_some(), "nobody wants {program:?}");
        }
        let lasts = |instance: &&InstanceId| {
            let program = self.programs.get(*instance);
            program.is_none_or(|it| contents::of(it.record.blob) != Content::Crashes)
        };
        let registered: BTreeSet<_> = self.registered.iter().filter(lasts).cloned().collect();
        assert_eq!(registered, up, "registered is what is up");
        let footprint = state.footprint();
        assert!(footprint.instances <= self.programs.len() + 3, "{footprint:?}");
        let running: BTreeSet<_> = self.programs.keys().collect();
        let recorded: BTreeSet<_> = self.records.keys().collect();
        assert!(running.is_subset(&recorded));
        assert!(recorded.len() <= running.len() + 3, "{recorded:?} {running:?}");
    }

    /// A service that cannot run well has ended in *failed*, at the latest when its next try is over; or what
    /// it was before serves on in an overlap that never ends. It is up at no look, but for a program that
    /// accepts before it crashes, and for that long. The instances that serve on.
    fn check_hopeless(&mut self) -> BTreeSet<InstanceId> {
        let state = self.state.as_ref().expect("the picket is back");
        let is_hopeless = |wanted: &Wanted| {
            let content = contents::of(wanted.current.image.blob());
            wanted.run && !content.is_good() && content != Content::Job
        };
        let all = state.all_wanted().filter(|(_, wanted)| is_hopeless(wanted));
        let mut left: BTreeSet<ServiceName> = all.map(|(name, _)| name.clone()).collect();
        let mut serving = BTreeSet::new();
        let until = self.now + TRY_TAKES;
        while !left.is_empty() {
            assert!(self.now < until, "neither up, failed nor stopped: {left:?}");
            left.retain(|name| {
                let rows = self.state.as_ref().expect("it runs").rows_of(name);
                let old = rows.iter().filter_map(|row| self.old_one(row));
                serving.extend(old);
                let is_over = |row: &Row| match &row.instance {
                    Some(instance) => serving.contains(instance),
                    None => row.state == RunState::Failed,
                };
                !rows.iter().all(is_over)
            });
            self.run(millis(50));
        }
        serving
    }

    /// The instance of a hopeless service that is up, if it is one of another content that serves on.
    fn old_one(&self, row: &Row) -> Option<InstanceId> {
        let instance = row.instance.clone().filter(|_| row.state == RunState::Up)?;
        let program = self.programs.get(&instance).expect("what is up runs");
        let state = self.state.as_ref().expect("it runs");
        let wanted = state.wanted_of(&row.service).expect("it is wanted");
        let age = self.now.since(program.since);
        match contents::of(program.record.blob) {
            Content::Crashes => {
                assert!(age <= CRASHES_AFTER + millis(5), "up for {age:?}: {row:#?}");
                None
            }
            content => {
                assert!(content.is_good(), "{content:?} is up: {row:#?}");
                assert_ne!(program.record.version, wanted.current.number);
                assert_eq!(wanted.current.config.update_by(), UpdateBy::Overlap);
                Some(instance)
            }
        }
    }
}
