//! The laws, each checked when something happens that could break it.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::service::UpdateBy;
use crux_protocol::picket::{
    InstanceId, Outcome, Record, Refusal, Request, RequestId, RunState, State, Version, Wait,
};

use super::program::{self, SERVICES};
use super::world::{Known, World};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// How long the picket may wait for the fulcrum's word.
const WORD: Duration = secs(2);
/// How many starts of a place a minute may have.
const STARTS: usize = 10;

pub(super) fn law(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

/// Whether a refusal is one of a content that was taken back; the service may be the target's by now.
const fn refuses_again(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::RolledBack(_) | Refusal::OfTarget(_) | Refusal::Disk(_))
}

impl World {
    /// Whether the engine keeps its bounds, and acts upon what is on the disk.
    pub(super) fn check_state(&self, state: &State, is_found: bool) -> Result<(), String> {
        let footprint = state.footprint();
        let is_bounded = footprint.services <= SERVICES.len()
            && footprint.waiting <= 100
            && footprint.instances <= 30
            && footprint.remembered <= 300;
        law(is_bounded, || format!("not bounded: {footprint:?}"))?;
        self.check_stopped(state)?;
        if self.is_ahead || is_found {
            return Ok(());
        }
        let wanted = state.all_wanted().map(|(name, it)| (name.clone(), it.clone()));
        let wanted: BTreeMap<_, _> = wanted.collect();
        // A config that is renamed and not flushed yet is on its way.
        let is_durable = wanted == self.disk.desired().services
            || state.generation() < self.disk.desired().generation;
        law(is_durable, || "it acts upon what is not on the disk".to_owned())
    }

    /// Whether nothing runs of a service that is stopped.
    fn check_stopped(&self, state: &State) -> Result<(), String> {
        let stopped = state.all_wanted().filter(|(_, wanted)| !wanted.run && !self.is_adopting);
        for (name, _) in stopped {
            let rows = state.rows_of(name);
            let is_stopped = rows.iter().all(|row| row.state == RunState::Stopped);
            let mut left = self.keepers.values().filter(|it| it.record.service == *name);
            law(!is_stopped || left.next().is_none(), || format!("{name} is stopped and runs"))?;
        }
        Ok(())
    }

    /// Whether the store keeps the images of services, and their predecessors.
    pub(super) fn check_pins(&self) -> Result<(), String> {
        let Some(state) = &self.state else { return Ok(()) };
        let kept = state.all_wanted().flat_map(|(_, it)| [Some(&it.current), it.previous.as_ref()]);
        let mut lost = kept.flatten().filter(|it| !self.pinned.contains(&it.image.blob()));
        let is_adopting = self.is_adopting;
        law(is_adopting || lost.next().is_none(), || {
            format!("the store may let go of an image that is wanted: it keeps {:?}", self.pinned)
        })
    }

    /// Whether an instance may be started.
    pub(super) fn check_spawn(&mut self, record: &Record, version: &Version) -> Result<(), String> {
        let instance = &record.instance;
        let is_recorded = self.disk.record(instance) == Some(record);
        law(is_recorded, || format!("{instance} is spawned and not recorded"))?;
        law(self.sealed.contains(&record.blob), || {
            format!("the image of {instance} is not sealed")
        })?;
        law(self.stopping.is_none(), || format!("{instance} is spawned while the node stops"))?;
        let wanted = self.state.as_ref().and_then(|state| state.wanted_of(&record.service));
        self.check_placed(record)?;
        let current = wanted.filter(|it| it.run).map(|wanted| wanted.current.number);
        law(current == Some(record.version), || format!("{instance} is not wanted"))?;
        let refused = wanted.and_then(|it| it.refused.as_ref()).map(|it| it.number);
        law(refused != Some(record.version), || format!("{instance} was taken back"))?;
        let count = version.config.count;
        law(record.ordinal < count, || format!("{instance} is beyond the count"))?;
        let place = (record.service.clone(), record.ordinal, record.version);
        law(!self.finished.contains(&place), || format!("{instance} is spawned, and is done"))?;
        self.check_place(record, version)?;
        self.check_starts(record)?;
        let known = Known { blob: Some(record.blob), ..Known::default() };
        self.known.insert(instance.clone(), known);
        Ok(())
    }

    /// Of one ordinal one instance has a process, in an overlap two, and one ordinal overlaps at a time.
    fn check_place(&self, record: &Record, version: &Version) -> Result<(), String> {
        let spawned = self.keepers.values().map(|keeper| &keeper.record);
        let all = spawned.chain(self.spawning()).filter(|it| it.service == record.service);
        let all: Vec<&Record> = all.collect();
        let here: Vec<_> = all.iter().filter(|it| it.ordinal == record.ordinal).collect();
        let same = all.iter().flat_map(|it| it.ports.values());
        let mut same = same.filter(|port| record.ports.values().any(|it| it == *port));
        law(same.next().is_none(), || format!("two have a port of {record:?}: {all:?}"))?;
        let Some(other) = here.first() else { return Ok(()) };
        law(here.len() == 1, || format!("three in one place: {record:?} {here:?}"))?;
        let overlaps = version.config.update_by() == UpdateBy::Overlap;
        let is_other = other.version != record.version;
        law(overlaps && is_other, || format!("two in one place: {record:?} {other:?}"))?;
        let mut places: Vec<u16> = all.iter().map(|it| it.ordinal).collect();
        places.sort_unstable();
        let twice = places.windows(2).any(|two| two[0] == two[1]);
        law(!twice, || format!("two places overlap: {record:?} {all:?}"))
    }

