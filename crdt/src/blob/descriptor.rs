use super::{BLOB_BYTES_MAX, BlobId, Root};
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::sign::Signable;

/// The statement of who sealed a blob: that both hashes are those of the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Descriptor {
    /// The SHA3-256 of the file.
    pub blob: BlobId,
    /// The BLAKE3 root of the file.
    pub root: Root,
    /// How many bytes there are; at most [`BLOB_BYTES_MAX`].
    pub size: u64,
}

impl Signable for Descriptor {
    const DOMAIN: &'static str = "crux/blob/1";
}

impl Canonical for Descriptor {
    fn encode(&self, out: &mut Encoder) {
        out.u8(1).fixed(&self.blob.0).fixed(&self.root.0).u64(self.size);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("descriptor version", 1)?;
        Ok(Self {
            blob: BlobId(input.array("blob id")?),
            root: Root(input.array("blob root")?),
            size: match input.u64("blob size")? {
                size if size <= BLOB_BYTES_MAX => size,
                _ => return Err(DecodeError::Invalid("blob size")),
            },
        })
    }
}
