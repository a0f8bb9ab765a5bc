use std::collections::BTreeMap;
use std::time::Duration;

use crux_protocol::flock::Notice;
use crux_protocol::join::Refusal;
use crux_protocol::time::Instant;

/// How many notices of one kind are told in a row.
const TOLD_MAX: u32 = 10;
/// After how long they are told again.
const REST: Duration = Duration::from_secs(60);

/// What others can make this node say as often as they like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Misbehaved,
    Refused,
    SignedTwice,
    ReplicaFull,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    since: Instant,
    count: u32,
    left_out: u64,
}

/// Keeps peers from filling the log.
///
/// Invariant: of each kind of notice that others cause, at most [`TOLD_MAX`] are told in any
/// [`REST`], and it is told how many were not.
#[derive(Debug, Default)]
pub(super) struct Hush {
    told: BTreeMap<Kind, Told>,
}

/// What to do with a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Say {
    /// Tell it; that many of its kind were left out before.
    Tell {
        /// How many.
        left_out: u64,
    },
    /// Leave it out.
    Nothing,
}

impl Hush {
    /// What to do with a notice.
    pub(super) fn hear(&mut self, notice: &Notice, now: Instant) -> Say {
        let kind = match notice {
            Notice::Misbehaved { .. } => Kind::Misbehaved,
            Notice::JoinFailed { joining: false, .. } => Kind::Refused,
            Notice::SignedTwice(_) => Kind::SignedTwice,
            Notice::ReplicaFull { .. } => Kind::ReplicaFull,
            _ => return Say::Tell { left_out: 0 },
        };
        let fresh = Told { since: now, count: 0, left_out: 0 };
        let told = self.told.entry(kind).or_insert(fresh);
        let left_out = told.left_out;
        if now.since(told.since) >= REST {
            *told = fresh;
        }
        if told.count >= TOLD_MAX {
            told.left_out += 1;
            return Say::Nothing;
        }
        told.count += 1;
        Say::Tell { left_out: if told.count == 1 { left_out } else { 0 } }
    }
}

/// Whether a handshake that failed on this side may succeed a moment later by itself, as where two
/// nodes join each other at once. The other side says so if it does not.
pub(super) const fn may_pass(refusal: Refusal) -> bool {
    matches!(refusal, Refusal::Callback | Refusal::Busy | Refusal::Unexpected | Refusal::Chain)
}

#[cfg(test)]
mod tests {
    use crux_crdt::Principal;

    use super::*;

    #[test]
    fn a_flood_is_told_in_part_and_counted() {
        let mut hush = Hush::default();
        let peer = Principal([1; 32]);
        let lie = Notice::Misbehaved { peer, what: "rubbish".to_owned() };
        let start = Instant::after_origin(Duration::from_secs(5));
        let told = (0..1000).filter(|_| hush.hear(&lie, start) != Say::Nothing).count();
        assert_eq!(told, 10);
        assert_eq!(hush.hear(&Notice::ReadOnly, start), Say::Tell { left_out: 0 });
        assert_eq!(hush.hear(&Notice::SignedTwice(peer), start), Say::Tell { left_out: 0 });
        let later = start + REST;
        assert_eq!(hush.hear(&lie, later), Say::Tell { left_out: 990 });
        assert_eq!(hush.hear(&lie, later), Say::Tell { left_out: 0 });
    }
}
