//! Memory and processor time of the trees of programs, read from the system when somebody asks.

use std::collections::BTreeMap;

use crux_protocol::picket::InstanceId;

use crate::tree::{Process, Snapshot};

/// The use of one instance, with all that it forked and without its keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Used {
    /// In bytes.
    pub(super) memory: u64,
    /// In milliseconds.
    pub(super) cpu_ms: u64,
}

/// The use of instances, by their keepers. Reads all of `/proc`: some ten milliseconds on a busy machine.
pub(super) fn used(keepers: &[(InstanceId, Process)]) -> BTreeMap<InstanceId, Used> {
    let snapshot = Snapshot::take();
    let of = |(id, keeper): &(InstanceId, Process)| {
        let usage = snapshot.usage_below(*keeper)?;
        Some((id.clone(), Used { memory: usage.memory, cpu_ms: usage.cpu_ms }))
    };
    keepers.iter().filter_map(of).collect()
}
