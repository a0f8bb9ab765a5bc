use super::{Key, Marker};
use crate::Digest;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::sign::Signable;

/// How large the content of a document may be, in bytes.
pub const CONTENT_MAX: usize = 64 * 1024;
/// How large a sealed grant may be, in bytes: its content is at most [`super::GRANT_BYTES_MAX`], and the rest of it
/// some 300 bytes.
pub const GRANT_SEALED_MAX: usize = 8 * 1024;
/// Generations and grants versions are below this.
pub const GENERATION_LIMIT: u64 = 1 << 48;
/// The greatest generation. Nothing is written after it, so a winner that has it has no rival.
pub const GENERATION_MAX: u64 = GENERATION_LIMIT - 1;

/// The version of the encoding.
pub(super) const VERSION: u8 = 1;
/// The bytes of a body beside key, content and grant: version, lengths, two numbers and two flags.
const HEAD_BYTES: usize = 1 + 4 + 2 * 8 + 2 * (1 + 4);

/// A document as it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Its name.
    pub key: Key,
    /// The version of the grants that it is signed under; below [`GENERATION_LIMIT`].
    pub grants_version: u64,
    /// From 1, below [`GENERATION_LIMIT`].
    pub generation: u64,
    /// At most [`CONTENT_MAX`] bytes. None: the document is deleted.
    pub content: Option<Box<[u8]>>,
    /// The sealed grant of the signer; none if that is the operator. At most [`GRANT_SEALED_MAX`] bytes.
    pub grant: Option<Box<[u8]>>,
}

impl Body {
    /// A body without a grant, as [`super::Document::sign`] takes it.
    pub const fn new(
        key: Key,
        grants_version: u64,
        generation: u64,
        content: Option<Box<[u8]>>,
    ) -> Self {
        Self { key, grants_version, generation, content, grant: None }
    }

    /// How many bytes its encoding takes.
    pub(super) fn bytes(&self) -> usize {
        let optional = |bytes: Option<&[u8]>| 1 + bytes.map_or(0, |bytes| 4 + bytes.len());
        let key = 4 + self.key.as_str().len();
        1 + key + 2 * 8 + optional(self.content.as_deref()) + optional(self.grant.as_deref())
    }

    /// Its marker, once it is signed with this id.
    pub const fn marker(&self, id: Digest) -> Marker {
        Marker { grants_version: self.grants_version, generation: self.generation, id }
    }
}

impl Signable for Body {
    const DOMAIN: &'static str = "crux/document/1";
    const BODY_MAX: usize = HEAD_BYTES + super::KEY_BYTES_MAX + CONTENT_MAX + GRANT_SEALED_MAX;
}

impl Canonical for Body {
    fn encode(&self, out: &mut Encoder) {
        out.u8(VERSION);
        self.key.encode(out);
        out.u64(self.grants_version).u64(self.generation);
        encode_optional(self.content.as_deref(), out);
        encode_optional(self.grant.as_deref(), out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("document version", VERSION)?;
        Ok(Self {
            key: Key::decode(input)?,
            grants_version: decode_number(input, 0, "grants version")?,
            generation: decode_number(input, 1, "generation")?,
            content: decode_optional(input, CONTENT_MAX, "content")?,
            grant: decode_optional(input, GRANT_SEALED_MAX, "grant")?,
        })
    }
}

fn encode_optional(bytes: Option<&[u8]>, out: &mut Encoder) {
    out.u8(bytes.is_some().into());
    bytes.into_iter().for_each(|bytes| _ = out.bytes(bytes));
}

fn decode_optional(
    input: &mut Decoder<'_>,
    limit: usize,
    what: &'static str,
) -> Result<Option<Box<[u8]>>, DecodeError> {
    if input.bool(what)? { Ok(Some(input.bytes(limit, what)?.into())) } else { Ok(None) }
}

pub(super) fn decode_number(
    input: &mut Decoder<'_>,
    least: u64,
    what: &'static str,
) -> Result<u64, DecodeError> {
    match input.u64(what)? {
        number if (least..GENERATION_LIMIT).contains(&number) => Ok(number),
        _ => Err(DecodeError::Invalid(what)),
    }
}
