//! The fence whose holder is gone.

use crux_crdt::Principal;

use super::state::State;
use crate::author::{Change, Origin};
use crate::leader::Claim;
use crate::liveness::Liveness;
use crate::time::Instant;

impl State {
    /// Whether this member departed (others retired it, or it left) and did not come back since.
    pub fn has_departed(&self, member: &Principal) -> bool {
        let incarnation = self.strew.record(member).map_or(0, |it| it.marker().incarnation);
        self.strew.membership().departed(member, incarnation).is_some()
    }

    /// Whether this node hears nothing of a member: it is dead to it, and no link is open.
    fn is_unheard(&self, member: &Principal) -> bool {
        self.liveness.liveness(member) == Liveness::Dead && !self.links.contains_key(member)
    }

    /// Forgets the fence whose holder is gone. See [`crate::leader`] for why.
    pub(super) fn look_after_fence(&mut self, now: Instant) {
        let Some(Claim { principal: holder, .. }) = self.leader.fence() else { return };
        let (departed, unheard) = (self.has_departed(&holder), self.is_unheard(&holder));
        if let Some(fence) = self.leader.on_holder(departed, unheard, now)
            && !self.read_only
            && !self.author.is_pending(|change| matches!(change, Change::ForgetFence(_)))
        {
            self.author.push(Origin::Internal, Change::ForgetFence(fence));
        }
    }

    /// The disk forgot a fence. If its holder came back meanwhile it is written again.
    pub(super) fn on_fence_forgotten(&mut self, fence: Claim) {
        if self.has_departed(&fence.principal) {
            self.leader.forget_fence(fence);
            self.leader_dirty = true;
        } else {
            self.author.push(Origin::Internal, Change::Fence(fence));
        }
    }
}
