//! Keeps other nodes from filling the log.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};

use crux_protocol::flock::Notice;
use crux_protocol::join::Refusal;
use crux_protocol::time::Instant;

use crate::burst::{Burst, Say};

/// How many notices of a kind are said in a minute that a single peer can cause by itself, without
/// being a member.
const MISDEEDS_MAX: u32 = 10;
/// How many of any other kind, such as what becomes of members: a large flock has many.
const NEWS_MAX: u32 = 100;

/// Decides which notices are said.
///
/// Invariant: of each kind of notice a bounded number is said in a minute, and it is said how many
/// were not. There is a fixed number of kinds.
#[derive(Debug, Default)]
pub(super) struct Hush {
    /// By kind, and for a failed join by whether this node was the one that wanted to.
    said: HashMap<(Discriminant<Notice>, bool), Burst>,
}

impl Hush {
    /// What to do with a notice.
    pub(super) fn hear(&mut self, notice: &Notice, now: Instant) -> Say {
        let joining = matches!(notice, Notice::JoinFailed { joining: true, .. });
        let max = match notice {
            Notice::Misbehaved { .. }
            | Notice::OtherVersion { .. }
            | Notice::SignedTwice(_)
            | Notice::ReplicaFull { .. }
            | Notice::JoinFailed { joining: false, .. } => MISDEEDS_MAX,
            _ => NEWS_MAX,
        };
        let key = (discriminant(notice), joining);
        self.said.entry(key).or_insert_with(|| Burst::new(now)).hear(max, now)
    }
}

/// Whether a handshake that failed on this side may succeed a moment later by itself, as where two
/// nodes join each other at once. The other side says so if it does not.
pub(super) const fn may_pass(refusal: Refusal) -> bool {
    matches!(refusal, Refusal::Callback | Refusal::Busy | Refusal::Unexpected | Refusal::Chain)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crux_crdt::Principal;

    use super::*;
    use crate::burst::REST;

    fn said(hush: &mut Hush, notice: &Notice, now: Instant) -> usize {
        (0..1000).filter(|_| hush.hear(notice, now) != Say::Nothing).count()
    }

    #[test]
    fn a_flood_is_said_in_part_and_counted() {
        let mut hush = Hush::default();
        let peer = Principal([1; 32]);
        let lie = Notice::Misbehaved { peer, what: "rubbish".to_owned() };
        let start = Instant::after_origin(Duration::from_secs(5));
        assert_eq!(said(&mut hush, &lie, start), 10);
        assert_eq!(hush.hear(&Notice::ReadOnly, start), Say::Tell { left_out: 0 });
        assert_eq!(hush.hear(&Notice::SignedTwice(peer), start), Say::Tell { left_out: 0 });
        let later = start + REST;
        assert_eq!(hush.hear(&lie, later), Say::Tell { left_out: 990 });
        assert_eq!(hush.hear(&lie, later), Say::Tell { left_out: 0 });
    }

    /// A member can admit any number of keys, come and go, and change the leader by it.
    #[test]
    fn no_kind_of_notice_is_without_a_bound() {
        let mut hush = Hush::default();
        let peer = Principal([1; 32]);
        let refusal = Refusal::Busy;
        let now = Instant::after_origin(Duration::from_secs(5));
        for notice in [
            Notice::Admitted(peer),
            Notice::Leader(None),
            Notice::Liveness {
                node: "n".to_owned(),
                liveness: crux_protocol::liveness::Liveness::Dead,
            },
            Notice::OtherFlock { addr: "a:1".to_owned() },
            Notice::JoinFailed { peer, refusal, joining: true },
            Notice::NameLost { name: "n".to_owned(), holder: peer },
            Notice::ReadOnly,
            Notice::Writable,
        ] {
            assert_eq!(said(&mut hush, &notice, now), 100, "{notice}");
        }
        let refused = Notice::JoinFailed { peer, refusal, joining: false };
        assert_eq!(said(&mut hush, &refused, now), 10);
    }
}
