use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::act::{Act, After, Statement};
use crux_crdt::path::Endpoint;
use crux_crdt::sign::{Identity, Signed};
use crux_crdt::strew::{Names, Strew};
use rand::Rng;
use rand::rngs::StdRng;

use super::chain::{Chain, Checks};
use super::challenge::Challenges;
use super::config::Config;
use super::joiner::Attempt;
use super::message::{Hello, Refusal, Request, Response};
use super::path::path;
use super::sponsor::{Guest, fail};
use super::transcript;
use crate::context::Context;
use crate::genesis::JoinKey;
use crate::link::ReplyId;
use crate::time::Instant;

/// What the engine asks of whoever drives it.
#[derive(Debug)]
pub enum Output {
    /// Send a request over `/crux/join/2`.
    Send {
        /// To whom.
        peer: Principal,
        /// What.
        request: Request,
    },
    /// Answer a request.
    Reply {
        /// Which.
        id: ReplyId,
        /// With what.
        response: Response,
    },
    /// A joiner proved the join key: its connections are not closed to make room for strangers.
    Vouch(Principal),
    /// Dial a joiner anew at one of these addresses, expecting its key; then call
    /// [`State::on_called`].
    Call {
        /// The joiner.
        peer: Principal,
        /// Where.
        addrs: Vec<Endpoint>,
    },
    /// Sign an admission of this peer and make it durable; then call [`State::on_signed`].
    Admit {
        /// The newcomer.
        peer: Principal,
        /// The member whose name it takes over: retired along with the admission.
        retire: Option<Principal>,
        /// Whether this node is the one that joins.
        joining: bool,
        /// Whether this node, if it is alone, comes to the other one's flock.
        yields: bool,
        /// The evicted principals that the join key excludes.
        after: After,
    },
    /// Merge acts.
    Merge(Vec<Arc<Signed<Act>>>),
    /// Keep the sponsor's admission of this node until this node admits the sponsor in return.
    Keep(Arc<Signed<Act>>),
    /// Close all connections to this peer, which is a member by now, and dial it again.
    Redial(Principal),
    /// A peer answered with a version or kind that this build does not know.
    OtherVersion {
        /// The peer.
        peer: Principal,
        /// What it is.
        what: String,
    },
    /// A handshake failed; the person who runs this node may have to act.
    Failed {
        /// With whom.
        peer: Principal,
        /// Why.
        refusal: Refusal,
        /// Whether this node was the one that wanted to join.
        joining: bool,
    },
}

/// What the engine may know of the rest of the node.
pub struct Facts<'a> {
    /// The replica.
    pub strew: &'a Strew,
    /// The holder of each name.
    pub names: &'a Names,
    /// Whether a member is alive.
    pub is_alive: &'a dyn Fn(&Principal) -> bool,
    /// What this node says of itself; the nonce is filled in.
    pub hello: Hello,
    /// Whether the replica is full, so that there is no further member.
    pub full: bool,
    /// From which IP a peer is seen.
    pub seen_from: &'a dyn Fn(&Principal) -> Option<IpAddr>,
}

impl core::fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Facts").field("hello", &self.hello).finish_non_exhaustive()
    }
}

/// The join engine of one node, in both roles. See the module for its invariant.
#[derive(Debug)]
pub struct State {
    pub(super) config: Config,
    pub(super) context: Context,
    pub(super) identity: Arc<Identity>,
    pub(super) key: JoinKey,
    pub(super) attempts: BTreeMap<Principal, Attempt>,
    /// Those who proved the join key, and nobody else.
    pub(super) guests: BTreeMap<Principal, Guest>,
    /// Made with the first challenge.
    pub(super) challenges: Option<Challenges>,
    /// For those who present.
    checks: Checks,
}

impl State {
    /// An engine in the middle of nothing.
    pub fn new(config: Config, context: Context, identity: Arc<Identity>, key: JoinKey) -> Self {
        let (attempts, guests) = (BTreeMap::new(), BTreeMap::new());
        let checks = Checks::new();
        Self { config, context, identity, key, attempts, guests, challenges: None, checks }
    }

    /// The evicted principals that the join key of this node excludes.
    pub const fn after(&self) -> &After {
        self.key.after()
    }

