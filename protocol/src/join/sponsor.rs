//! The side that was dialled and lets in.

use std::net::IpAddr;
use std::sync::Arc;

use crux_crdt::act::Act;
use crux_crdt::canon::Canonical;
use crux_crdt::path::{Endpoint, Host};
use crux_crdt::sign::Signed;
use crux_crdt::{Digest, Principal};
use rand::rngs::StdRng;

use super::challenge::Challenges;
use super::message::{Hello, Refusal, Request, Response};
use super::state::{
    Facts, Output, State, fresh_nonce, of_callback, of_challenge, of_hello, refuse,
};
use crate::link::ReplyId;
use crate::time::Instant;

/// How many host names of one joiner are looked up: each may take as long as a dial, and the joiner's
/// own name server decides how long it takes.
const NAMES_CALLED_MAX: usize = 2;

/// How far a sponsor is with one joiner that proved the join key.
#[derive(Debug)]
pub(super) struct Guest {
    stage: Stage,
    /// The transcript of the challenge.
    transcript: Digest,
    /// Where it is called.
    addrs: Vec<Endpoint>,
    /// The dead member whose name it takes over.
    retire: Option<Principal>,
    /// Whether it knows no other member.
    alone: bool,
    /// Sent with the callback.
    nonce: [u8; 32],
    /// When patience ends.
    pub(super) until: Instant,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Being dialled. The proof awaits its answer.
    Calling(ReplyId),
    /// Dialled; asked to sign the callback.
    Called(ReplyId),
    /// Both factors hold; the admission is being written.
    Admitting(ReplyId),
}

impl Stage {
    const fn reply(self) -> ReplyId {
        match self {
            Self::Calling(id) | Self::Called(id) | Self::Admitting(id) => id,
        }
    }
}

impl State {
    pub(super) fn on_hello(
        &mut self,
        peer: Principal,
        id: ReplyId,
        hello: &Hello,
        now: Instant,
        rng: &mut StdRng,
    ) -> Output {
        if self.crosses(peer) {
            return refuse(id, Refusal::Crossed);
        }
        if hello.after != *self.key.after() {
            // Its key is another one: that it is the next one or the last makes no difference here.
            return refuse(id, Refusal::Secret);
        }
        let window = self.config.patience;
        let said = of_hello(&self.context.flock, &peer, &self.context.me, &hello.to_canonical());
        let challenges = self.challenges.get_or_insert_with(|| Challenges::new(window, rng));
        let nonce = challenges.nonce(&said, now);
        let proof = self.key.prove("S", &of_challenge(&said, &nonce));
        Output::Reply { id, response: Response::Challenge { nonce, proof } }
    }

    /// Whether this node joins through the peer at the same time, and goes on with that. If the peer
    /// goes on, this node's attempt ends.
    fn crosses(&mut self, peer: Principal) -> bool {
        let both = self.attempts.contains_key(&peer);
        let mine = both && self.context.me > peer;
        if both && !mine {
            self.attempts.remove(&peer);
        }
        mine
    }

    pub(super) fn on_proof(
        &mut self,
        peer: Principal,
        id: ReplyId,
        (hello, nonce, proof): (&Hello, &[u8; 32], &[u8; 32]),
        now: Instant,
        facts: &Facts<'_>,
        rng: &mut StdRng,
    ) -> Vec<Output> {
        let said = of_hello(&self.context.flock, &peer, &self.context.me, &hello.to_canonical());
        let mine = |challenges: &Challenges| challenges.knows(&said, nonce, now);
        if !self.challenges.as_ref().is_some_and(mine) {
            return vec![refuse(id, Refusal::Unexpected)];
        }
        let transcript = of_challenge(&said, nonce);
        if !self.key.check("J", &transcript, proof) {
            return fail(peer, id, Refusal::Secret);
        }
        if self.guests.get(&peer).is_some_and(|guest| guest.transcript == transcript) {
            return vec![refuse(id, Refusal::Unexpected)];
        }
        if self.crosses(peer) {
            return vec![refuse(id, Refusal::Crossed)];
        }
        if self.guests.len() >= self.config.guests_max && !self.guests.contains_key(&peer) {
            return vec![refuse(id, Refusal::Busy)];
        }
        let retire = match check_name(hello, peer, facts) {
            Ok(retire) => retire,
            Err(refusal) => return fail(peer, id, refusal),
        };
        let seen_from = (facts.seen_from)(&peer);
        let addrs = to_call(&hello.addresses, seen_from);
        if addrs.is_empty() {
            return fail(peer, id, Refusal::Address);
        }
        let (stage, until) = (Stage::Calling(id), now + self.config.patience);
        let (alone, nonce) = (hello.alone, fresh_nonce(rng));
        let guest = Guest { stage, transcript, addrs, retire, alone, nonce, until };
        self.receive(peer, id, guest)
    }

