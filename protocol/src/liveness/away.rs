//! An announced restart: a member that says that it restarts is not dead meanwhile.
//!
//! The announcement is a beacon that names the time within which its sender means to be back, at most
//! [`RESTART_MAX`]. Until then the member is *away*.
//!
//! **Invariants**
//!
//! * A member that restarts within the time that it announced is shown dead by nobody that heard the announcement
//!   in time. Nor by those that missed it, if a majority of its observers heard it: they do not suspect it.
//! * A member that is away and does not come back is shown dead at most [`RESTART_MAX`] later than without the
//!   announcement. So a member that lies hides its own death for that long, and nothing else.
//! * Verdicts on others do not change: a member that is away is no judge of them, because it cannot speak.
//!
//! ```text
//!   announcement ──▶ away: no suspicion of it counts, this node has none of its own ──▶ its time passed: as always
//!                      │
//!                      └── a beacon without an announcement, or a heartbeat of a later incarnation ──▶ back
//! ```
//!
//! * The time counts from when the beacon was sent, as far as this node can tell (`lag`): one that was held up
//!   excuses for as much less.
//! * Evidence of this node that the member is unreachable waits until the time passed. Then it counts at once.
//! * A member that is away does not lead: nobody waits for a leader that said that it cannot lead.
//! * An announcement is not evidence of a restart. Every node sees alike whether the member was back in time.

use std::time::Duration;

use crux_crdt::Principal;
use rand::rngs::StdRng;

use super::message::Evidence;
use super::state::{Output, State};
use super::subject::Subject;
use crate::time::Instant;

/// For how long a restart may be announced. From the design, page 02. Less than the time after which silence alone
/// decides, three beacon periods of ten seconds at least, so that rule needs no exception.
pub const RESTART_MAX: Duration = Duration::from_secs(10);

/// How long a process runs on after it announced its restart, so that others have heard it before they lose the
/// connection. Five times what gossip takes to reach the last of 25 nodes.
pub const RESTART_LINGER: Duration = Duration::from_millis(250);

impl State {
    /// This process is about to end, and another one of this node is to run within this time, at most
    /// [`RESTART_MAX`]. Each beacon says so until that time has passed.
    pub fn announce_restart(
        &mut self,
        within: Duration,
        now: Instant,
        rng: &mut StdRng,
    ) -> Vec<Output> {
        self.back_by = now + within.min(RESTART_MAX);
        vec![self.send_beacon(now, rng)]
    }

    /// How much of the announced time is left, in whole milliseconds; none: no restart is announced.
    pub(super) fn restarts_within(&self, now: Instant) -> Option<Duration> {
        let left = u64::try_from(self.back_by.since(now).as_millis()).unwrap_or(u64::MAX);
        Some(Duration::from_millis(left)).filter(|left| !left.is_zero())
    }

    /// Whether a member, or this node, announced a restart and is not back.
    pub fn is_away(&self, member: &Principal, now: Instant) -> bool {
        if *member == self.context.me {
            return self.restarts_within(now).is_some();
        }
        self.subjects.get(member).is_some_and(|subject| subject.is_away(now))
    }

    /// Nobody listens where a member was that is away: what this node will say if it is not back in time. Whether
    /// it is away.
    pub(super) fn excuses(&mut self, peer: Principal, evidence: Evidence, now: Instant) -> bool {
        let Some(mut subject) = self.subjects.get_mut(&peer) else { return false };
        let away = subject.is_away(now);
        if away {
            subject.my_vote = Some(evidence);
        }
        away
    }
}

impl Subject {
    /// Until when an announced restart excuses its silence; [`Instant::ORIGIN`]: it does not.
    pub(super) fn away_until(&self) -> Instant {
        let announced = self.beacon.as_ref();
        // A heartbeat of a later incarnation says that it is back.
        let announced = announced.filter(|heard| self.freshest.0 <= heard.beacon.incarnation);
        let announced = announced.filter(|_| !crux_crdt::planted!(RestartIsDeath));
        announced.map_or(Instant::ORIGIN, |heard| heard.away_until)
    }

    pub(super) fn is_away(&self, now: Instant) -> bool {
        now < self.away_until()
    }
}