    /// How many handshakes are under way, of both directions.
    pub fn under_way(&self) -> usize {
        self.attempts.len() + self.guests.len()
    }

    /// Whether a handshake with this peer is under way.
    pub fn is_busy_with(&self, peer: &Principal) -> bool {
        self.attempts.contains_key(peer) || self.guests.contains_key(peer)
    }

    /// A request came in. A malformed one is answered as unexpected.
    pub fn on_request(
        &mut self,
        peer: Principal,
        id: ReplyId,
        body: &[u8],
        now: Instant,
        facts: &Facts<'_>,
        rng: &mut StdRng,
    ) -> Vec<Output> {
        if self.is_operator(peer) {
            return fail(peer, id, Refusal::Operator);
        }
        let Ok(request) = Request::decode(body, &self.context) else {
            return vec![refuse(id, Refusal::Unexpected)];
        };
        match request {
            Request::Knock { .. } => vec![self.on_knock(peer, id, facts)],
            Request::Hello(hello) => vec![self.on_hello(peer, id, &hello, now, rng)],
            Request::Proof { hello, nonce, proof } => {
                self.on_proof(peer, id, (&hello, &nonce, &proof), now, facts, rng)
            }
            Request::Callback { transcript, nonce } => {
                vec![self.on_callback(peer, id, &transcript, &nonce)]
            }
            Request::Admission(act) => self.on_admission(peer, id, act, facts),
            Request::Present(chain) => self.on_present(peer, id, &chain, now, facts),
        }
    }

    /// Whether a peer has the operator's key: no admission makes it a member.
    fn is_operator(&self, peer: Principal) -> bool {
        self.context.operator == Some(peer)
    }

    fn on_knock(&self, peer: Principal, id: ReplyId, facts: &Facts<'_>) -> Output {
        let known = facts.strew.membership().contains(&peer);
        let acts = if known { path(facts.strew, peer, self.context.me) } else { Vec::new() };
        Output::Reply { id, response: Response::Standing { known, acts } }
    }

    fn on_admission(
        &mut self,
        peer: Principal,
        id: ReplyId,
        act: Arc<Signed<Act>>,
        facts: &Facts<'_>,
    ) -> Vec<Output> {
        // Its own admission comes first: what strangers say is not kept.
        let member = facts.strew.membership().contains(&peer);
        let admitted = admits_under(&act, self.context.me, self.key.after());
        if !member || act.author() != peer || !admitted {
            return vec![refuse(id, Refusal::Unexpected)];
        }
        vec![Output::Merge(vec![act]), Output::Reply { id, response: Response::Done }]
    }

    fn on_present(
        &mut self,
        peer: Principal,
        id: ReplyId,
        chain: &Chain,
        now: Instant,
        facts: &Facts<'_>,
    ) -> Vec<Output> {
        let done = Output::Reply { id, response: Response::Done };
        if facts.strew.membership().contains(&peer) {
            // There is nothing to be learned from it.
            return vec![done];
        }
        if facts.full {
            return vec![refuse(id, Refusal::Full)];
        }
        match chain.verify(peer, facts.strew, &self.context, &mut self.checks, now) {
            Ok(acts) => vec![Output::Merge(acts), done],
            Err(refusal) => vec![refuse(id, refusal)],
        }
    }

    /// A response came in. A malformed one ends the attempt. `calling`: it answers the callback to a
    /// joiner; two nodes may be joiner and sponsor of each other at once.
    pub fn on_response(
        &mut self,
        peer: Principal,
        calling: bool,
        body: &[u8],
        now: Instant,
        facts: &Facts<'_>,
        rng: &mut StdRng,
    ) -> Vec<Output> {
        if self.is_operator(peer) {
            return if calling {
                self.end_guest(peer, Refusal::Operator)
            } else {
                self.on_refused(peer, Refusal::Operator)
            };
        }
        let response = match Response::decode(body, &self.context) {
            Ok(response) => response,
            Err(error) => {
                let mut out = self.on_failed(peer, calling);
                let unknown = error.unknown().map(|(what, found)| format!("{what} {found}"));
                out.extend(unknown.map(|what| Output::OtherVersion { peer, what }));
                return out;
            }
        };
        match response {
            Response::CalledBack(signature) if calling => {
                self.on_called_back(peer, &signature, now)
            }
            _ if calling => self.end_guest(peer, Refusal::Callback),
            Response::Standing { known, acts } => {
                self.on_standing(peer, known, acts, now, facts, rng)
            }
            Response::Challenge { nonce, proof } => self.on_challenge(peer, &nonce, &proof, now),
            Response::Welcome { admission, .. } => self.on_welcome(peer, admission, now),
            Response::CalledBack(_) => self.on_failed(peer, false),
            Response::Done => self.on_done(peer),
            Response::Refused(refusal) => self.on_refused(peer, refusal),
        }
    }

