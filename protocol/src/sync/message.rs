use core::time::Duration;
use std::collections::BTreeSet;

use crux_crdt::canon::{DecodeError, Decoder, Encoder};
use crux_crdt::fact::{self, Arrival, Fact, FactError, Kind};
use crux_crdt::strew::Bounds;
use crux_crdt::{Digest, Principal};

use super::aside::{Aside, decode_roots, encode_roots};
use super::roots::Roots;
use crate::context::Context;
use crate::link::Protocol;

/// How many ranges a request asks about: keeps the answer within 48 KiB.
pub(super) const RANGES_MAX: usize = 24;
/// How many pieces an answer holds at most.
const PIECES_MAX: usize = RANGES_MAX * 17;
/// How many items a piece holds at most.
pub(super) const ITEMS_MAX: usize = 600;
/// How many facts one request fetches at most, whatever their kind, and one answer has.
pub(super) const FACTS_MAX: usize = 1024;
/// How much is held under one key at most, as the request names it: of each of 16,384 authors two facts, and some more.
const HELD_MAX: usize = 33 * 1024;
/// How much is held under all keys of a request, once it has one key: 1 MiB.
pub(super) const HELD_IN_ALL_MAX: usize = 128 * 1024;
/// How many bytes of facts one answer has, once it has one: eight of the greatest acts, with 100 bytes of envelope each.
const FACTS_BYTES: usize = 1024 * 1024 + 8 * 100;
/// A sealed beacon is about 160 bytes.
pub(super) const BEACON_BYTES_MAX: usize = 1024;
/// Of how many members one request asks for the last beacon: the answer has some 170 kB.
pub const BEACONS_MAX: usize = 1024;

/// The last beacon of a member that another one hears of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hearsay {
    /// For how long the member was not heard of since. To the millisecond.
    pub age: Duration,
    /// The beacon, sealed.
    pub beacon: Vec<u8>,
}

/// A fact that is fetched, with what of it is held already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its key in the set of its kind.
    pub key: Digest,
    /// The first eight bytes of the ids of what is held under the key, ascending.
    pub held: Vec<[u8; 8]>,
}

/// What is asked over `/crux/sync/4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Compare roots. Answered by [`Response::Roots`].
    Roots {
        /// The asker's roots.
        roots: Roots,
        /// How the asker fares.
        aside: Aside,
        /// Whether a difference is to be looked into at once.
        urgent: bool,
    },
    /// Compare ranges. Answered by [`Response::Pieces`].
    Ranges {
        /// Of the set of which kind. The responder may not know it, and then has nothing of it.
        kind: Kind,
        /// Each with the asker's fingerprint.
        ranges: Vec<(Bounds, Digest)>,
    },
    /// Fetch facts. Answered by [`Response::Facts`].
    Facts {
        /// Of which kind. The responder may not know it, and then has none.
        kind: Kind,
        /// Which.
        wanted: Vec<Wanted>,
    },
    /// Store a fact durably: the message of [`crate::fact`]. Answered by [`Response::Stored`] when that is done.
    Store(Vec<u8>),
    /// Tell of those of these members that live. Answered by [`Response::Beacons`].
    Beacons(Vec<Principal>),
}

/// A part of a range that differs, as the responder sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// All its pairs.
    Items(Vec<(Digest, Digest)>),
    /// Too many pairs to list: the fingerprint.
    Range(Bounds, Digest),
}

/// What is answered over `/crux/sync/4`.
#[derive(Debug, Clone)]
pub enum Response {
    /// The responder's roots.
    Roots {
        /// The roots.
        roots: Roots,
        /// How the responder fares.
        aside: Aside,
    },
    /// What differs in the ranges asked about.
    Pieces(Vec<Piece>),
    /// Of the facts that the responder has as many as fit, the smallest first.
    Facts {
        /// Their kind.
        kind: Kind,
        /// Verified.
        facts: Vec<Arrival>,
    },
    /// Whether the fact, or one that is greater in its place, is durable there.
    Stored(bool),
    /// The last beacons of those that live; not yet verified.
    Beacons(Vec<Hearsay>),
}

const ROOTS: u8 = 1;
const RANGES: u8 = 2;
pub(super) const FACTS: u8 = 3;
const STORE: u8 = 4;
const BEACONS: u8 = 5;
const ITEMS: u8 = 1;
const RANGE: u8 = 2;

