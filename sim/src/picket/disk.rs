use std::collections::{BTreeMap, BTreeSet};

use crux_protocol::picket::{Desired, InstanceId, Record};
use rand::RngExt as _;
use rand::rngs::StdRng;

/// The directory of the picket. The visible state survives the picket, the durable state a power loss.
#[derive(Debug, Default)]
pub(super) struct Disk {
    durable: Desired,
    visible: Desired,
    records: BTreeMap<InstanceId, Entry>,
    /// It takes no writes.
    pub(super) full: bool,
}

/// A record of an instance.
#[derive(Debug)]
struct Entry {
    record: Record,
    /// Of which boot of the machine.
    boot: u64,
    /// It is in the directory, also after a power loss.
    is_durable: bool,
    /// It was deleted. It may be back after a power loss, until the directory was flushed.
    is_deleted: bool,
}

impl Disk {
    /// The service config.
    pub(super) const fn desired(&self) -> &Desired {
        &self.visible
    }

    /// The one that would outlive a loss of power.
    pub(super) const fn durable(&self) -> &Desired {
        &self.durable
    }

    pub(super) fn rename_desired(&mut self, desired: Desired) {
        self.visible = desired;
    }

    /// The directory is flushed.
    pub(super) fn flush_desired(&mut self) {
        self.durable = self.visible.clone();
    }

    pub(super) fn rename_record(&mut self, record: Record, boot: u64) {
        let entry = Entry { record, boot, is_durable: false, is_deleted: false };
        self.records.insert(entry.record.instance.clone(), entry);
    }

    pub(super) fn flush_record(&mut self, instance: &InstanceId) {
        if let Some(entry) = self.records.get_mut(instance) {
            entry.is_durable = true;
        }
    }

    pub(super) fn delete_record(&mut self, instance: &InstanceId) {
        if let Some(entry) = self.records.get_mut(instance) {
            entry.is_deleted = true;
        }
    }

    pub(super) fn flush_deleted(&mut self, instance: &InstanceId) {
        self.records.remove(instance);
    }

    /// The record of an instance, once it is durable.
    pub(super) fn record(&self, instance: &InstanceId) -> Option<&Record> {
        let entry = self.records.get(instance).filter(|it| it.is_durable && !it.is_deleted)?;
        Some(&entry.record)
    }

    /// The records that a picket finds, each with its boot.
    pub(super) fn records(&self) -> Vec<(Record, u64)> {
        let there = self.records.values().filter(|entry| !entry.is_deleted);
        there.map(|entry| (entry.record.clone(), entry.boot)).collect()
    }

    pub(super) fn recorded(&self) -> BTreeSet<InstanceId> {
        let there = self.records.iter().filter(|(_, entry)| !entry.is_deleted);
        there.map(|(instance, _)| instance.clone()).collect()
    }

    /// The power is lost: of what was not flushed each is there or not.
    pub(super) fn lose_power(&mut self, rng: &mut StdRng) {
        if rng.random_bool(0.5) {
            self.durable = self.visible.clone();
        }
        self.visible = self.durable.clone();
        self.records.retain(|_, entry| {
            let was_deleted = entry.is_deleted && rng.random_bool(0.5);
            let is_there = entry.is_durable || rng.random_bool(0.5);
            (entry.is_durable, entry.is_deleted) = (true, false);
            is_there && !was_deleted
        });
    }
}
