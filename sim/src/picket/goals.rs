//! The laws of goals, each checked when something happens that could break it.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::name::ServiceName;
use crux_crdt::record::Stage;
use crux_crdt::service::SpecTag;
use crux_protocol::picket::{
    Accepted, Desired, Goal, Goals, InstanceId, Order, Owned, OwnedRow, Owner, Record, RunState,
    State, Wanted,
};
use crux_protocol::time::Instant;

use super::laws::law;
use super::program;
use super::world::World;

/// The goals of a node, as far as they were seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The greatest order that the node acted upon, in all its lives.
    order: Option<Order>,
    /// The last report to this fulcrum.
    pub(super) report: Option<Owned>,
    /// The period of each service, and since when it holds for this picket.
    periods: BTreeMap<ServiceName, (Duration, Instant)>,
    /// When a check passed last, while nothing came between.
    passed: BTreeMap<(InstanceId, usize), Instant>,
}

impl Seen {
    /// The picket died.
    pub(super) fn forget_picket(&mut self) {
        self.report = None;
        self.periods.clear();
        self.passed.clear();
    }

    /// A check was made, and what it said.
    pub(super) fn note_check(&mut self, instance: &InstanceId, check: usize, at: Option<Instant>) {
        let key = (instance.clone(), check);
        match at {
            Some(at) => drop(self.passed.insert(key, at)),
            None => drop(self.passed.remove(&key)),
        }
    }

    /// Its checks rest.
    pub(super) fn note_pause(&mut self, instance: &InstanceId) {
        self.passed.retain(|(it, _), _| it != instance);
    }
}

/// Those of the target, with the version that it wants of each.
fn of_target<'a>(
    all: impl Iterator<Item = (&'a ServiceName, &'a Wanted)>,
) -> BTreeMap<&'a ServiceName, SpecTag> {
    let spec = |(name, wanted): (&'a ServiceName, &'a Wanted)| match wanted.owner {
        Owner::Target { spec, .. } => Some((name, spec)),
        Owner::Person => None,
    };
    all.filter_map(spec).collect()
}

impl World {
    /// Whether the engine's goals are those on the disk, and not older than any before.
    pub(super) fn check_accepted(&mut self, state: &State) -> Result<(), String> {
        let accepted = state.accepted();
        let before = self.seen.order;
        law(accepted.order >= before, || format!("back from {before:?} to {:?}", accepted.order))?;
        self.seen.order = accepted.order;
        let now = self.now;
        for (name, wanted) in state.all_wanted() {
            let period = wanted.current.config.period;
            let known = self.seen.periods.entry(name.clone()).or_insert((period, now));
            if known.0 != period {
                *known = (period, now);
            }
        }
        if self.is_ahead || self.is_adopting {
            return Ok(());
        }
        let is_durable = *accepted == self.disk.desired().accepted
            || state.generation() < self.disk.desired().generation;
        law(is_durable, || "it acts upon goals that are not on the disk".to_owned())
    }

    /// Whether a generation changes only what may be changed now.
    pub(super) fn check_save(&self, desired: &Desired) -> Result<(), String> {
        let Some(state) = &self.state else { return Ok(()) };
        let all: BTreeMap<_, _> = state.all_wanted().collect();
        let names: BTreeSet<_> = all.keys().copied().chain(desired.services.keys()).collect();
        for name in names {
            let (now, next) = (all.get(name).copied(), desired.services.get(name));
            if now != next {
                self.check_change(state.accepted(), name, now, next)?;
            }
        }
        Ok(())
    }

