//! The side that dialled and wants in.

use std::sync::Arc;

use crux_crdt::act::Act;
use crux_crdt::canon::Canonical;
use crux_crdt::sign::Signed;
use crux_crdt::{Digest, Principal};
use rand::rngs::StdRng;

use super::chain::Chain;
use super::message::{Hello, Refusal, Request, Response};
use super::path::path;
use super::state::{
    Facts, Output, State, admits, admits_under, fresh_nonce, of_callback, of_challenge, of_hello,
    refuse,
};
use crate::link::ReplyId;
use crate::time::Instant;

/// How far a joiner is with one sponsor.
#[derive(Debug)]
pub(super) struct Attempt {
    stage: Stage,
    until: Instant,
}

#[derive(Debug)]
enum Stage {
    /// Knocked; waiting for the standing.
    Knocked,
    /// Said hello, and the transcript of it.
    Greeted(Box<Hello>, Digest),
    /// Proved; the transcript of the challenge.
    Proved(Digest),
    /// Welcomed; signing the admission of the sponsor.
    Welcomed,
    /// Sent the last message.
    Closing,
}

impl Attempt {
    pub(super) const fn until(&self) -> Instant {
        self.until
    }
}

impl State {
    /// Asks a connected peer how this node stands with it.
    pub fn knock(&mut self, peer: Principal, known: bool, now: Instant) -> Vec<Output> {
        if self.attempts.contains_key(&peer) {
            return Vec::new();
        }
        self.enter(peer, Stage::Knocked, now);
        vec![Output::Send { peer, request: Request::Knock { known } }]
    }

    fn enter(&mut self, peer: Principal, stage: Stage, now: Instant) {
        let until = now + self.config.patience;
        self.attempts.insert(peer, Attempt { stage, until });
    }

    pub(super) fn on_standing(
        &mut self,
        peer: Principal,
        known: bool,
        acts: Vec<Arc<Signed<Act>>>,
        now: Instant,
        facts: &Facts<'_>,
        rng: &mut StdRng,
    ) -> Vec<Output> {
        if !matches!(self.attempts.get(&peer), Some(Attempt { stage: Stage::Knocked, .. })) {
            return Vec::new();
        }
        let knows = facts.strew.membership().contains(&peer);
        if known && (knows || starts_here(&acts, self.context.me, peer)) {
            self.attempts.remove(&peer);
            return vec![Output::Merge(acts), Output::Redial(peer)];
        }
        let chain = path(facts.strew, peer, self.context.me);
        if knows && !chain.is_empty() {
            self.enter(peer, Stage::Closing, now);
            return vec![Output::Send { peer, request: Request::Present(Chain::of(&chain)) }];
        }
        let mut hello = facts.hello.clone();
        hello.nonce = fresh_nonce(rng);
        let bytes = hello.to_canonical();
        let transcript = of_hello(&self.context.flock, &self.context.me, &peer, &bytes);
        self.enter(peer, Stage::Greeted(Box::new(hello.clone()), transcript), now);
        vec![Output::Send { peer, request: Request::Hello(hello) }]
    }

    pub(super) fn on_challenge(
        &mut self,
        peer: Principal,
        nonce: &[u8; 32],
        proof: &[u8; 32],
        now: Instant,
    ) -> Vec<Output> {
        let Some(Attempt { stage: Stage::Greeted(hello, said), .. }) = self.attempts.get(&peer)
        else {
            return Vec::new();
        };
        let (hello, transcript) = (hello.as_ref().clone(), of_challenge(said, nonce));
        if !self.key.check("S", &transcript, proof) {
            self.attempts.remove(&peer);
            return vec![Output::Failed { peer, refusal: Refusal::Secret, joining: true }];
        }
        self.enter(peer, Stage::Proved(transcript), now);
        let (nonce, proof) = (*nonce, self.key.prove("J", &transcript));
        let request = Request::Proof { hello, nonce, proof };
        vec![Output::Send { peer, request }]
    }

    /// Answers the sponsor's callback: only in the middle of a handshake with that sponsor.
    pub(super) fn on_callback(
        &self,
        peer: Principal,
        id: ReplyId,
        transcript: &Digest,
        nonce: &[u8; 32],
    ) -> Output {
        match self.attempts.get(&peer) {
            Some(Attempt { stage: Stage::Proved(mine), .. }) if mine == transcript => {
                let signature = self.identity.sign_raw(&of_callback(transcript, nonce));
                Output::Reply { id, response: Response::CalledBack(signature) }
            }
            _ => refuse(id, Refusal::Unexpected),
        }
    }

    pub(super) fn on_welcome(
        &mut self,
        peer: Principal,
        admission: Arc<Signed<Act>>,
        now: Instant,
    ) -> Vec<Output> {
        let proved =
            matches!(self.attempts.get(&peer), Some(a) if matches!(a.stage, Stage::Proved(_)));
        let after = self.key.after().clone();
        let admitted = admits_under(&admission, self.context.me, &after);
        if !proved || admission.author() != peer || !admitted {
            self.attempts.remove(&peer);
            return Vec::new();
        }
        self.enter(peer, Stage::Welcomed, now);
        let admit = Output::Admit { peer, retire: None, joining: true, yields: true, after };
        vec![Output::Keep(admission), admit]
    }

    pub(super) fn on_sponsor_admitted(
        &mut self,
        peer: Principal,
        act: Arc<Signed<Act>>,
    ) -> Vec<Output> {
        let Some(attempt) = self.attempts.get_mut(&peer) else { return Vec::new() };
        attempt.stage = Stage::Closing;
        vec![Output::Send { peer, request: Request::Admission(act) }]
    }

    pub(super) fn on_done(&mut self, peer: Principal) -> Vec<Output> {
        match self.attempts.remove(&peer) {
            Some(Attempt { stage: Stage::Closing, .. }) => vec![Output::Redial(peer)],
            _ => Vec::new(),
        }
    }

    pub(super) fn on_refused(&mut self, peer: Principal, refusal: Refusal) -> Vec<Output> {
        match self.attempts.remove(&peer) {
            Some(_) if refusal == Refusal::Crossed => Vec::new(),
            Some(_) => vec![Output::Failed { peer, refusal, joining: true }],
            None => Vec::new(),
        }
    }
}

/// Whether a chain of admissions leads from this node to the peer.
fn starts_here(acts: &[Arc<Signed<Act>>], me: Principal, peer: Principal) -> bool {
    let from_me = acts.first().is_some_and(|act| act.author() == me);
    let chained = acts.windows(2).all(|pair| admits(&pair[0], pair[1].author()));
    from_me && chained && acts.last().is_some_and(|act| admits(act, peer))
}
