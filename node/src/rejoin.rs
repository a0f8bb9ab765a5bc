//! A node that left stays away until somebody says otherwise.
//!
//! A supervisor starts again what ends: `restart: unless-stopped`, `Restart=always`, the next boot. That would
//! undo `leave` without anybody's wish. So a start refuses a data directory whose node left, with exit code 5,
//! until `run --rejoin`. It counts that the node's own statement, which is durable before `leave` answers, covers
//! its own last record. A node that comes back does so at a higher incarnation, and from then on `run` alone
//! starts it. One that others retired (`forget`) comes back as ever: it did not ask for that.

use crux_crdt::Principal;
use crux_crdt::act::Statement;
use crux_crdt::fact::Fact;

use crate::error::{Error, Kind};
use crate::store::Snapshot;

/// Refuses to start a node that left.
///
/// # Errors
/// [`Kind::Refused`]
pub(crate) fn refuse_left(snapshot: &Snapshot, me: &Principal) -> Result<(), Error> {
    if !has_left(snapshot, me) {
        return Ok(());
    }
    Err(Error::new(Kind::Refused, "this node left its flock").with_hint(
        "Start it once with `run --rejoin` to make it a member again. To be rid of it, have its supervisor \
         stop starting it, and delete the data directory.",
    ))
}

fn has_left(snapshot: &Snapshot, me: &Principal) -> bool {
    let own = || snapshot.facts.iter().filter(|fact| fact.author() == *me);
    let record = own().find_map(|fact| {
        let Fact::Record(record) = fact else { return None };
        Some(record.marker().incarnation)
    });
    let incarnation = record.unwrap_or(0);
    let mut left = own().filter_map(|fact| {
        let Fact::Act(act) = fact else { return None };
        left_at(&act.value().statement)
    });
    left.any(|left| left >= incarnation)
}

fn left_at(statement: &Statement) -> Option<u64> {
    match statement {
        Statement::Leave { incarnation } => Some(*incarnation),
        _ => None,
    }
}
