//! Handshakes: what this node is in them, and what comes of them.

use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::act::{Act, After, NUMBER_LIMIT, Statement};
use crux_crdt::sign::Signed;

use super::command::Notice;
use super::state::{Route, State};
use crate::author::{Change, Origin};
use crate::dial::{self, Purpose};
use crate::join::{self, Hello, Refusal};
use crate::link::{self, Protocol};
use crate::liveness::Liveness;
use crate::time::Instant;

impl State {
    pub(super) fn on_join_request(
        &mut self,
        peer: Principal,
        id: link::ReplyId,
        body: &[u8],
        now: Instant,
    ) {
        let outputs = self
            .with_join_facts(|join, facts, rng| join.on_request(peer, id, body, now, facts, rng));
        self.act_on_join(outputs, now);
    }

    pub(super) fn on_join_response(
        &mut self,
        peer: Principal,
        calling: bool,
        body: &[u8],
        now: Instant,
    ) {
        let outputs = self.with_join_facts(|join, facts, rng| {
            join.on_response(peer, calling, body, now, facts, rng)
        });
        self.act_on_join(outputs, now);
    }

    fn with_join_facts<T>(
        &mut self,
        call: impl FnOnce(&mut join::State, &join::Facts<'_>, &mut rand::rngs::StdRng) -> T,
    ) -> T {
        let own = &self.author.committed().profile;
        let hello = Hello {
            nonce: [0; 32],
            name: own.name.clone(),
            addresses: own.addresses.clone(),
            agreement_key: own.agreement_key,
            incarnation: self.author.incarnation(),
            alone: self.is_alone(),
            after: self.join.after().clone(),
        };
        let full = self.is_replica_full();
        let (liveness, links) = (&self.liveness, &self.links);
        let facts = join::Facts {
            strew: &self.strew,
            names: &self.names,
            is_alive: &|member| liveness.liveness(member) != Liveness::Dead,
            hello,
            full,
            seen_from: &|peer| links.get(peer).map(|link| link.addr.ip()),
        };
        call(&mut self.join, &facts, &mut self.rng)
    }

    pub(super) fn act_on_join(&mut self, outputs: Vec<join::Output>, now: Instant) {
        for output in outputs {
            match output {
                join::Output::Send { peer, request } => {
                    let calling = matches!(request, join::Request::Callback { .. });
                    self.send(peer, Protocol::Join, request.encode(), Route::Join { calling });
                }
                join::Output::Reply { id, response } => self.reply(id, response.encode()),
                join::Output::Vouch(peer) => self.link(link::Command::Keep { peer }),
                join::Output::Call { peer, addrs } => {
                    let addrs = addrs.iter().map(ToString::to_string).collect();
                    let purpose = Purpose::Call(peer);
                    self.dial(dial::Request { purpose, addrs, expect: Some(peer) });
                }
                join::Output::Admit { peer, retire, joining, yields, after } => {
                    if yields {
                        self.leave_claim_behind(now);
                    }
                    if let Some(subject) = retire {
                        self.retire(subject, Origin::Internal);
                    }
                    self.admit(peer, after, joining, now);
                }
                join::Output::Merge(acts) => _ = self.merge_acts(acts, now),
                join::Output::Keep(act) => self.keep_welcome(act),
                join::Output::Redial(peer) => self.redial(peer),
                join::Output::OtherVersion { peer, what } => self.note_other_version(peer, &what),
                join::Output::Failed { peer, refusal, joining } => {
                    self.on_join_failed(peer, refusal, joining, now);
                }
            }
        }
    }

    fn admit(&mut self, peer: Principal, after: After, joining: bool, now: Instant) {
        if let Some(act) = self.own_admission_of(peer, &after) {
            // A member that joins a second time, because it lost its disk or to annoy, gets the same.
            let outputs = self.join.on_signed(peer, joining, Some(act));
            self.act_on_join(outputs, now);
            return;
        }
        if self.has_no_room_for(&peer) {
            let outputs = self.join.on_no_room(peer, joining);
            self.act_on_join(outputs, now);
            return;
        }
        let generation = self.strew.membership().next_generation();
        let statement = Statement::Admit { subject: peer, generation, after };
        let origin = Origin::Join { peer, joining };
        if !self.author.push(origin, Change::Act(statement)) {
            let outputs = self.join.on_signed(peer, joining, None);
            self.act_on_join(outputs, now);
        }
    }

    /// A join changes no leader: who comes alone leaves its own claim behind, though it be on its way
    /// to the disk, and makes no other before it knows whom it came to.
    fn leave_claim_behind(&mut self, now: Instant) {
        if !self.is_alone() {
            return;
        }
        let claims = self.author.committed().profile.claim > 0
            || self.author.is_pending(|change| matches!(change, Change::Claim(_)));
        if claims {
            self.author.push(Origin::Internal, Change::StandDown);
        }
        self.leader.hold_off(now);
    }

    /// This node's admission of a peer under a join key that excludes these.
    fn own_admission_of(&self, peer: Principal, after: &After) -> Option<Arc<Signed<Act>>> {
        let me = self.context.me;
        let mut acts = self.strew.acts();
        acts.find(|act| act.author() == me && join::admits_under(act, peer, after)).cloned()
    }

    fn is_alone(&self) -> bool {
        self.strew.membership().members().nth(1).is_none()
    }

    pub(super) fn retire(&mut self, subject: Principal, origin: Origin) -> bool {
        let incarnation = self.strew.record(&subject).map_or(0, |r| r.marker().incarnation);
        let statement = Statement::Retire { subject, incarnation };
        // One that no peer would take in must not be signed: replicas would differ for ever.
        incarnation < NUMBER_LIMIT && self.author.push(origin, Change::Act(statement))
    }

    /// Closes what there is and dials anew, so that both gates are looked at again.
    fn redial(&mut self, peer: Principal) {
        if self.links.get(&peer).is_some_and(|link| link.open && !link.shut) {
            return;
        }
        self.others.on_redial(peer);
        let mut addrs = self.addresses_of(&peer);
        if addrs.is_empty()
            && let Some(link) = self.links.get(&peer)
        {
            addrs.push(link.addr.to_string());
        }
        self.refresh_members();
        self.link(link::Command::Disconnect { peer });
        let purpose = Purpose::Redial(peer);
        self.dial(dial::Request { purpose, addrs, expect: Some(peer) });
    }

    fn on_join_failed(&mut self, peer: Principal, refusal: Refusal, joining: bool, now: Instant) {
        if self.strew.membership().contains(&peer) {
            // The handshake the other way round was faster.
            return;
        }
        // Of an entry it is told which one, and not at each attempt.
        if !joining || !self.dial.leads_to(peer) {
            self.notice(Notice::JoinFailed { peer, refusal, joining });
        }
        if joining && !self.join.is_busy_with(&peer) {
            for seed in self.dial.on_refused(peer, refusal, now) {
                self.changed = true;
                self.notice(Notice::Seed(seed));
            }
            self.link(link::Command::Disconnect { peer });
        }
    }
}