    fn check_change(
        &self,
        accepted: &Accepted,
        name: &ServiceName,
        now: Option<&Wanted>,
        next: Option<&Wanted>,
    ) -> Result<(), String> {
        let owner = |wanted: &Wanted| wanted.owner.is_target();
        let owners: BTreeSet<bool> = now.into_iter().chain(next).map(owner).collect();
        law(owners.len() == 1, || format!("{name} changes hands: {now:?} to {next:?}"))?;
        let is_of_target = owners.contains(&true);
        let may = |request: &Option<ServiceName>| match request {
            Some(asked) => asked == name,
            None => is_of_target,
        };
        let mut asked = self.asked.values().map(|asked| asked.request.name().cloned());
        let is_asked = asked.any(|request| may(&request));
        let by_itself = match (now, next) {
            (Some(now), Some(next)) => {
                let known = [Some(&now.current), now.previous.as_ref()].into_iter().flatten();
                let mut known = known.map(|version| version.number);
                next.run == now.run && known.any(|number| number == next.current.number)
            }
            (None, Some(_)) => accepted.blocked.contains_key(name),
            (_, None) => false,
        };
        law(is_asked || by_itself, || {
            format!("nobody wanted that of {name}: {now:?} to {next:?}")
        })?;
        // A person may have it started again, which only forgets that it was done.
        let by_person = self.asked.values().all(|asked| asked.request.name().is_some());
        let is_touched = is_of_target && by_person && !by_itself;
        law(!is_touched, || format!("a person changed {name} of the target: {next:?}"))
    }

    /// A set was taken: all of it is there, and nothing else of the target.
    pub(super) fn check_taken(&mut self, goals: &Goals) -> Result<(), String> {
        let Some(state) = &self.state else { return Ok(()) };
        check_goals(state, goals)?;
        if let Some(target) = &mut self.target {
            target.taken = Some(goals.clone());
        }
        Ok(())
    }

    /// Whether the disk has what an instance of the target is started for.
    pub(super) fn check_placed(&self, record: &Record) -> Result<(), String> {
        let durable = self.disk.durable().services.get(&record.service);
        let is_placed = durable.is_some_and(|wanted| wanted.owner.is_target());
        law(record.placed.is_none() || is_placed || self.is_ahead, || {
            format!("{} is not durable: {durable:?}", record.instance)
        })
    }

    /// Whether a check is made when the period has it.
    pub(super) fn check_period(&self, instance: &InstanceId, check: usize) -> Result<(), String> {
        let (Some(state), Some(last)) =
            (&self.state, self.seen.passed.get(&(instance.clone(), check)))
        else {
            return Ok(());
        };
        let rows = state.rows();
        let Some(row) = rows.iter().find(|row| row.instance.as_ref() == Some(instance)) else {
            return Ok(());
        };
        let Some(wanted) = state.wanted_of(&row.service) else { return Ok(()) };
        let Some((period, since)) = self.seen.periods.get(&row.service) else { return Ok(()) };
        if row.state != RunState::Up || row.version != wanted.current.number {
            return Ok(());
        }
        let waited = self.now.since(*last.max(since));
        law(waited <= *period, || {
            format!("{instance} is checked after {waited:?}, not {period:?}")
        })?;
        law(since > last || waited >= *period, || {
            format!("{instance} is checked after {waited:?} already, not {period:?}")
        })
    }

    /// Whether everything of the target that runs is in the last report.
    pub(super) fn check_report(&self, state: &State) -> Result<(), String> {
        let Some(report) = self.seen.report.as_ref().filter(|_| self.fulcrum && !self.is_adopting)
        else {
            return Ok(());
        };
        law(report.order == state.accepted().order, || "a report of another order".to_owned())?;
        // All of a service, and those of a version that is known.
        let mut running: BTreeMap<(&ServiceName, Option<SpecTag>), u16> = BTreeMap::new();
        for record in self.keepers.values().map(|keeper| &keeper.record) {
            if record.placed.is_none() {
                continue;
            }
            let wanted = state.wanted_of(&record.service);
            let versions = wanted.map(|it| [Some(&it.current), it.previous.as_ref()]);
            let mut versions = versions.into_iter().flatten().flatten();
            let version = versions.find(|version| version.number == record.version);
            // One that is not wanted any more may have had settings of another version than it was started for.
            let spec = version.and_then(|version| version.spec);
            let keys = [None].into_iter().chain(spec.map(Some));
            keys.for_each(|spec| *running.entry((&record.service, spec)).or_default() += 1);
        }
        for ((service, spec), count) in running {
            let is_it = |row: &&OwnedRow| {
                row.service == *service && spec.is_none_or(|spec| row.spec == spec)
            };
            let of = report.rows.iter().filter(is_it).filter(|row| row.stage.is_running());
            let told: u16 = of.map(|row| row.count).sum();
            law(told >= count, || {
                format!("of {service} {spec:?} {count} run, and the report has {told}: {report:?}")
            })?;
        }
        Ok(())
    }