    /// A place is started so often a minute at most. Another content is there because somebody wants it, be it the same as
    /// before: what was removed and added again while a set waited for the disk.
    fn check_starts(&mut self, record: &Record) -> Result<(), String> {
        let now = self.now;
        let place = (record.service.clone(), record.ordinal);
        let (content, starts) = self.starts.entry(place).or_default();
        if std::mem::replace(content, record.version) != record.version {
            starts.clear();
        }
        starts.push(now);
        let lately = starts.iter().filter(|at| now.since(**at) < secs(60)).count();
        law(lately <= STARTS, || format!("{} starts of {} in a minute", lately, record.service))
    }

    /// Whether an instance may be signalled.
    pub(super) fn check_signal(&mut self, instance: &InstanceId) -> Result<(), String> {
        let (now, stopping) = (self.now, self.stopping.is_some());
        let Some(known) = self.known.get_mut(instance) else {
            return Err(format!("{instance} is signalled, and this picket has none of that name"));
        };
        known.signalled |= !known.ended;
        if known.ended || !self.fulcrum {
            return Ok(());
        }
        let since = known.withdrawn.map(|at| now.since(at));
        let is_told = self.told.contains(instance);
        law(!is_told, || format!("{instance} is registered and signalled"))?;
        let waited = since.is_some_and(|it| it >= WORD) || stopping;
        let is_there = self.registered.contains(instance);
        law(!is_there || waited, || {
            format!("{instance} is signalled without the fulcrum's word, after {since:?}")
        })
    }

    /// Whether all of these may be registered.
    pub(super) fn check_publish(&mut self, all: &BTreeSet<InstanceId>) -> Result<(), String> {
        law(self.fulcrum, || "registrations for a fulcrum that is away".to_owned())?;
        for instance in all {
            let Some(known) = self.known.get(instance) else {
                return Err(format!("{instance} is registered, and there is none"));
            };
            let lived = known.spawned.is_some_and(|at| self.now.since(at) >= secs(1));
            let checks = known.blob.map_or(0, |blob| program::of(blob).checks());
            let up = known.passed.len() >= checks && (checks > 0 || lived);
            law(known.was_up || up, || format!("{instance} is registered and not up"))?;
            let ended = known.ended || known.signalled;
            law(!ended, || format!("{instance} is registered and ended"))?;
        }
        for instance in self.told.difference(all) {
            let known = self.known.entry(instance.clone()).or_default();
            known.withdrawn = Some(self.now);
        }
        self.told.clone_from(all);
        Ok(())
    }

    /// A request is answered.
    pub(super) fn check_answer(&mut self, id: RequestId, outcome: &Outcome) {
        self.answered += 1;
        match outcome {
            Outcome::Refused(_) => self.refused += 1,
            _ => self.done += 1,
        }
        let checked = self.check_outcome(id, outcome);
        self.hold(checked);
    }

    fn check_outcome(&mut self, id: RequestId, outcome: &Outcome) -> Result<(), String> {
        let asked = self.asked.remove(&id).ok_or("a request is answered twice")?;
        let request = &asked.request;
        let is_late = self.now > asked.until + Duration::from_millis(100);
        law(!is_late, || format!("too late: {request:?}: {outcome:?}"))?;
        if let Request::Goals(goals) = request {
            let is_taken = matches!(outcome, Outcome::Done(_));
            return if is_taken { self.check_taken(goals) } else { Ok(()) };
        }
        let name = request.name().ok_or("goals alone have no name")?;
        if asked.is_refused && matches!(request, Request::Add { .. }) {
            let again = matches!(outcome, Outcome::Refused(refusal) if refuses_again(refusal));
            law(again, || format!("{name} was taken back, and is tried again: {outcome:?}"))?;
        }
        let Outcome::Done(rows) = outcome else { return Ok(()) };
        match request {
            Request::Stop(_) | Request::Remove(_) if asked.wait != Wait::Nothing => {
                let left = self.keepers.values().any(|it| it.record.service == *name);
                law(!left, || format!("{request:?} is done and something runs"))
            }
            _ if asked.wait == Wait::Up => {
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
                law(all, || format!("{request:?} is done and not up: {rows:?}"))
            }
            _ => Ok(()),
        }
    }

    /// The node has stopped.
    pub(super) fn check_all_stopped(&self) -> Result<(), String> {
        let Some((since, within)) = self.stopping else {
            return Err("all is stopped, and nobody said so".to_owned());
        };
        let left: Vec<_> = self.keepers.keys().collect();
        law(left.is_empty(), || format!("all is stopped, and there is {left:?}"))?;
        let took = self.now.since(since);
        // The machine needs some time to carry out the last kill.
        let most = within + Duration::from_millis(300);
        law(took <= most, || format!("the stop took {took:?}"))
    }
}
