use core::time::Duration;

use crux_crdt::Principal;
use crux_crdt::strew::Seniority;

use super::config::Config;
use crate::liveness::Liveness;
use crate::time::Instant;

/// A claim to lead, and the fence of what its holder commands. Ordered by n, then principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// The number; below 2^48.
    pub n: u64,
    /// Whose it is.
    pub principal: Principal,
}

/// A member as far as leading goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
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

/// The leader engine of one node. See the module for its invariant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    config: Config,
    me: Principal,
    fence: Option<Claim>,
    /// The greatest claim whose command this node began to accept, durably or not yet.
    promised: Option<Claim>,
    /// The greatest claim seen or heard of anywhere.
    greatest_seen: Option<Claim>,
    /// Since when no live member holds a claim.
    vacant_since: Option<Instant>,
    /// Since when who leads, be it this node, does so below a claim whose holder this node does not hear.
    outbid_since: Option<Instant>,
    may_claim_from: Instant,
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
        Self {
            config,
            me,
            fence,
            promised: fence,
            greatest_seen: fence,
            vacant_since: None,
            outbid_since: None,
            may_claim_from,
            leader: None,
            deadline: Instant::NEVER,
        }
    }

    /// Who leads, as of the last [`State::evaluate`].
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
    /// The greater claim that is held.
    pub fn check(&mut self, claim: Claim) -> Result<(), Claim> {
        match self.promised {
            Some(held) if crux_crdt::planted!(FenceOrder) => {
                let order = |claim: Claim| (claim.principal, claim.n);
                if order(held) > order(claim) { Err(held) } else { Ok(()) }
            }
            Some(held) if held > claim => Err(held),
            _ => {
                self.promised = Some(claim);
                Ok(())
            }
        }
    }

    /// A command under this claim was accepted, and that is durable. A fence never decreases.
    pub fn set_fence(&mut self, claim: Claim) {
        self.fence = self.fence.max(Some(claim));
        self.promised = self.promised.max(Some(claim));
        self.greatest_seen = self.greatest_seen.max(Some(claim));
    }

    /// A receiver refused a command because it holds a greater claim.
    pub fn on_greater(&mut self, held: Claim) {
        self.greatest_seen = self.greatest_seen.max(Some(held));
    }

    /// This node joins others and does not know them yet: it waits as after a start.
    pub fn hold_off(&mut self, now: Instant) {
        self.may_claim_from = self.may_claim_from.max(now + self.config.start_grace);
    }

    /// Looks at the members. Returns the claim this node is to publish now, 0 to clear it.
    pub fn evaluate(&mut self, members: &[Candidate], now: Instant) -> Option<u64> {
        self.deadline = Instant::NEVER;
        let claims = members.iter().filter(|m| m.claim > 0).map(Candidate::holds);
        self.greatest_seen = self.greatest_seen.max(claims.max());
        self.leader = members
            .iter()
            .filter(|m| m.claim > 0 && m.eligible && m.liveness == Liveness::Alive)
            .map(Candidate::holds)
            .max();
        if crux_crdt::planted!(SmallestLeads) {
            let living = members.iter().filter(|m| m.eligible && m.liveness == Liveness::Alive);
            let smallest = living.min_by_key(|m| m.principal);
            self.leader = smallest.map(|m| Claim { n: m.claim, principal: m.principal });
        }
        let mine = members.iter().find(|member| member.principal == self.me)?;
        let live_claims = members
            .iter()
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
        // Who does not lead is bound by what it obeyed, of which who leads may not know.
        let bound = if leads { self.greatest_seen } else { self.fence };
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
            self.deadline = turn;
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
            self.deadline = turn;
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
        (greatest + 1).min((1 << 48) - 1)
    }

    /// Whether this node, leading, heard recently somebody who observes it or whom it observes, or
    /// there is nobody.
    pub fn has_authority(&self, last_heard: Option<Instant>, now: Instant) -> bool {
        last_heard.is_none_or(|at| now.since(at) < self.config.authority_lapse)
    }
}
