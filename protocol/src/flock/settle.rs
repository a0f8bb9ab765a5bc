//! What follows from an event: names, members, the leader, the next write.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::pack::pack;
use crux_crdt::path::Endpoint;

use super::command::{Command, Notice};
use super::event::Event;
use super::state::State;
use crate::author::{Change, Origin};
use crate::dial::{self, Purpose};
use crate::leader::{Candidate, Claim};
use crate::link::{self, Topic};
use crate::liveness::Liveness;
use crate::time::Instant;

/// How long it is not looked again who leads, per member, while nobody does and others are lost: each
/// look walks over all.
const EVALUATE_REST: Duration = Duration::from_micros(100);

impl State {
    /// Brings everything derived in line with what was merged and heard.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.members_dirty {
            self.members_dirty = false;
            self.on_members_changed(now);
        }
        // A claim whose write failed is requested again when writing is tried again.
        let retrying = self.retry_write_at != Instant::ORIGIN && self.retry_write_at <= now;
        let due = self.leader.deadline().min(self.evaluate_at) <= now;
        if self.leader_dirty || retrying || due {
            self.leader_dirty = false;
            self.evaluate_leader(now);
        }
        self.firm_up();
        if !self.unsaved.gone.is_empty() {
            // The next write may bring some of it back.
            self.save();
        }
        self.start_write(now);
        if self.members_dirty {
            // An empty write ends at once and may have changed the replica.
            return self.settle(now);
        }
        self.save();
        self.look_at_room();
        if std::mem::take(&mut self.changed) {
            self.out.push(Command::Changed);
        }
    }

    fn on_members_changed(&mut self, now: Instant) {
        // Most changes are of somebody's services or marker. What names, gates and addresses are
        // derived from is then as it was, and to derive them takes milliseconds in a large flock.
        if std::mem::take(&mut self.roster_dirty) {
            self.on_roster_changed(now);
        }
        self.liveness.set_incarnation(self.author.incarnation(), now);
        self.outlive_departure();
        self.tell_liveness_of_own(now);
    }

    fn on_roster_changed(&mut self, now: Instant) {
        self.names = crux_crdt::strew::Names::derive(&self.strew);
        self.wanted = None;
        self.refresh_members();
        let shown: BTreeSet<_> = self.strew.shown().map(|record| record.author()).collect();
        let outputs = self.liveness.set_members(&shown, now);
        self.act_on_liveness(outputs, now);
        self.dead_since.retain(|member, _| shown.contains(member));
        for member in &shown {
            if self.liveness.liveness(member) == Liveness::Dead {
                self.dead_since.entry(*member).or_insert(now);
            } else {
                self.dead_since.remove(member);
            }
        }
        self.tell_addresses();
        self.look_at_own_name();
    }

    fn tell_liveness_of_own(&mut self, now: Instant) {
        let leading = self.leader().is_some_and(|claim| claim.principal == self.context.me);
        self.liveness.set_own(self.strew.digest(), leading, now);
    }

    /// Opens the gate for exactly the members.
    pub(super) fn refresh_members(&mut self) {
        let members = Arc::new(self.strew.membership().members().collect());
        self.link(link::Command::Admit { members });
    }

    fn tell_addresses(&mut self) {
        let mut news = Vec::new();
        for record in self.strew.shown().filter(|record| record.author() != self.context.me) {
            let profile = record.header().value().profile_hash;
            if self.addresses_told.get(&record.author()) != Some(&profile) {
                let addresses = record.profile().addresses.iter();
                let addrs = addresses.filter_map(Endpoint::socket_addr).collect();
                news.push((record.author(), profile, addrs));
            }
        }
        self.addresses_told.extend(news.iter().map(|(peer, profile, _)| (*peer, *profile)));
        if news.len() * 2 > self.addresses_told.len() {
            pack(&mut self.addresses_told);
        }
        for (peer, _, addrs) in news {
            self.link(link::Command::SetAddresses { peer, addrs });
        }
    }

    /// A node that lives and departed undoes that by a higher incarnation: others retired it, or it left
    /// in a previous incarnation that its disk does not know.
    fn outlive_departure(&mut self) {
        let me = self.context.me;
        let Some(departure) = self.strew.membership().departure(&me) else { return };
        let pending = self.author.is_pending(|change| {
            matches!(change, Change::Reincarnate(above) if *above >= departure.incarnation)
        });
        let leaving = self.stop_at.is_some()
            || self.author.is_pending(|change| {
                matches!(change, Change::Act(crux_crdt::act::Statement::Leave { .. }))
            });
        if !leaving && !pending && departure.incarnation >= self.author.incarnation() {
            self.author.push(Origin::Internal, Change::Reincarnate(departure.incarnation));
        }
    }

    fn look_at_own_name(&mut self) {
        let Some(name) = self.author.committed().profile.name.clone() else { return };
        let holder = self.names.holder(&name).filter(|holder| *holder != self.context.me);
        if let Some(holder) = holder
            && !self.name_lost
        {
            self.notice(Notice::NameLost { name: name.to_string(), holder });
        }
        self.name_lost = holder.is_some();
    }

    fn evaluate_leader(&mut self, now: Instant) {
        // A claim that waits for the disk may be out of date; one that is being written counts until
        // it is there.
        let is_claim = |change: &Change| matches!(change, Change::Claim(_));
        self.author.retract(is_claim);
        (self.evaluated_at, self.evaluate_at) = (now, Instant::NEVER);
        let candidates = self.candidates(now);
        if let Some(n) = self.leader.evaluate(&candidates, now)
            && !(self.read_only && n > 0)
            && !self.author.is_pending(|it| is_claim(it) || matches!(it, Change::StandDown))
        {
            self.author.push(Origin::Internal, Change::Claim(n));
        }
        self.look_after_fence(now);
        if self.shown_leader != self.leader.leader() {
            let before = self.shown_leader;
            self.shown_leader = self.leader.leader();
            self.tell_who_leads_instead(before);
            self.changed = true;
            let named = |claim: Claim| (self.names.of(&claim.principal).to_string(), claim);
            self.notice(Notice::Leader(self.shown_leader.map(named)));
            self.tell_liveness_of_own(now);
        }
    }

    /// Two parts that met had a leader each: the one that yields is told to whom.
    fn tell_who_leads_instead(&mut self, before: Option<Claim>) {
        let me = self.context.me;
        if let (Some(before), Some(claim)) = (before, self.shown_leader)
            && before.principal == me
            && claim.principal != me
            && claim > before
        {
            let node = self.names.of(&claim.principal).to_string();
            self.notice(Notice::LeadLost { node, claim });
        }
    }

    fn candidates(&self, now: Instant) -> Vec<Candidate> {
        self.strew
            .shown()
            .filter_map(|record| {
                let principal = record.author();
                // A member that restarts cannot lead meanwhile: it is replaced as one that died.
                let away = self.liveness.is_away(&principal, now);
                Some(Candidate {
                    principal,
                    claim: record.profile().claim,
                    seniority: self.strew.membership().seniority(&principal)?,
                    liveness: self.liveness.liveness(&principal),
                    eligible: !record.profile().draining && !away,
                })
            })
            .collect()
    }

    /// A member announced a restart, or is back: whether it may lead changed.
    pub(super) fn on_away(&mut self, member: Principal) {
        self.leader_dirty |= self.strew.record(&member).is_some_and(|it| it.profile().claim > 0);
    }

    pub(super) fn on_liveness_changed(
        &mut self,
        member: Principal,
        liveness: Liveness,
        now: Instant,
    ) {
        // A member without a claim does not lead; but where nobody leads, it has its place in the queue.
        // A newcomer only makes the queue longer, which this node reads when its own turn is due.
        let claims = self.strew.record(&member).is_some_and(|record| record.profile().claim > 0);
        self.leader_dirty |= claims;
        if self.leader().is_none() && liveness != Liveness::Alive {
            let members = u32::try_from(self.liveness.live()).unwrap_or(u32::MAX);
            let from = self.evaluated_at + EVALUATE_REST * members;
            self.evaluate_at = self.evaluate_at.min(from.max(now));
        }
        self.changed = true;
        self.wanted = None;
        if liveness == Liveness::Dead {
            self.dead_since.entry(member).or_insert(now);
            self.drop_link(member);
            self.free_names(now);
        } else {
            self.dead_since.remove(&member);
        }
        let node = self.names.of(&member).to_string();
        self.notice(Notice::Liveness { node, liveness });
    }

    /// After a partition, a connection that outlived it continues only when TCP sends again what was
    /// lost, which it tries ever more seldom; a new one, to whom is dialled as the dead are, at once.
    pub(super) fn drop_link(&mut self, peer: Principal) {
        if self.links.contains_key(&peer) {
            self.link(link::Command::Disconnect { peer });
        }
    }

    pub(super) fn probe(&mut self, peer: Principal) {
        let addrs = self.addresses_of(&peer);
        if !addrs.is_empty() {
            let purpose = Purpose::Probe(peer);
            self.dial(dial::Request { purpose, addrs, expect: Some(peer) });
        }
    }

    /// When [`super::Event::Wake`] has something to do.
    pub fn deadline(&mut self) -> Instant {
        let retry = if self.retry_write_at == Instant::ORIGIN {
            Instant::NEVER
        } else {
            self.retry_write_at
        };
        let links = match self.links_due {
            Some(at) => {
                debug_assert_eq!(at, self.links_deadline(), "it changed unnoticed");
                at
            }
            None => self.links_deadline(),
        };
        self.links_due = Some(links);
        self.liveness
            .deadline()
            .min(self.sync.deadline())
            .min(self.leader.deadline())
            .min(self.evaluate_at)
            .min(links)
            .min(retry)
    }

    /// What links, dials, joins and calls wait for. Walks over them, so it is remembered while only
    /// beats and beacons come in: nine in ten events of a large flock.
    fn links_deadline(&mut self) -> Instant {
        self.join
            .deadline()
            .min(self.tend_deadline())
            .min(self.prune_deadline())
            .min(self.calls_deadline())
            .min(self.dial_deadline())
    }

    /// Whether an event says only that somebody lives, or does not.
    pub(super) const fn is_of_life(event: &Event) -> bool {
        use link::Event as E;
        matches!(event, Event::Link(E::Gossip { topic: Topic::Beat, .. } | E::Beat { .. }))
    }
}
