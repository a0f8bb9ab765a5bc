use core::time::Duration;

use crux_crdt::Principal;
use crux_crdt::blob::{
    BLOB_BYTES_MAX, BlobId, Descriptor, PIECE_BODY_MAX, PieceSet, Root, piece_count,
};
use crux_crdt::canon::{Canonical, DecodeError, Decoder, Encoder};
use crux_crdt::sign::Signed;

use crate::context::Context;
use crux_crdt::fact::FactError;

/// How many signed descriptors an answer carries.
pub const DESCRIPTORS_MAX: usize = 8;
/// How many other nodes that fetch the blob an answer names.
pub const OTHERS_MAX: usize = 16;
/// Up to which size a blob comes whole with the answer to what is held of it, in bytes: then its SHA-3
/// decides, with no root and no second round trip. Small, since everybody who has it sends it.
pub const WHOLE_BYTES_MAX: usize = 16 * 1024;
/// The longest rest that a peer is believed to need.
const RETRY_MAX: Duration = Duration::from_secs(10);

/// What is asked over `/crux/pastiche/1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// What is there of a blob? Answered by [`Response::Have`], [`Response::Whole`] or
    /// [`Response::Unknown`].
    Have {
        /// Which blob.
        blob: BlobId,
        /// Whether the asker knows what it follows, and wants no statements.
        brief: bool,
    },
    /// One piece. Answered by any other response.
    Piece {
        /// Of which blob.
        blob: BlobId,
        /// The tree it is to be verified against.
        root: Root,
        /// Which piece.
        index: u32,
    },
}

/// What a node holds of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The tree its pieces are verified against.
    pub root: Root,
    /// How large the blob is, in bytes.
    pub size: u64,
    /// Which pieces.
    pub pieces: PieceSet,
}

/// What is answered over `/crux/pastiche/1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// Answers [`Request::Have`].
    Have {
        /// What is held.
        holding: Holding,
        /// Statements of nodes that sealed it, each with its signature verified.
        descriptors: Vec<Signed<Descriptor>>,
        /// Nodes that asked for it lately: they may hold parts.
        others: Vec<Principal>,
    },
    /// Answers [`Request::Have`] about a small blob: all of it.
    Whole(Vec<u8>),
    /// Answers [`Request::Piece`].
    Piece {
        /// What the provider holds by now, unless it is all or too much to say.
        pieces: Option<PieceSet>,
        /// Proof and bytes, as the store verifies them.
        body: Vec<u8>,
    },
    /// Come again.
    Busy {
        /// After this long; whole milliseconds, at most 10 s.
        retry_after: Duration,
    },
    /// Nothing of the blob is here, or not under that root, or not that piece.
    Unknown,
}

const HAVE: u8 = 1;
const PIECE: u8 = 2;
const BUSY: u8 = 3;
const UNKNOWN: u8 = 4;
const WHOLE: u8 = 5;

/// Above this many pieces a map is not repeated with each piece: it would be more than 1 ‰ of it.
const REPEATED_MAX: u32 = 8 * 1024;

impl Request {
    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Have { blob, brief } => _ = out.u8(HAVE).fixed(&blob.0).u8(u8::from(*brief)),
            Self::Piece { blob, root, index } => {
                out.u8(PIECE).fixed(&blob.0).fixed(&root.0).u32(*index);
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
        let request = match input.u8("pastiche request")? {
            HAVE => Self::Have { blob: BlobId(input.array("blob")?), brief: input.bool("brief")? },
            PIECE => Self::Piece {
                blob: BlobId(input.array("blob")?),
                root: Root(input.array("root")?),
                index: decode_index(&mut input)?,
            },
            found => return Err(DecodeError::Unknown { what: "pastiche request", found }),
        };
        input.finish()?;
        Ok(request)
    }
}

impl Response {
    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Have { holding, descriptors, others } => {
                out.u8(HAVE).fixed(&holding.root.0).u64(holding.size);
                out.u8(u8::from(holding.pieces.is_complete()));
                if !holding.pieces.is_complete() {
                    holding.pieces.encode(&mut out);
                }
                out.count(descriptors.len().min(DESCRIPTORS_MAX));
                descriptors.iter().take(DESCRIPTORS_MAX).for_each(|signed| signed.seal(&mut out));
                out.count(others.len().min(OTHERS_MAX));
                others.iter().take(OTHERS_MAX).for_each(|peer| _ = out.principal(peer));
            }
            Self::Piece { pieces, body } => {
                out.u8(PIECE);
                match pieces.as_ref().filter(|pieces| pieces.count() <= REPEATED_MAX) {
                    None => _ = out.u8(0),
                    Some(pieces) => {
                        out.u8(1);
                        pieces.encode(&mut out);
                    }
                }
                out.bytes(body);
            }
            Self::Busy { retry_after } => {
                let millis = retry_after.min(&RETRY_MAX).as_millis();
                out.u8(BUSY).u32(u32::try_from(millis).unwrap_or(u32::MAX));
            }
            Self::Unknown => _ = out.u8(UNKNOWN),
            Self::Whole(body) => _ = out.u8(WHOLE).bytes(body),
        }
        out.finish()
    }

    /// Verifies what is signed in it, and decodes it.
    ///
    /// # Errors
    /// The bytes are malformed or over a bound, or a signature is wrong; the peer is at fault.
    pub fn decode(bytes: &[u8], context: &Context) -> Result<Self, FactError> {
        let mut input = Decoder::new(bytes);
        let response = match input.u8("pastiche response")? {
            HAVE => decode_have(&mut input, context)?,
            PIECE => {
                let repeated = input.bool("have-map")?;
                let pieces = repeated.then(|| PieceSet::decode(&mut input)).transpose()?;
                Self::Piece { pieces, body: input.bytes(PIECE_BODY_MAX, "piece")?.to_vec() }
            }
            BUSY => {
                let retry_after = Duration::from_millis(input.u32("retry")?.into()).min(RETRY_MAX);
                Self::Busy { retry_after }
            }
            UNKNOWN => Self::Unknown,
            WHOLE => Self::Whole(input.bytes(WHOLE_BYTES_MAX, "whole blob")?.to_vec()),
            found => return Err(DecodeError::Unknown { what: "pastiche response", found }.into()),
        };
        input.finish()?;
        Ok(response)
    }
}

fn decode_have(input: &mut Decoder<'_>, context: &Context) -> Result<Response, FactError> {
    let root = Root(input.array("root")?);
    let size = input.u64("size")?;
    if size > BLOB_BYTES_MAX {
        return Err(DecodeError::Invalid("size").into());
    }
    let full = input.bool("have-map")?;
    let pieces = if full { PieceSet::all(size) } else { PieceSet::decode(input)? };
    if pieces.count() != piece_count(size) || (!full && pieces.is_complete()) {
        return Err(DecodeError::Invalid("have-map").into());
    }
    let holding = Holding { root, size, pieces };
    let count = input.count(DESCRIPTORS_MAX, "descriptors")?;
    let descriptors = (0..count)
        .map(|_| Signed::open(input, &context.flock, &*context.verifier))
        .collect::<Result<_, _>>()?;
    let count = input.count(OTHERS_MAX, "others")?;
    let others = (0..count).map(|_| input.principal("other")).collect::<Result<_, _>>()?;
    Ok(Response::Have { holding, descriptors, others })
}

fn decode_index(input: &mut Decoder<'_>) -> Result<u32, DecodeError> {
    match input.u32("piece")? {
        index if index < piece_count(BLOB_BYTES_MAX) => Ok(index),
        _ => Err(DecodeError::Invalid("piece")),
    }
}
