use crate::canon::DecodeError;
use crate::document::DocumentError;
use crate::record::RecordError;
use crate::sign::OpenError;

/// Why the bytes of a fact were refused. Nothing was changed; its maker is at fault, or the disk that kept it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactError {
    /// The bytes are malformed.
    #[error("malformed: {0}")]
    Decode(#[from] DecodeError),
    /// A signature or a signed body is wrong.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The parts of a record do not belong together.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It is not a document of this flock.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// It is another fact than the one it is stored as.
    #[error("it is another one")]
    Another,
    /// A part that is stored apart is not there.
    #[error("its part {} is missing", .0.short())]
    PartMissing(crate::Digest),
}

impl FactError {
    /// The version or kind that this build does not know, if that is why, and its number: the bytes hold as far
    /// as they were read, so another version of Crux made them, rather than a peer that lies.
    pub const fn unknown(&self) -> Option<(&'static str, u8)> {
        match self {
            Self::Decode(error) => error.unknown(),
            Self::Open(error) => error.unknown(),
            Self::Document(error) => error.unknown(),
            Self::Record(_) | Self::Another | Self::PartMissing(_) => None,
        }
    }
}
