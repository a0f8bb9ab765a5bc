use super::Claim;
use crate::time::Instant;

/// Claims are below this.
pub const CLAIM_LIMIT: u64 = 1 << 48;
/// How far a claim may be above the reach of a node, and how far that rises in a second: more than a
/// flock ever elects leaders in that time.
pub const CLAIM_STEP: u64 = 1 << 20;
/// What a disk is trusted with: less than this.
const TRUSTED_LIMIT: u64 = CLAIM_LIMIT / 2;

/// How large the claims are that count. See the module for what it is for.
///
/// Invariant: from what was on disk at the start it rises by at most [`CLAIM_STEP`] a second, whatever peers
/// say, and never falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Reach {
    known: u64,
    /// What it rises to.
    target: u64,
    /// Up to when it rose, while there is something to rise to.
    at: Instant,
}

impl Reach {
    pub(super) const fn new(now: Instant) -> Self {
        Self { known: 0, target: 0, at: now }
    }

    /// Whether a claim counts.
    pub(super) const fn covers(&self, claim: Claim) -> bool {
        claim.n <= self.most()
    }

    /// The greatest number that counts.
    pub(super) const fn most(&self) -> u64 {
        self.known.saturating_add(CLAIM_STEP)
    }

    /// Whether a claim of this node's own is one that no build with a reach made.
    pub(super) const fn is_absurd(&self, claim: Claim) -> bool {
        claim.n >= TRUSTED_LIMIT && !self.covers(claim)
    }

    /// A claim that this node found on its own disk: its own, or its fence.
    pub(super) fn trust(&mut self, claim: Claim) {
        if claim.n < TRUSTED_LIMIT {
            self.known = self.known.max(claim.n);
        }
    }

    /// The greatest claim there is from now on, whether it counts or not.
    pub(super) fn follow(&mut self, greatest: u64, now: Instant) {
        self.rise(now);
        self.target = greatest;
        if self.target > self.known {
            self.at = now;
        }
    }

    /// Rises as far as it may have until now.
    pub(super) fn rise(&mut self, now: Instant) {
        if self.target <= self.known {
            return;
        }
        let micros = now.since(self.at).as_micros();
        let room = u128::from(CLAIM_STEP).saturating_mul(micros) / 1_000_000;
        let room = u64::try_from(room).unwrap_or(u64::MAX);
        self.known = self.known.saturating_add(room).min(self.target);
        self.at = now;
    }
}
