//! The end of a life: once nothing breaks any longer and everything had time, all is as it is wanted; and then,
//! for every second seed, the node stops.

use core::time::Duration;
use std::collections::BTreeSet;

use crux_crdt::name::ServiceName;
use crux_crdt::service::UpdateBy;
use crux_protocol::picket::{Event, InstanceId, Row, RunState, State, Wanted};
use rand::RngExt as _;

use super::program::{self, Content};
use super::world::World;

/// How long everything has to come to rest.
const REST: Duration = Duration::from_secs(1200);
/// How long one try of a service that cannot stay up takes at most: being up, its `start_timeout`, the quit. Its
/// `retry_failed` is 30 s, or what ten starts a minute leave: longer, so that it is *failed* in between.
const TRY_TAKES: Duration = Duration::from_secs(28);
/// The time between two looks at the rows.
const LOOK: Duration = Duration::from_millis(50);
/// How long the node has for its stop.
const STOP: Duration = Duration::from_secs(8);

impl World {
    /// Checks everything that has to be so in the end.
    pub(super) fn settle(&mut self) {
        self.heal();
        self.run(REST);
        let serving = self.check_hopeless();
        let checked = serving.and_then(|serving| self.check_end(serving));
        if self.violation.is_none() {
            self.hold(checked);
        }
        if self.violation.is_none() && self.rng.random_bool(0.5) {
            self.stop();
        }
    }

    fn stop(&mut self) {
        self.stopping = Some((self.now, STOP));
        self.note(format_args!("== the node stops"));
        self.tell(Event::Stop { within: STOP });
        self.run(STOP + Duration::from_secs(2));
        if self.violation.is_none() && self.stopped.is_none() {
            self.broken(format!("the node did not stop: {:?}", self.keepers.keys()));
        }
    }

    fn rows(&self, name: &ServiceName) -> Vec<Row> {
        self.state.as_ref().map(|state| state.rows_of(name)).unwrap_or_default()
    }

    /// A service that cannot stay up has ended in *failed*, at the latest when its next try is over; or what it
    /// was before serves on in an overlap that never ends. The instances that serve on.
    fn check_hopeless(&mut self) -> Result<BTreeSet<InstanceId>, String> {
        let is_hopeless = |wanted: &Wanted| {
            let content = program::of(wanted.current.image.blob());
            wanted.run && !content.is_good() && content != Content::Job
        };
        let state = self.state.as_ref().ok_or("the picket is not back")?;
        let all = state.all_wanted().filter(|(_, wanted)| is_hopeless(wanted));
        let mut left: BTreeSet<ServiceName> = all.map(|(name, _)| name.clone()).collect();
        let mut serving = BTreeSet::new();
        let until = self.now + TRY_TAKES;
        while !left.is_empty() && self.violation.is_none() {
            if self.now >= until {
                return Err(format!("neither up, failed nor stopped: {left:?}"));
            }
            for name in left.clone() {
                let rows = self.rows(&name);
                for row in &rows {
                    serving.extend(self.old_one(row)?);
                }
                let is_over = |row: &Row| match &row.instance {
                    Some(instance) => serving.contains(instance),
                    None => row.state == RunState::Failed,
                };
                if rows.iter().all(is_over) {
                    left.remove(&name);
                }
            }
            self.run(LOOK);
        }
        Ok(serving)
    }

    /// The instance of a hopeless service that is up, if it is one of another content that serves on.
    fn old_one(&self, row: &Row) -> Result<Option<InstanceId>, String> {
        let up = row.instance.as_ref().filter(|_| row.state == RunState::Up);
        let Some(instance) = up else { return Ok(None) };
        let keeper = self.keepers.get(instance).ok_or("what is up does not run")?;
        let content = program::of(keeper.record.blob);
        let age = self.now.since(keeper.since);
        if !content.is_good() {
            let most = content.up_at_most();
            return if age <= most { Ok(None) } else { Err(format!("up for {age:?}: {row:?}")) };
        }
        let wanted = self.state.as_ref().and_then(|state| state.wanted_of(&row.service));
        let wanted = wanted.ok_or("it is not wanted")?;
        let is_old = keeper.record.version != wanted.current.number
            && wanted.current.config.update_by() == UpdateBy::Overlap;
        if is_old { Ok(Some(instance.clone())) } else { Err(format!("up, and hopeless: {row:?}")) }
    }

    fn check_end(&self, mut up: BTreeSet<InstanceId>) -> Result<(), String> {
        let state = self.state.as_ref().ok_or("the picket is not back")?;
        if !self.asked.is_empty() {
            return Err(format!("never answered: {:?}", self.asked));
        }
        for (name, wanted) in state.all_wanted() {
            up.extend(self.check_service(state, name, wanted)?);
        }
        self.check_goals_at_end()?;
        for keeper in self.keepers.values() {
            if state.wanted_of(&keeper.record.service).is_none() {
                return Err(format!("nobody wants {keeper:?}"));
            }
        }
        let lasts = |instance: &&InstanceId| {
            let keeper = self.keepers.get(*instance);
            keeper.is_none_or(|it| program::of(it.record.blob).is_good())
        };
        let registered: BTreeSet<_> = self.registered.iter().filter(lasts).cloned().collect();
        if registered != up {
            return Err(format!("registered is {registered:?}, and up is {up:?}"));
        }
        let running: BTreeSet<_> = self.keepers.keys().cloned().collect();
        let recorded = self.disk.recorded();
        if !running.is_subset(&recorded) {
            return Err(format!("not recorded: {running:?}, {recorded:?}"));
        }
        // Those of hopeless services come and go.
        if recorded.len() > running.len() + 3 {
            return Err(format!("records stay: {running:?}, {recorded:?}"));
        }
        Ok(())
    }

    /// Whether a service is as it is wanted. Its instances that are registered.
    fn check_service(
        &self,
        state: &State,
        name: &ServiceName,
        wanted: &Wanted,
    ) -> Result<Vec<InstanceId>, String> {
        let rows = state.rows_of(name);
        let states: Vec<_> = rows.iter().map(|row| row.state).collect();
        let here = self.keepers.values().filter(|it| it.record.service == *name).count();
        let content = program::of(wanted.current.image.blob());
        let count = usize::from(wanted.current.config.count);
        let wrong = || Err(format!("{name}, {content:?}, has {here} keepers and {rows:?}"));
        if !wanted.run {
            let is_so = here == 0 && states.iter().all(|it| *it == RunState::Stopped);
            return if is_so { Ok(Vec::new()) } else { wrong() };
        }
        if content == Content::Job {
            let is_so = here == 0 && states == [RunState::Done];
            return if is_so { Ok(Vec::new()) } else { wrong() };
        }
        if !content.is_good() {
            let is_so = !wanted.on_trial || wanted.previous.is_none();
            return if is_so { Ok(Vec::new()) } else { Err(format!("{name} was not taken back")) };
        }
        if states != vec![RunState::Up; count] || here != count || wanted.on_trial {
            return wrong();
        }
        let registered = rows.into_iter().filter(|row| !row.ports.is_empty());
        Ok(registered.filter_map(|row| row.instance).collect())
    }
}
