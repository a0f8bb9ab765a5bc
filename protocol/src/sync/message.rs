use core::time::Duration;
use std::sync::Arc;

use crux_crdt::act::Act;
use crux_crdt::canon::{DecodeError, Decoder, Encoder};
use crux_crdt::record::{Record, SLOTS_MAX};
use crux_crdt::sign::Signed;
use crux_crdt::strew::{Bounds, Kind};
use crux_crdt::{Digest, Principal};

use super::aside::{Aside, decode_roots, encode_roots};
use super::roots::Roots;
use crate::context::Context;
use crate::frame::{FrameError, RecordFrame, open_wanted_acts, seal_acts};
use crate::link::Protocol;

/// How many ranges a request asks about: keeps the answer within 48 KiB.
pub(super) const RANGES_MAX: usize = 24;
/// How many pieces an answer holds at most.
const PIECES_MAX: usize = RANGES_MAX * 17;
/// How many items a piece holds at most.
pub(super) const ITEMS_MAX: usize = 600;
/// How many acts one request fetches.
pub(super) const ACTS_MAX: usize = 1024;
/// How many records one request fetches.
pub(super) const RECORDS_MAX: usize = 64;
/// How many bytes of records one answer holds, once it holds one.
const RECORDS_BYTES: usize = 1024 * 1024;
/// How many bytes of acts one answer holds, once it holds one: eight of the greatest.
const ACTS_BYTES: usize = 1024 * 1024;
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

/// A record that is asked for, with what of it is held already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordsWanted {
    /// The author of the record.
    pub author: Principal,
    /// The first eight bytes of the ids of the slots that are held, ascending.
    pub held: Vec<[u8; 8]>,
}

/// What is asked over `/crux/sync/3`.
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
    /// Fetch acts. Answered by [`Response::Acts`].
    Acts(Vec<Digest>),
    /// Fetch records. Answered by [`Response::Records`].
    Records(Vec<RecordsWanted>),
    /// Store a record durably. Answered by [`Response::Stored`] when that is done.
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

/// What is answered over `/crux/sync/3`.
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
    /// Of the acts that the responder has as many as fit, the smallest first.
    Acts(Vec<Arc<Signed<Act>>>),
    /// As many of the records, in the order asked, as fit.
    Records(Vec<RecordFrame>),
    /// Whether the record, or a newer one of its author, is durable there.
    Stored(bool),
    /// The last beacons of those that live; not yet verified.
    Beacons(Vec<Hearsay>),
}

const ROOTS: u8 = 1;
const RANGES: u8 = 2;
pub(super) const ACTS: u8 = 3;
pub(super) const RECORDS: u8 = 4;
const STORE: u8 = 5;
const BEACONS: u8 = 6;
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
            Self::Acts(ids) => {
                out.u8(ACTS).count(ids.len());
                ids.iter().for_each(|id| _ = out.digest(id));
            }
            Self::Records(wanted) => {
                out.u8(RECORDS).count(wanted.len());
                for want in wanted {
                    out.principal(&want.author).count(want.held.len());
                    want.held.iter().for_each(|id| _ = out.fixed(id));
                }
            }
            Self::Store(frame) => _ = out.u8(STORE).bytes(frame),
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
            ACTS => {
                let count = input.count(ACTS_MAX, "act ids")?;
                Self::Acts((0..count).map(|_| input.digest("act id")).collect::<Result<_, _>>()?)
            }
            RECORDS => decode_wanted(&mut input)?,
            STORE => Self::Store(input.bytes(Protocol::Sync.max_body(), "record")?.to_vec()),
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

    /// Encodes the answer to [`Request::Acts`]: the smallest act whatever its size, then as many as fit. The
    /// small ones come first because they make members, without whom the acts of others are not taken.
    pub fn encode_acts<'a>(acts: impl Iterator<Item = &'a Arc<Signed<Act>>>) -> Vec<u8> {
        let mut acts: Vec<_> = acts.map(|act| (act.value().bytes(), act)).collect();
        acts.sort_by_key(|(bytes, _)| *bytes);
        let mut size = 0;
        let fits = acts.iter().enumerate().take_while(|(at, (bytes, _))| {
            size += bytes;
            *at == 0 || size <= ACTS_BYTES
        });
        let fit = fits.count();
        acts.truncate(fit);
        let mut out = Encoder::default();
        out.u8(ACTS);
        seal_acts(&mut out, acts.iter().map(|(_, act)| *act));
        out.finish()
    }

    /// Encodes the answer to [`Request::Records`]: the first record whatever its size, then as many
    /// as fit.
    pub fn encode_records(records: &[(Arc<Record>, &RecordsWanted)]) -> Vec<u8> {
        let mut frames: Vec<Vec<u8>> = Vec::new();
        let mut size = 0;
        for (record, wanted) in records {
            let mut frame = Encoder::default();
            RecordFrame::seal(&mut frame, record, usize::MAX, |id| {
                id.0.first_chunk().is_some_and(|head| wanted.held.binary_search(head).is_ok())
            });
            let frame = frame.finish();
            if !frames.is_empty() && size + frame.len() > RECORDS_BYTES {
                break;
            }
            size += frame.len();
            frames.push(frame);
        }
        let mut out = Encoder::default();
        out.u8(RECORDS).count(frames.len());
        frames.iter().for_each(|frame| _ = out.fixed(frame));
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
    pub fn decode(bytes: &[u8], context: &Context) -> Result<Self, FrameError> {
        Self::decode_wanted(bytes, context, |_| true)
    }

    /// The same, without the acts that are not wanted: their signatures are not checked.
    pub(super) fn decode_wanted(
        bytes: &[u8],
        context: &Context,
        wanted: impl FnMut(&Digest) -> bool,
    ) -> Result<Self, FrameError> {
        let mut input = Decoder::new(bytes);
        let (flock, verifier) = (&context.flock, &*context.verifier);
        let response = match input.u8("sync response")? {
            ROOTS => {
                let (roots, aside) = decode_roots(&mut input)?;
                Self::Roots { roots, aside }
            }
            RANGES => Self::Pieces(decode_pieces(&mut input)?),
            ACTS => Self::Acts(open_wanted_acts(
                &mut input,
                ACTS_MAX,
                (&context.flock, &*context.verifier),
                wanted,
            )?),
            RECORDS => {
                let count = input.count(RECORDS_MAX, "records")?;
                let frames = (0..count).map(|_| RecordFrame::open(&mut input, flock, verifier));
                Self::Records(frames.collect::<Result<_, _>>()?)
            }
            STORE => Self::Stored(input.bool("stored")?),
            BEACONS => Self::Beacons(decode_hearsay(&mut input)?),
            found => return Err(DecodeError::Unknown { what: "sync response", found }.into()),
        };
        input.finish()?;
        Ok(response)
    }
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
    let count = input.count(RECORDS_MAX, "records wanted")?;
    let mut wanted = Vec::new();
    for _ in 0..count {
        let author = input.principal("author")?;
        let held = input.count(SLOTS_MAX, "slots held")?;
        let held = (0..held).map(|_| input.array("slot")).collect::<Result<_, _>>()?;
        wanted.push(RecordsWanted { author, held });
    }
    Ok(Request::Records(wanted))
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
