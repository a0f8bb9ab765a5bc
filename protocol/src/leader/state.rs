use core::time::Duration;

use crux_crdt::Principal;
use crux_crdt::strew::Seniority;

use super::config::Config;
use super::reach::{CLAIM_LIMIT, Reach};
use crate::liveness::Liveness;
use crate::time::Instant;

/// A claim to lead, and the fence of what its holder commands. Ordered by n, then principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// The number; below 2^48.
    pub n: u64,
    /// The member that made it.
    pub principal: Principal,
}

/// A member as far as leading goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The member.
    pub principal: Principal,
    /// Its claim; 0 is none.
    pub claim: u64,
    /// How senior it is.
    pub seniority: Seniority,
    /// What this node thinks of it.
    pub liveness: Liveness,
    /// Whether it may lead.
    pub eligible: bool,
}

impl Candidate {
    const fn holds(&self) -> Claim {
        Claim { n: self.claim, principal: self.principal }
    }
}

/// Why a command is not to be obeyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A greater claim is held.
    Held(Claim),
    /// The claim is further above all that this node knows than elections bring it.
    Beyond,
}

/// The leader engine of one node. See the module for its invariant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    config: Config,
    me: Principal,
    fence: Option<Claim>,
    /// The greatest claim whose command this node began to accept, durably or not yet.
    promised: Option<Claim>,
    /// The greatest claim seen or heard of anywhere that counts.
    greatest_seen: Option<Claim>,
    /// How large the claims are that count.
    reach: Reach,
    /// Whether the own claim on disk at the start was looked at.
    started: bool,
    /// Since when the holder of the fence is gone.
    orphan_since: Option<Instant>,
    /// Since when no live member holds a claim.
    vacant_since: Option<Instant>,
    /// Since when who leads, be it this node, does so below a claim whose holder this node does not hear.
    outbid_since: Option<Instant>,
    may_claim_from: Instant,
    /// From when on this node takes its own word for it that it leads, though it compared itself with
    /// nobody or knows of a greater claim; none: it does.
    sure_from: Option<Instant>,
    /// Whether it compared itself with a member since its start.
    compared: bool,
    leader: Option<Claim>,
    deadline: Instant,
}

impl State {
    /// An engine that holds `fence` from disk. `expects_others`: it knows of other members, or was
    /// told where to find some.
    pub fn new(
        config: Config,
        me: Principal,
        fence: Option<Claim>,
        expects_others: bool,
        now: Instant,
    ) -> Self {
        let expects_others = expects_others && !crux_crdt::planted!(EagerClaim);
        let fence = fence.filter(|_| !crux_crdt::planted!(FenceForgotten));
        let may_claim_from = if expects_others { now + config.start_grace } else { now };
        let mut reach = Reach::new(now);
        fence.into_iter().for_each(|fence| reach.trust(fence));
        Self {
            config,
            me,
            fence,
            promised: fence,
            greatest_seen: fence.filter(|fence| reach.covers(*fence)),
            reach,
            started: false,
            orphan_since: None,
            vacant_since: None,
            outbid_since: None,
            may_claim_from,
            sure_from: expects_others.then_some(may_claim_from),
            compared: false,
            leader: None,
            deadline: Instant::NEVER,
        }
    }

    /// The leader, as of the last [`State::evaluate`].
    pub const fn leader(&self) -> Option<Claim> {
        self.leader
    }

    /// The greatest claim whose command this node accepted.
    pub const fn fence(&self) -> Option<Claim> {
        self.fence
    }

