//! Instances of an earlier picket: taken over before anything is started.

use super::command::Command;
use super::happened::Kind;
use super::life::{Life, Phase, Why};
use super::record::{Found, Record};
use super::service::Service;
use super::slot::Slot;
use super::state::State;

impl State {
    /// A record of an instance was found.
    pub(super) fn on_found(&mut self, record: Record, found: Found, out: &mut Vec<Command>) {
        if !self.adopting {
            return;
        }
        let (services, mut turn) = self.split(out);
        let name = record.service.clone();
        let service = services.entry(name).or_insert_with(|| Service::new(None));
        if service.life_mut(&record.instance).is_some() {
            return;
        }
        let wanted = service.wanted.as_ref();
        let versions = wanted.map(|wanted| [Some(&wanted.current), wanted.previous.as_ref()]);
        let mut versions = versions.into_iter().flatten().flatten();
        let version = versions.find(|version| version.number == record.version).cloned();
        let is_old = wanted.is_some_and(|it| it.current.number != record.version);
        let slot = service.slots.entry(record.ordinal);
        slot.or_insert_with(|| Slot::new(turn.now));
        let mut life = Life::new(record, version, turn.now);
        life.recorded = true;
        match found {
            Found::Running { pid, up } => {
                life.take_over(pid, up, turn.now);
                life.tell(Kind::Adopted, format!("process {pid}"), &mut turn);
                service.updating |= is_old;
            }
            Found::Ended { exit } => {
                life.take_over(0, false, turn.now);
                life.pid = None;
                life.on_exited(exit, &mut turn);
            }
            Found::Gone => {
                life.leaving = Some(Why::Replaced);
                life.enter(Phase::Over, None, turn.now);
            }
        }
        service.lives.push(life);
    }
}

impl Life {
    fn take_over(&mut self, pid: u32, up: bool, now: crate::time::Instant) {
        self.pid = Some(pid);
        if up {
            self.enter(Phase::Up, None, now);
            self.up_since = Some(now);
            self.assume_up(now);
        } else {
            let timeout = self.version.as_ref().map(|version| version.config.start_timeout);
            self.enter(Phase::Starting, timeout, now);
            self.begin_checks(now);
        }
    }
}
