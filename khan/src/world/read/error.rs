//! Why a text is not a world.

use super::BYTES_MAX;
use crate::world::WorldError;

/// Why a text is not a world, and where. The author of the text is at fault.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// More bytes than the reader takes.
    #[error("{found} bytes; a world has at most {BYTES_MAX}")]
    TooLarge {
        /// How many there are.
        found: usize,
    },
    /// Not JSON, or not the JSON of a world; the message ends with line and column.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A value that does not fit the rest.
    #[error("{path}: {why}")]
    World {
        /// The path of the value, as in `present.web.n1`.
        path: String,
        /// Why.
        why: WorldError,
    },
    /// An invalid name.
    #[error("{path}: {why}")]
    Name {
        /// The path of the name.
        path: String,
        /// Why.
        why: String,
    },
}

impl ReadError {
    pub(super) fn at(path: String, why: WorldError) -> Self {
        Self::World { path, why }
    }
}