    /// When [`State::evaluate`] may have something to do though nothing changed.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether a command under this claim is to be obeyed. If so, [`State::set_fence`] is to follow
    /// once that is durable; lower ones that come meanwhile are refused already, or they would be
    /// accepted after a greater one.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn check(&mut self, claim: Claim, now: Instant) -> Result<(), Refused> {
        self.reach.rise(now);
        match self.promised {
            Some(held) if crux_crdt::planted!(FenceOrder) => {
                let order = |claim: Claim| (claim.principal, claim.n);
                if order(held) > order(claim) { Err(Refused::Held(held)) } else { Ok(()) }
            }
            Some(held) if held > claim => Err(Refused::Held(held)),
            _ if !self.reach.covers(claim) => Err(Refused::Beyond),
            _ => {
                self.promised = Some(claim);
                Ok(())
            }
        }
    }

    /// A command under this claim was accepted, and that is durable. A fence decreases only by
    /// [`State::forget_fence`].
    pub fn set_fence(&mut self, claim: Claim) {
        self.fence = self.fence.max(Some(claim));
        self.promised = self.promised.max(Some(claim));
        self.greatest_seen = self.greatest_seen.max(Some(claim));
    }

    /// A command that [`State::check`] let pass could not be written, and was refused. `pending` is the
    /// greatest claim whose command is still to be written.
    pub fn on_unwritten(&mut self, pending: Option<Claim>) {
        self.promised = self.fence.max(pending);
    }

    /// What became of the holder of the fence: it departed, and if so, this node does not hear it.
    /// Returns the fence if it is to be forgotten: durably, then by [`State::forget_fence`].
    pub fn on_holder(&mut self, departed: bool, unheard: bool, now: Instant) -> Option<Claim> {
        let fence = self.fence.filter(|_| departed);
        if fence.is_none() || !unheard {
            self.orphan_since = None;
        }
        let fence = fence?;
        let since = if unheard { *self.orphan_since.get_or_insert(now) } else { now };
        let due = since + self.config.forget_grace;
        if now >= due && unheard {
            return Some(fence);
        }
        self.deadline = self.deadline.min(due);
        None
    }

    /// That this fence is forgotten is durable. One that was accepted meanwhile stays.
    pub fn forget_fence(&mut self, claim: Claim) {
        self.fence = self.fence.filter(|fence| *fence != claim);
        self.promised = self.promised.filter(|promised| *promised != claim);
        self.orphan_since = None;
    }

    /// A receiver refused a command because it holds a greater claim.
    pub fn on_greater(&mut self, held: Claim, now: Instant) {
        self.reach.rise(now);
        if self.reach.covers(held) {
            self.greatest_seen = self.greatest_seen.max(Some(held));
        }
    }

    /// The greatest term that counts here, also in what leaders sign for later; as of the last event, so it may be lower
    /// than it is by now.
    pub const fn greatest_term(&self) -> u64 {
        self.reach.most()
    }

    /// This node joins others and does not know them yet: it waits as after a start.
    pub fn hold_off(&mut self, now: Instant) {
        self.may_claim_from = self.may_claim_from.max(now + self.config.start_grace);
    }

    /// This node lacks nothing that a member has. Returns whether that may change who leads.
    pub fn on_compared(&mut self) -> bool {
        !std::mem::replace(&mut self.compared, true)
    }

    /// Looks at the members. Returns the claim this node is to publish now, 0 to clear it.
    pub fn evaluate(&mut self, members: &[Candidate], now: Instant) -> Option<u64> {
        self.deadline = Instant::NEVER;
        self.look_at_claims(members, now);
        let doubts_own = self.doubts_own_claim(members, now);
        self.leader = members
            .iter()
            .filter(|m| m.claim > 0 && m.eligible && m.liveness == Liveness::Alive)
            .filter(|m| !(doubts_own && m.principal == self.me))
            .map(Candidate::holds)
            .max();
        if crux_crdt::planted!(SmallestLeads) {
            let living = members.iter().filter(|m| m.eligible && m.liveness == Liveness::Alive);
            let smallest = living.min_by_key(|m| m.principal);
            self.leader = smallest.map(|m| Claim { n: m.claim, principal: m.principal });
        }
        let mine = members.iter().find(|member| member.principal == self.me)?;
        if self.reach.is_absurd(mine.holds()) {
            // An earlier build claimed above a lie.
            return Some(0);
        }
        // A claim of a member that does not lead, since it drains, keeps nobody else from leading.
        let live_claims = members
            .iter()
            .filter(|m| m.eligible || m.principal == self.me)
            .filter(|m| m.claim > 0 && m.liveness != Liveness::Dead)
            .map(Candidate::holds);
        match live_claims.max() {
            None => {
                self.outbid_since = None;
                self.wait_for_turn(members, mine, now)
            }
            Some(greatest) => {
                self.vacant_since = None;
                self.keep_or_clear(members, mine, greatest, now)
            }
        }
    }

    fn look_at_claims(&mut self, members: &[Candidate], now: Instant) {
        let claims = || members.iter().filter(|m| m.claim > 0).map(Candidate::holds);
        if !std::mem::replace(&mut self.started, true) {
            claims().filter(|it| it.principal == self.me).for_each(|it| self.reach.trust(it));
        }
        let greatest = claims().max().max(self.greatest_seen);
        self.reach.follow(greatest.map_or(0, |claim| claim.n), now);
        let counted = claims().filter(|claim| self.reach.covers(*claim)).max();
        self.greatest_seen = self.greatest_seen.max(counted);
    }

    /// Whether the claim on this node's disk may be out of date: another member may lead since. It is
    /// told so, or not, as soon as it compares itself with one, and believes nobody's silence before
    /// that had time to end.
    fn doubts_own_claim(&mut self, members: &[Candidate], now: Instant) -> bool {
        self.sure_from.take_if(|from| *from <= now);
        let greatest = members.iter().max_by_key(|m| m.holds());
        let is_greatest = greatest.is_some_and(|m| m.principal == self.me);
        let Some(sure_from) = self.sure_from.filter(|_| !(self.compared && is_greatest)) else {
            return false;
        };
        self.deadline = self.deadline.min(sure_from);
        true
    }

    fn keep_or_clear(
        &mut self,
        all: &[Candidate],
        mine: &Candidate,
        greatest_live: Claim,
        now: Instant,
    ) -> Option<u64> {
        let leads = mine.claim > 0 && mine.eligible && greatest_live.principal == self.me;
        if !leads && mine.claim > 0 {
            self.outbid_since = None;
            return Some(0);
        }
        // A node that does not lead is bound by what it obeyed, of which the leader may not know.
        let obeyed = self.fence.filter(|fence| self.reach.covers(*fence));
        let bound = if leads { self.greatest_seen } else { obeyed };
        if bound <= Some(greatest_live) || !mine.eligible {
            self.outbid_since = None;
            return None;
        }
        // Its holder may only not have been heard yet: after a return or a heal.
        let since = *self.outbid_since.get_or_insert(now);
        let grace = self.config.outbid_grace;
        let wait = if leads { grace } else { grace * 2 + self.turn(all, mine) };
        let turn = since.max(self.may_claim_from) + wait;
        if now < turn {
            self.deadline = self.deadline.min(turn);
            return None;
        }
        Some(self.next_claim())
    }

    fn wait_for_turn(&mut self, all: &[Candidate], mine: &Candidate, now: Instant) -> Option<u64> {
        if !mine.eligible {
            return None;
        }
        let since = *self.vacant_since.get_or_insert(now);
        // After the grace, too, one after the other.
        let turn = since.max(self.may_claim_from) + self.turn(all, mine);
        if now < turn {
            self.deadline = self.deadline.min(turn);
            return None;
        }
        Some(self.next_claim())
    }

    /// How long the more senior ones have before this node.
    fn turn(&self, all: &[Candidate], mine: &Candidate) -> Duration {
        let rank = all
            .iter()
            .filter(|m| m.eligible && m.liveness == Liveness::Alive && m.seniority < mine.seniority)
            .count();
        self.config.rank_delay.saturating_mul(u32::try_from(rank).unwrap_or(u32::MAX))
    }

    fn next_claim(&self) -> u64 {
        // Claims stay below 2^48; at one a second that is nine million years.
        let greatest = self.greatest_seen.map_or(0, |claim| claim.n);
        (greatest + 1).min(CLAIM_LIMIT - 1)
    }

    /// Whether this node, leading, heard recently somebody who observes it or whom it observes, or
    /// there is nobody.
    pub fn has_authority(&self, last_heard: Option<Instant>, now: Instant) -> bool {
        last_heard.is_none_or(|at| now.since(at) < self.config.authority_lapse)
    }
}
