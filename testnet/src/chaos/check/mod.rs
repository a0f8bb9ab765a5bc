//! What a recorded history must show, decided at the end.
//!
//! ```text
//!   History ─┬─▶ durable    nothing acknowledged is lost, nothing removed is back
//!   Finale ──┤   invented   nobody ever shows what nobody registered
//!            ├─▶ own        a node shows what it acknowledged itself, at once and after a crash
//!            ├─▶ fence      of one node, a later acceptance is never of a smaller claim
//!            ├─▶ blobs      one that was acknowledged stays, and is what was put
//!            ├─▶ agreed     at the end: one state, one leader, whose claim everybody stores
//!            └─▶ alive      no process ends that was not told to
//! ```
//!
//! **Invariant**: sound, so that a violation is a fault of the nodes. A call whose outcome is unknown
//! counts as carried out, as not carried out, or as carried out later, for as long as the process that
//! was asked may live. What one node acknowledged in the last [`WIPE_MARGIN`] before its disk was lost
//! may be lost with it, because an acknowledgement promises one disk; what it acknowledged before that
//! must have reached the others, if a link was open.
//!
//! It is not complete: of reads by way of other nodes it only asks that they were once true.

mod agreed;
pub(super) mod blobs;
mod durable;
mod fence;
mod invented;
mod own;
mod possible;
#[cfg(test)]
mod tests;
mod violation;

use std::collections::BTreeMap;
use std::time::Duration;

pub use violation::Violation;

use super::history::{History, KeyId, Value};

/// How long before the loss of a disk an acknowledgement may be lost with it.
pub const WIPE_MARGIN: Duration = Duration::from_secs(5);

/// What the nodes showed after all faults were healed and they agreed.
#[derive(Debug, Clone, Default)]
pub struct Finale {
    /// The hosts that run at the end. The fields below are in this order.
    pub hosts: Vec<usize>,
    /// What each node shows. `None`: it did not answer.
    pub shown: Vec<Option<BTreeMap<KeyId, Value>>>,
    /// Two looks at the digest of each node, some time apart.
    pub digests: [Vec<Option<String>>; 2],
    /// The leader, as each node says.
    pub leaders: Vec<Option<String>>,
    /// The principal of each node.
    pub principals: Vec<Option<String>>,
    /// The nodes that stored the claim of the leader when it was asked last.
    pub accepted: Vec<String>,
    /// Blobs that a node that runs had acknowledged and does not hold.
    pub blobs_lacking: Vec<(usize, String)>,
    /// What nodes say that cannot get a blob that another one holds.
    pub blobs_unreached: Vec<String>,
}

/// Everything that does not hold.
#[must_use]
pub fn check(history: &History, finale: &Finale) -> Vec<Violation> {
    let crashed = |(at, host, how): &(Duration, usize, String)| Violation::Crashed {
        host: history.hosts[*host].clone(),
        at: *at,
        how: how.clone(),
    };
    let mut found: Vec<Violation> = history.crashes.iter().map(crashed).collect();
    found.extend(history.strangers.iter().cloned().map(Violation::Stranger));
    agreed::check(history, finale, &mut found);
    durable::check(history, finale, &mut found);
    invented::check(history, finale, &mut found);
    own::check(history, &mut found);
    fence::check(history, &mut found);
    blobs::check(history, finale, &mut found);
    found
}