    /// In the end the last set is enacted, and the report says how far.
    pub(super) fn check_goals_at_end(&self) -> Result<(), String> {
        let (Some(state), Some(target)) = (&self.state, &self.target) else { return Ok(()) };
        let taken = target.taken.as_ref();
        if let Some(goals) = taken.filter(|it| Some(it.order()) == state.accepted().order) {
            check_goals(state, goals)?;
        }
        for name in state.accepted().blocked.keys() {
            let wanted = state.wanted_of(name);
            let is_taken = wanted.is_some_and(|wanted| !wanted.owner.is_target());
            law(is_taken, || format!("{name} is blocked, and nothing is in its way"))?;
        }
        let report = self.seen.report.as_ref().ok_or("nothing was ever reported")?;
        let of_target = of_target(state.all_wanted());
        for row in &report.rows {
            let is_blocked = state.accepted().blocked.contains_key(&row.service);
            let is_there = match row.stage {
                Stage::Blocked => is_blocked,
                _ => of_target.contains_key(&row.service),
            };
            law(is_there, || format!("nothing of that is wanted: {row:?}"))?;
        }
        for (name, spec) in of_target {
            let wanted = state.wanted_of(name).ok_or("it is wanted")?;
            check_rows(name, spec, wanted, report)?;
        }
        Ok(())
    }
}

/// Whether a set is enacted, as far as nothing is in its way.
fn check_goals(state: &State, goals: &Goals) -> Result<(), String> {
    let there = of_target(state.all_wanted());
    let mut unnamed = there.keys().filter(|name| !goals.services().contains_key(**name));
    law(unnamed.next().is_none(), || format!("not in the set: {there:?} {goals:?}"))?;
    for (name, goal) in goals.services() {
        let Goal::Run(goal) = goal else { continue };
        let is_blocked =
            state.accepted().blocked.get(name).is_some_and(|it| it.spec() == goal.spec());
        let is_there = there.get(name) == Some(&goal.spec());
        law(is_there != is_blocked, || format!("{name} is not as the set has it: {there:?}"))?;
    }
    Ok(())
}

/// Whether the report of a service that nothing hinders says how it is.
fn check_rows(
    name: &ServiceName,
    spec: SpecTag,
    wanted: &Wanted,
    report: &Owned,
) -> Result<(), String> {
    let content = program::of(wanted.current.image.blob());
    let of = report.rows.iter().filter(|row| row.service == *name && row.stage != Stage::Blocked);
    let mut stages: BTreeMap<(SpecTag, Stage), u16> = BTreeMap::new();
    of.for_each(|row| *stages.entry((row.spec, row.stage)).or_default() += row.count);
    let current = wanted.current.spec.ok_or("it is of no version")?;
    let stage = match content {
        program::Content::Job => Stage::Done,
        _ if content.is_good() => Stage::Ready,
        // It comes and goes.
        _ => return Ok(()),
    };
    let mut expected = BTreeMap::from([((current, stage), wanted.current.config.count)]);
    if let Owner::Target { batches, .. } = &wanted.owner
        && spec != current
    {
        expected.insert((spec, Stage::Failed), batches.count());
    }
    law(stages == expected, || format!("{name} is reported as {stages:?}, not {expected:?}"))
}