    /// Calls a joiner. One that proved the key before, and is being called there already, goes on with
    /// this handshake in place of the other; one that is further on, or states another address, is to
    /// wait for its end. So a joiner has one call under way, however often it proves the key.
    fn receive(&mut self, peer: Principal, id: ReplyId, guest: Guest) -> Vec<Output> {
        let addrs = guest.addrs.clone();
        match self.guests.get(&peer).map(|old| (old.stage, old.addrs == addrs)) {
            None => {
                self.guests.insert(peer, guest);
                vec![Output::Vouch(peer), Output::Call { peer, addrs }]
            }
            Some((Stage::Calling(old), true)) => {
                self.guests.insert(peer, guest);
                vec![refuse(old, Refusal::Unexpected), Output::Vouch(peer)]
            }
            Some(_) => vec![refuse(id, Refusal::Busy)],
        }
    }

    /// The new connection to a joiner stands, or nobody with its key answered.
    pub fn on_called(&mut self, peer: Principal, answered: bool) -> Vec<Output> {
        let Some(guest) = self.guests.get_mut(&peer) else { return Vec::new() };
        let Stage::Calling(id) = guest.stage else { return Vec::new() };
        if !answered {
            return self.end_guest(peer, Refusal::Callback);
        }
        guest.stage = Stage::Called(id);
        let request = Request::Callback { transcript: guest.transcript, nonce: guest.nonce };
        vec![Output::Send { peer, request }]
    }

    pub(super) fn on_called_back(
        &mut self,
        peer: Principal,
        signature: &[u8; 64],
        now: Instant,
    ) -> Vec<Output> {
        let Some(guest) = self.guests.get_mut(&peer) else { return Vec::new() };
        let Stage::Called(id) = guest.stage else { return Vec::new() };
        let message = of_callback(&guest.transcript, &guest.nonce);
        if !self.context.verifier.verify(&peer, &message, signature) {
            return self.end_guest(peer, Refusal::Callback);
        }
        guest.stage = Stage::Admitting(id);
        guest.until = now + self.config.patience;
        let (retire, yields) = (guest.retire, !guest.alone);
        let after = self.key.after().clone();
        vec![Output::Admit { peer, retire, joining: false, yields, after }]
    }

    pub(super) fn on_joiner_admitted(
        &mut self,
        peer: Principal,
        admission: Arc<Signed<Act>>,
    ) -> Vec<Output> {
        let Some(guest) = self.guests.remove(&peer) else { return Vec::new() };
        let Stage::Admitting(id) = guest.stage else { return Vec::new() };
        let response = Response::Welcome { admission, epoch: Vec::new() };
        vec![Output::Reply { id, response }]
    }

    /// Ends a handshake with a joiner, with an answer.
    pub(super) fn end_guest(&mut self, peer: Principal, refusal: Refusal) -> Vec<Output> {
        let Some(guest) = self.guests.remove(&peer) else { return Vec::new() };
        fail(peer, guest.stage.reply(), refusal)
    }
}

/// Refuses a joiner, and says so.
pub(super) fn fail(peer: Principal, id: ReplyId, refusal: Refusal) -> Vec<Output> {
    vec![refuse(id, refusal), Output::Failed { peer, refusal, joining: false }]
}

/// The member whose name the joiner takes over, if any. The name of a live holder is refused; that of
/// a dead one is free, and the holder is retired.
fn check_name(
    hello: &Hello,
    peer: Principal,
    facts: &Facts<'_>,
) -> Result<Option<Principal>, Refusal> {
    let Some(name) = &hello.name else { return Ok(None) };
    match facts.names.holder(name) {
        Some(holder) if holder == peer => Ok(None),
        Some(holder) if (facts.is_alive)(&holder) => Err(Refusal::NameTaken(holder)),
        holder => Ok(holder),
    }
}

/// Where a joiner is called that states these addresses.
fn to_call(stated: &[Endpoint], seen_from: Option<IpAddr>) -> Vec<Endpoint> {
    let mut names = 0;
    let is_called = |addr: &&Endpoint| {
        names += usize::from(matches!(addr.host, Host::Dns(_)));
        addr.host.ip().is_some() || names <= NAMES_CALLED_MAX
    };
    let called = stated.iter().filter(|addr| may_call(addr, seen_from)).filter(is_called);
    called.cloned().collect()
}

/// Whether a stated address may be called back: its IP is the one the joiner is seen from, or it is
/// a name. Only who proved the join key gets this far, so a name cannot be used to scan for strangers.
fn may_call(addr: &Endpoint, seen_from: Option<IpAddr>) -> bool {
    match addr.host {
        Host::Dns(_) => true,
        _ => addr.host.ip().is_some() && addr.host.ip() == seen_from,
    }
}
