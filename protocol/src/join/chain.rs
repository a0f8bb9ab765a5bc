//! Chains of admissions that are presented, and what looking at them may cost.
//!
//! Anybody can present a chain, and each of up to [`PATH_MAX`] signatures costs some 60 µs. So nothing
//! is checked that decides nothing: first come the links, from a member here to the peer that presents, which
//! cost a hash each; then the signatures, in order.
//!
//! **Invariant**: a signature is checked only if this replica does not hold the act, only if the whole
//! chain leads to the peer that presents it, and only if every signature before it held. An act that this replica
//! holds counts as it is held, whatever signature is presented with it: the id covers author and body. So a peer that
//! has no member's key costs one check a message, and only for a chain made for its own key; and one that has
//! costs, together with all others that have, [`CHECKS_MAX`] and [`CHECKS_A_SECOND`] beyond that.

use core::time::Duration;
use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::act::{Act, Statement};
use crux_crdt::canon::{Canonical, DecodeError, Decoder, Encoder};
use crux_crdt::hash::sha3;
use crux_crdt::sign::{SIGNED_BODY_MAX, Signable, Signed};
use crux_crdt::strew::Strew;

use super::message::Refusal;
use super::path::PATH_MAX;
use crate::context::Context;
use crate::time::Instant;

/// How many signatures are checked at once beyond the first new one of each chain: those of some
/// chains at full length.
const CHECKS_MAX: u32 = 1024;
/// How many more a second: one and a half percent of a processor.
const CHECKS_A_SECOND: u32 = 256;

/// One act as it came: not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Envelope {
    author: Principal,
    signature: [u8; 64],
    body: Vec<u8>,
}

/// Admissions, each by whom the one before it admits. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain(Vec<Envelope>);

impl Chain {
    /// The chain of these acts.
    pub fn of(acts: &[Arc<Signed<Act>>]) -> Self {
        let envelope = |act: &Arc<Signed<Act>>| Envelope {
            author: act.author(),
            signature: *act.signature(),
            body: act.value().to_canonical(),
        };
        Self(acts.iter().map(envelope).collect())
    }

    pub(super) fn encode(&self, out: &mut Encoder) {
        out.count(self.0.len());
        self.0.iter().for_each(|envelope| envelope.encode(out));
    }

    pub(super) fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = input.count(PATH_MAX, "acts")?;
        (0..count).map(|_| Envelope::decode(input)).collect::<Result<_, _>>().map(Self)
    }

    /// Its acts, if they hold and lead from a member of this replica to the peer.
    pub(super) fn verify(
        &self,
        peer: Principal,
        strew: &Strew,
        context: &Context,
        checks: &mut Checks,
        now: Instant,
    ) -> Result<Vec<Arc<Signed<Act>>>, Refusal> {
        let held = self.linked(peer, strew).ok_or(Refusal::Chain)?;
        let mut new = 0;
        let mut acts = Vec::with_capacity(held.len());
        for (envelope, held) in self.0.iter().zip(held) {
            acts.push(match held {
                Some(held) => held,
                None if new > 0 && !checks.take(now) => return Err(Refusal::Busy),
                None => {
                    new += 1;
                    envelope.open(context).ok_or(Refusal::Chain)?
                }
            });
        }
        Ok(acts)
    }

    /// For each act the same one if this replica holds it; `None` if they do not lead from a member here to the
    /// peer. No signature is looked at.
    fn linked(&self, peer: Principal, strew: &Strew) -> Option<Vec<Option<Arc<Signed<Act>>>>> {
        let mut at = None;
        let mut all = Vec::with_capacity(self.0.len());
        for envelope in &self.0 {
            let linked = match at {
                None => strew.membership().contains(&envelope.author),
                Some(previous) => previous == envelope.author,
            };
            let held = envelope.held(strew);
            let subject = match &held {
                Some(held) => admitted_by(held.value()),
                None => Act::from_canonical(&envelope.body).ok().as_ref().and_then(admitted_by),
            };
            at = Some(subject.filter(|_| linked)?);
            all.push(held);
        }
        (at == Some(peer)).then_some(all)
    }
}

const fn admitted_by(act: &Act) -> Option<Principal> {
    match act.statement {
        Statement::Admit { subject, .. } => Some(subject),
        _ => None,
    }
}

impl Envelope {
    fn encode(&self, out: &mut Encoder) {
        out.principal(&self.author).fixed(&self.signature).bytes(&self.body);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            author: input.principal("author")?,
            signature: input.array("signature")?,
            body: input.bytes(SIGNED_BODY_MAX, "signed body")?.to_vec(),
        })
    }

    /// The same act, if this replica holds it: its signature was checked when it came. Another signature of
    /// the same act is not compared, because to check it would be for sale.
    fn held(&self, strew: &Strew) -> Option<Arc<Signed<Act>>> {
        strew.act(&sha3(Act::DOMAIN, &[&self.author.0, &self.body])).cloned()
    }

    fn open(&self, context: &Context) -> Option<Arc<Signed<Act>>> {
        let mut sealed = Encoder::default();
        self.encode(&mut sealed);
        let sealed = sealed.finish();
        let act = Signed::open(&mut Decoder::new(&sealed), &context.flock, &*context.verifier);
        act.ok().map(Arc::new)
    }
}

/// How many signatures may be checked for those who present.
#[derive(Debug)]
pub(super) struct Checks {
    /// How many were, as of `at`, less what time gave back.
    made: u32,
    at: Instant,
}

impl Checks {
    pub(super) const fn new() -> Self {
        Self { made: 0, at: Instant::ORIGIN }
    }

    /// Takes one. Returns whether there was one.
    fn take(&mut self, now: Instant) -> bool {
        let each = Duration::from_secs(1) / CHECKS_A_SECOND;
        let passed = now.since(self.at).as_nanos() / each.as_nanos();
        if passed > 0 {
            self.made = self.made.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX));
            self.at = now;
        }
        let free = self.made < CHECKS_MAX;
        self.made += u32::from(free);
        free
    }
}
