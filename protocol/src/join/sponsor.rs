//! The side that was dialled and lets in.

use std::net::IpAddr;
use std::sync::Arc;

use crux_crdt::act::Act;
use crux_crdt::canon::Canonical;
use crux_crdt::path::{Endpoint, Host};
use crux_crdt::sign::Signed;
use crux_crdt::{Digest, Principal};
use rand::rngs::StdRng;

use super::message::{Hello, Refusal, Request, Response};
use super::state::{
    Facts, Output, State, fresh_nonce, of_callback, of_challenge, of_hello, refuse,
};
use crate::link::ReplyId;
use crate::time::Instant;

/// How far a sponsor is with one joiner.
#[derive(Debug)]
pub(super) struct Guest {
    stage: Stage,
    /// The transcript of the challenge.
    transcript: Digest,
    /// Where it says it is.
    addresses: Vec<Endpoint>,
    /// Whose name it takes over.
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
    /// Challenged; waiting for the proof.
    Challenged,
    /// Proved; being dialled. The proof awaits its answer.
    Calling(ReplyId),
    /// Dialled; asked to sign the callback.
    Called(ReplyId),
    /// Both factors hold; the admission is being written.
    Admitting(ReplyId),
}

impl Stage {
    const fn reply(self) -> Option<ReplyId> {
        match self {
            Self::Challenged => None,
            Self::Calling(id) | Self::Called(id) | Self::Admitting(id) => Some(id),
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
        facts: &Facts<'_>,
        rng: &mut StdRng,
    ) -> Vec<Output> {
        if self.attempts.contains_key(&peer) {
            if self.context.me > peer {
                return vec![refuse(id, Refusal::Crossed)];
            }
            self.attempts.remove(&peer);
        }
        if self.guests.len() >= self.config.guests_max && !self.guests.contains_key(&peer) {
            return vec![refuse(id, Refusal::Busy)];
        }
        let retire = match check_name(hello, peer, facts) {
            Ok(retire) => retire,
            Err(refusal) => {
                return vec![refuse(id, refusal), Output::Failed { peer, refusal, joining: false }];
            }
        };
        let nonce = fresh_nonce(rng);
        let said = of_hello(&self.context.flock, &peer, &self.context.me, &hello.to_canonical());
        let transcript = of_challenge(&said, &nonce);
        let proof = self.key.prove("S", &transcript);
        let guest = Guest {
            stage: Stage::Challenged,
            transcript,
            addresses: hello.addresses.clone(),
            retire,
            alone: hello.alone,
            nonce: fresh_nonce(rng),
            until: now + self.config.patience,
        };
        self.guests.insert(peer, guest);
        vec![Output::Reply { id, response: Response::Challenge { nonce, proof } }]
    }

    pub(super) fn on_proof(
        &mut self,
        peer: Principal,
        id: ReplyId,
        proof: &[u8; 32],
        now: Instant,
        facts: &Facts<'_>,
    ) -> Vec<Output> {
        let Some(guest) = self.guests.get_mut(&peer) else {
            return vec![refuse(id, Refusal::Unexpected)];
        };
        if !matches!(guest.stage, Stage::Challenged) {
            return vec![refuse(id, Refusal::Unexpected)];
        }
        guest.stage = Stage::Calling(id);
        guest.until = now + self.config.patience;
        if !self.key.check("J", &guest.transcript, proof) {
            return self.end_guest(peer, Refusal::Secret);
        }
        let seen_from = (facts.seen_from)(&peer);
        let addrs: Vec<_> =
            guest.addresses.iter().filter(|addr| may_call(addr, seen_from)).cloned().collect();
        if addrs.is_empty() {
            return self.end_guest(peer, Refusal::Address);
        }
        vec![Output::Call { peer, addrs }]
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
        vec![Output::Admit { peer, retire, joining: false, yields }]
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

    /// Ends a handshake with a joiner, with an answer if one is due.
    pub(super) fn end_guest(&mut self, peer: Principal, refusal: Refusal) -> Vec<Output> {
        let Some(guest) = self.guests.remove(&peer) else { return Vec::new() };
        let reply = guest.stage.reply().map(|id| refuse(id, refusal));
        let failed = Output::Failed { peer, refusal, joining: false };
        reply.into_iter().chain([failed]).collect()
    }
}

/// Whose name the joiner takes over, if anyone's. The name of a live holder is refused; that of a
/// dead one is free, and the holder is retired.
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

/// Whether a stated address may be called back: its IP is the one the joiner is seen from, or it is
/// a name. Only who proved the join key gets this far, so a name cannot be used to scan for strangers.
fn may_call(addr: &Endpoint, seen_from: Option<IpAddr>) -> bool {
    match addr.host {
        Host::Dns(_) => true,
        _ => addr.host.ip().is_some() && addr.host.ip() == seen_from,
    }
}