impl Request {
    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Roots { roots, aside, urgent } => {
                out.u8(ROOTS);
                encode_roots(&mut out, roots, aside);
                out.u8(u8::from(*urgent));
            }
            Self::Ranges { kind, ranges } => {
                out.u8(RANGES).u8(kind.0).count(ranges.len());
                ranges.iter().for_each(|(bounds, print)| encode_range(&mut out, bounds, print));
            }
            Self::Facts { kind, wanted } => {
                out.u8(FACTS).u8(kind.0).count(wanted.len());
                for want in wanted {
                    out.digest(&want.key).count(want.held.len());
                    want.held.iter().for_each(|id| _ = out.fixed(id));
                }
            }
            Self::Store(fact) => _ = out.u8(STORE).bytes(fact),
            Self::Beacons(of) => {
                out.u8(BEACONS).count(of.len());
                of.iter().for_each(|member| _ = out.principal(member));
            }
        }
        out.finish()
    }

    /// Decodes it.
    ///
    /// # Errors
    /// The bytes are malformed or over a bound; the peer is at fault.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new(bytes);
        let request = match input.u8("sync request")? {
            ROOTS => {
                let (roots, aside) = decode_roots(&mut input)?;
                Self::Roots { roots, aside, urgent: input.bool("urgent")? }
            }
            RANGES => decode_ranges(&mut input)?,
            FACTS => decode_wanted(&mut input)?,
            STORE => Self::Store(input.bytes(Protocol::Sync.max_body(), "fact")?.to_vec()),
            BEACONS => {
                let count = input.count(BEACONS_MAX, "members")?;
                let of = (0..count).map(|_| input.principal("member"));
                Self::Beacons(of.collect::<Result<_, _>>()?)
            }
            found => return Err(DecodeError::Unknown { what: "sync request", found }),
        };
        input.finish()?;
        Ok(request)
    }
}

impl Response {
    /// Encodes the answer to [`Request::Roots`].
    pub fn encode_roots(roots: &Roots, aside: &Aside) -> Vec<u8> {
        let mut out = Encoder::default();
        out.u8(ROOTS);
        encode_roots(&mut out, roots, aside);
        out.finish()
    }

    /// Encodes the answer to [`Request::Ranges`].
    pub fn encode_pieces(pieces: &[Piece]) -> Vec<u8> {
        let mut out = Encoder::default();
        out.u8(RANGES).count(pieces.len());
        for piece in pieces {
            match piece {
                Piece::Items(items) => {
                    out.u8(ITEMS).count(items.len());
                    items.iter().for_each(|(key, value)| _ = out.digest(key).digest(value));
                }
                Piece::Range(bounds, print) => {
                    out.u8(RANGE);
                    encode_range(&mut out, bounds, print);
                }
            }
        }
        out.finish()
    }

    /// Encodes the answer to [`Request::Facts`]: the smallest fact whatever its size, then as many as fit. The
    /// small ones come first because small acts make members, without whom what others say is not taken. There may
    /// be several under each key, and no more than one request fetches are read.
    pub fn encode_facts(kind: Kind, mut facts: Vec<(Fact, &Wanted)>) -> Vec<u8> {
        facts.sort_by_key(|(fact, _)| fact.bytes());
        facts.truncate(FACTS_MAX.min(kind.fetched_max()));
        let (mut sealed, mut count) = (Encoder::default(), 0);
        for (fact, wanted) in &facts {
            let mut one = Encoder::default();
            fact.seal(&mut one, usize::MAX, &|id| is_held(wanted, id));
            if count > 0 && sealed.len() + one.len() > FACTS_BYTES {
                break;
            }
            sealed.fixed(&one.finish());
            count += 1;
        }
        let mut out = Encoder::default();
        out.u8(FACTS).u8(kind.0).count(count).fixed(&sealed.finish());
        out.finish()
    }

    /// Encodes the answer to [`Request::Store`].
    pub fn encode_stored(stored: bool) -> Vec<u8> {
        vec![STORE, u8::from(stored)]
    }

