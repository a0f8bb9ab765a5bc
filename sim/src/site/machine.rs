use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::name::ServiceName;
use crux_crdt::service::SpecTag;
use crux_protocol::picket::{Desired, Exit, InstanceId, Record, RequestId, State};
use crux_protocol::time::Instant;

use super::Loops;

/// A program and what keeps it.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) record: Record,
    /// Of the host's clock.
    pub(crate) since: Instant,
    pub(crate) exit: Option<Exit>,
    pub(crate) noted_up: bool,
}

/// The part of a host that targets run on: the supervisor with its disk and its programs.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    /// What survives a loss of power.
    pub(crate) desired: Desired,
    pub(crate) records: BTreeMap<InstanceId, Record>,
    /// The programs, and the supervisor: they survive the process of the node.
    pub(crate) keepers: BTreeMap<InstanceId, Keeper>,
    pub(crate) picket: Option<State>,
    /// The instances that are about to run, and that nobody killed.
    pub(crate) spawning: BTreeSet<InstanceId>,
    /// The how manieth supervisor it is. What was meant for an earlier one is dropped.
    pub(crate) life: u64,
    /// What belongs to the process of the node; none: it does not run.
    pub(crate) loops: Option<Loops>,
    /// The set that the supervisor decides on.
    pub(crate) handing: Option<RequestId>,
    pub(crate) requests: u64,
    pub(crate) ports: u16,
    /// The number of the newest timer, and when it goes off.
    pub(crate) timer: (u64, Instant),
}

impl Machine {
    /// How many instances run that a target placed.
    pub(crate) fn running(&self) -> BTreeMap<(ServiceName, SpecTag), u32> {
        let mut running = BTreeMap::new();
        for keeper in self.keepers.values().filter(|it| it.exit.is_none()) {
            if let Some(placed) = keeper.record.placed {
                *running.entry((keeper.record.service.clone(), placed.spec)).or_default() += 1;
            }
        }
        running
    }

    /// The power is lost.
    pub(crate) fn lose_power(&mut self) {
        self.keepers.clear();
        self.spawning.clear();
        (self.picket, self.handing) = (None, None);
        self.life += 1;
    }

    /// Another disk, empty.
    pub(crate) fn wipe(&mut self) {
        self.lose_power();
        (self.desired, self.records) = <(Desired, _)>::default();
    }
}
