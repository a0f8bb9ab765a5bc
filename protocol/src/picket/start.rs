//! The steps of a start: image, ports, record, keeper. Each is a command with an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::blob::BlobId;
use crux_crdt::service::PortName;
use rand::RngExt;
use rand::rngs::StdRng;

use super::command::Command;
use super::desired::Version;
use super::happened::Kind;
use super::id::InstanceId;
use super::life::{Cause, Life, Phase};
use super::record::{Placed, Record};
use super::turn::Turn;

/// The letters of the tail of an instance's name: no pair of them looks alike.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// How many of them: 2⁴⁰ names for each ordinal.
const TAIL: usize = 8;

/// A new name for an instance.
fn name(version: &Version, ordinal: u16, rng: &mut StdRng) -> InstanceId {
    let (name, rev) = (&version.config.name, &version.config.rev);
    let mut text = format!("{name}-{rev}-{}-", u32::from(ordinal) + 1);
    for _ in 0..TAIL {
        text.push(char::from(LETTERS[rng.random_range(0..LETTERS.len())]));
    }
    InstanceId::new(&text)
}

impl Life {
    /// Begins an instance of a content.
    pub(super) fn begin(
        version: &Arc<Version>,
        ordinal: u16,
        placed: Option<Placed>,
        turn: &mut Turn<'_>,
    ) -> Self {
        let record = Record {
            instance: name(version, ordinal, turn.rng),
            service: version.config.name.clone(),
            rev: version.config.rev.clone(),
            ordinal,
            version: version.number,
            blob: version.image.blob(),
            ports: BTreeMap::new(),
            placed,
        };
        Self::new(record, Some(Arc::clone(version)), turn.now)
    }

    /// Its image is ready, maybe. `avoid`: ports that are not to be chosen.
    pub(super) fn try_image(&mut self, avoid: BTreeSet<u16>, turn: &mut Turn<'_>) {
        let Some(version) = self.version.clone().filter(|_| self.phase == Phase::Sealing) else {
            return;
        };
        let Some(sealed) = turn.images.want(&version.image, turn.out) else { return };
        self.sealed = Some(sealed);
        let ports = &version.config.ports;
        if ports.is_empty() {
            return self.write_down(turn);
        }
        self.enter(Phase::Choosing, None, turn.now);
        let instance = self.id().clone();
        turn.out.push(Command::ChoosePorts { instance, ports: ports.clone(), avoid });
    }

    /// An image cannot be executed.
    pub(super) fn on_seal_failed(&mut self, blob: BlobId, reason: &str, turn: &mut Turn<'_>) {
        if self.phase == Phase::Sealing && self.record.blob == blob {
            self.fail_over(Cause::Image, reason.to_owned(), turn);
        }
    }

    /// Its ports are chosen.
    pub(super) fn on_ports(&mut self, ports: BTreeMap<PortName, u16>, turn: &mut Turn<'_>) {
        if self.phase == Phase::Choosing {
            self.record.ports = ports;
            self.write_down(turn);
        }
    }

    /// It gets no ports.
    pub(super) fn on_ports_failed(&mut self, reason: String, turn: &mut Turn<'_>) {
        if self.phase == Phase::Choosing {
            self.fail_over(Cause::Node, reason, turn);
        }
    }

    /// Its record is durable: only now is there a keeper.
    pub(super) fn on_recorded(&mut self, turn: &mut Turn<'_>) {
        let Some(version) = self.version.clone().filter(|_| self.phase == Phase::Recording) else {
            return;
        };
        self.recorded = true;
        if self.is_leaving() {
            return self.enter(Phase::Over, None, turn.now);
        }
        let timeout = version.config.start_timeout;
        self.enter(Phase::Spawning, Some(timeout), turn.now);
        turn.out.push(Command::Spawn { record: self.record.clone(), version });
    }

    /// There is no record of it.
    pub(super) fn on_record_failed(&mut self, reason: String, turn: &mut Turn<'_>) {
        if self.phase == Phase::Recording {
            self.fail_over(Cause::Node, reason, turn);
        }
    }

    /// Its keeper or its program could not be started, and nothing of it is left.
    pub(super) fn on_spawn_failed(&mut self, reason: String, turn: &mut Turn<'_>) {
        if matches!(self.phase, Phase::Spawning | Phase::Killing) {
            self.fail_over(Cause::Spawn, reason, turn);
        }
    }

    /// It takes too long to be started at all.
    pub(super) fn overdue(&mut self, turn: &mut Turn<'_>) {
        if self.phase == Phase::Spawning && !self.is_leaving() && turn.now >= self.until {
            let reason = "not started within its start_timeout".to_owned();
            self.fail(Cause::NotUp, reason, turn.now);
            self.kill(turn);
        }
    }

    /// Nothing of it is left.
    pub(super) fn on_gone(&mut self, taken: Vec<PortName>, turn: &mut Turn<'_>) {
        if !self.recorded {
            return;
        }
        self.taken = taken;
        if self.leaving.is_none() {
            let reason = "its keeper died".to_owned();
            self.tell(Kind::Exited, reason.clone(), turn);
            self.fail(Cause::Keeper, reason, turn.now);
        }
        self.enter(Phase::Over, None, turn.now);
    }

    fn write_down(&mut self, turn: &mut Turn<'_>) {
        self.enter(Phase::Recording, None, turn.now);
        turn.out.push(Command::Record(self.record.clone()));
        if crux_crdt::planted!(SpawnsUnrecorded) {
            self.on_recorded(turn);
        }
    }

    fn fail_over(&mut self, cause: Cause, reason: String, turn: &mut Turn<'_>) {
        self.fail(cause, reason, turn.now);
        self.enter(Phase::Over, None, turn.now);
    }
}