    /// Encodes the answer to [`Request::Beacons`].
    pub fn encode_beacons(told: &[Hearsay]) -> Vec<u8> {
        let mut out = Encoder::default();
        out.u8(BEACONS).count(told.len());
        for Hearsay { age, beacon } in told {
            out.u64(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)).bytes(beacon);
        }
        out.finish()
    }

    /// Verifies what is signed in it, beacons aside, and decodes it.
    ///
    /// # Errors
    /// The bytes are malformed or over a bound, or a signature is wrong; the peer is at fault.
    pub fn decode(bytes: &[u8], context: &Context) -> Result<Self, FactError> {
        Self::decode_wanted(bytes, context, |_| true)
    }

    /// The same, without the facts whose keys are not wanted, and each fact once: no other signature is checked.
    pub(crate) fn decode_wanted(
        bytes: &[u8],
        context: &Context,
        wanted: impl Fn(&Digest) -> bool,
    ) -> Result<Self, FactError> {
        let mut input = Decoder::new(bytes);
        let response = match input.u8("sync response")? {
            ROOTS => {
                let (roots, aside) = decode_roots(&mut input)?;
                Self::Roots { roots, aside }
            }
            RANGES => Self::Pieces(decode_pieces(&mut input)?),
            FACTS => open_facts(&mut input, context, wanted)?,
            STORE => Self::Stored(input.bool("stored")?),
            BEACONS => Self::Beacons(decode_hearsay(&mut input)?),
            found => return Err(DecodeError::Unknown { what: "sync response", found }.into()),
        };
        input.finish()?;
        Ok(response)
    }
}

fn is_held(wanted: &Wanted, id: &Digest) -> bool {
    id.0.first_chunk().is_some_and(|head| wanted.held.binary_search(head).is_ok())
}

fn open_facts(
    input: &mut Decoder<'_>,
    context: &Context,
    wanted: impl Fn(&Digest) -> bool,
) -> Result<Response, FactError> {
    let kind = Kind(input.u8("kind")?);
    let count = input.count(FACTS_MAX.min(kind.fetched_max()), "facts")?;
    let (mut seen, mut facts) = (BTreeSet::new(), Vec::new());
    for _ in 0..count {
        let mut after = input.clone();
        let (key, id) = fact::peek(kind, &mut after)?;
        if wanted(&key) && seen.insert(id) {
            facts.push(fact::open(kind, input, &context.terms())?);
        }
        *input = after;
    }
    Ok(Response::Facts { kind, facts })
}

fn decode_hearsay(input: &mut Decoder<'_>) -> Result<Vec<Hearsay>, DecodeError> {
    let count = input.count(BEACONS_MAX, "beacons")?;
    let mut told = Vec::new();
    for _ in 0..count {
        let age = Duration::from_millis(input.u64("age")?);
        told.push(Hearsay { age, beacon: input.bytes(BEACON_BYTES_MAX, "beacon")?.to_vec() });
    }
    Ok(told)
}

fn encode_range(out: &mut Encoder, bounds: &Bounds, print: &Digest) {
    out.digest(&bounds.lower);
    match &bounds.upper {
        None => out.u8(0),
        Some(upper) => out.u8(1).digest(upper),
    };
    out.digest(print);
}

fn decode_range(input: &mut Decoder<'_>) -> Result<(Bounds, Digest), DecodeError> {
    let lower = input.digest("lower bound")?;
    let upper = if input.bool("bound")? { Some(input.digest("upper bound")?) } else { None };
    Ok((Bounds { lower, upper }, input.digest("fingerprint")?))
}

fn decode_ranges(input: &mut Decoder<'_>) -> Result<Request, DecodeError> {
    let kind = Kind(input.u8("kind")?);
    let count = input.count(RANGES_MAX, "ranges")?;
    let ranges = (0..count).map(|_| decode_range(input)).collect::<Result<_, _>>()?;
    Ok(Request::Ranges { kind, ranges })
}

fn decode_wanted(input: &mut Decoder<'_>) -> Result<Request, DecodeError> {
    let kind = Kind(input.u8("kind")?);
    let count = input.count(FACTS_MAX, "facts wanted")?;
    let mut wanted = Vec::new();
    for _ in 0..count {
        let key = input.digest("key")?;
        let held = input.count(HELD_MAX, "parts held")?;
        let held = (0..held).map(|_| input.array("part")).collect::<Result<_, _>>()?;
        wanted.push(Wanted { key, held });
    }
    Ok(Request::Facts { kind, wanted })
}

fn decode_pieces(input: &mut Decoder<'_>) -> Result<Vec<Piece>, DecodeError> {
    let count = input.count(PIECES_MAX, "pieces")?;
    let mut pieces = Vec::new();
    for _ in 0..count {
        pieces.push(match input.u8("piece")? {
            ITEMS => {
                let count = input.count(ITEMS_MAX, "items")?;
                let item =
                    |input: &mut Decoder<'_>| Ok((input.digest("key")?, input.digest("value")?));
                Piece::Items((0..count).map(|_| item(input)).collect::<Result<_, DecodeError>>()?)
            }
            RANGE => {
                let (bounds, print) = decode_range(input)?;
                Piece::Range(bounds, print)
            }
            found => return Err(DecodeError::Unknown { what: "piece", found }),
        });
    }
    Ok(pieces)
}