    /// The peer lost its last connection: what was under way with it is over, in both roles. An
    /// admission that is being written stays one, and the peer is told of it when it knocks again.
    pub fn on_disconnected(&mut self, peer: Principal) {
        self.attempts.remove(&peer);
        self.guests.remove(&peer);
    }

    /// A request failed or its answer was malformed: the attempt ends; another connection starts
    /// another one. `calling`: it was the callback to a joiner.
    pub fn on_failed(&mut self, peer: Principal, calling: bool) -> Vec<Output> {
        if calling {
            return self.end_guest(peer, Refusal::Callback);
        }
        self.attempts.remove(&peer);
        Vec::new()
    }

    /// The admission that [`Output::Admit`] asked for is durable, or could not be written (`None`).
    pub fn on_signed(
        &mut self,
        peer: Principal,
        joining: bool,
        act: Option<Arc<Signed<Act>>>,
    ) -> Vec<Output> {
        match (joining, act) {
            (true, Some(act)) => self.on_sponsor_admitted(peer, act),
            (false, Some(act)) => self.on_joiner_admitted(peer, act),
            (true, None) => {
                self.attempts.remove(&peer);
                vec![Output::Failed { peer, refusal: Refusal::Disk, joining: true }]
            }
            (false, None) => self.end_guest(peer, Refusal::Disk),
        }
    }

    /// The admission that [`Output::Admit`] asked for is not signed, because this node's replica is full.
    pub fn on_no_room(&mut self, peer: Principal, joining: bool) -> Vec<Output> {
        if !joining {
            return self.end_guest(peer, Refusal::Full);
        }
        self.attempts.remove(&peer);
        vec![Output::Failed { peer, refusal: Refusal::Full, joining }]
    }

    /// Ends what takes too long.
    pub fn on_wake(&mut self, now: Instant) -> Vec<Output> {
        self.attempts.retain(|_, attempt| attempt.until() > now);
        let late: Vec<_> = self
            .guests
            .iter()
            .filter(|(_, guest)| guest.until <= now)
            .map(|(peer, _)| *peer)
            .collect();
        late.into_iter().flat_map(|peer| self.end_guest(peer, Refusal::Callback)).collect()
    }

    /// When [`State::on_wake`] has something to do.
    pub fn deadline(&self) -> Instant {
        let attempts = self.attempts.values().map(Attempt::until);
        let guests = self.guests.values().map(|guest| guest.until);
        attempts.chain(guests).min().unwrap_or(Instant::NEVER)
    }
}

pub(super) fn refuse(id: ReplyId, refusal: Refusal) -> Output {
    Output::Reply { id, response: Response::Refused(refusal) }
}

pub(super) fn fresh_nonce(rng: &mut StdRng) -> [u8; 32] {
    let mut nonce = [0; 32];
    rng.fill_bytes(&mut nonce);
    nonce
}

/// Whether an act admits a principal.
pub(crate) fn admits(act: &Signed<Act>, principal: Principal) -> bool {
    matches!(act.value().statement, Statement::Admit { subject, .. } if subject == principal)
}

/// Whether an act admits a principal under a join key that excludes these.
pub(crate) fn admits_under(act: &Signed<Act>, principal: Principal, excluded: &After) -> bool {
    matches!(
        &act.value().statement,
        Statement::Admit { subject, after, .. } if *subject == principal && after == excluded
    )
}

pub(super) use transcript::{of_callback, of_challenge, of_hello};
