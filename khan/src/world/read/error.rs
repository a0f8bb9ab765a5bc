//! Why a text is not a world.

use core::fmt;

use crate::world::WorldError;
use crate::world::bounds::BYTES_MAX;

/// How long what of a message comes from the text may be, in characters: twice the longest name.
const QUOTED_MAX: usize = 512;

/// Why a text is not a world, and where. The author of the text is at fault.
#[derive(Debug)]
pub enum ReadError {
    /// More bytes than the reader takes.
    TooLarge {
        /// How many there are.
        found: usize,
    },
    /// Not JSON, or not the JSON of a world; the message ends with line and column.
    Json(serde_json::Error),
    /// A value that does not fit the rest.
    World {
        /// The path of the value, as in `present.web.n1`.
        path: String,
        /// Why.
        why: WorldError,
    },
    /// An invalid name.
    Name {
        /// The path of the name.
        path: String,
        /// Why.
        why: String,
    },
}

impl fmt::Display for ReadError {
    /// At most `QUOTED_MAX` characters, and some: the text may be of any length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = match self {
            Self::TooLarge { found } => {
                format!("{found} bytes; a world has at most {BYTES_MAX}")
            }
            Self::Json(error) => error.to_string(),
            Self::World { path, why } => format!("{path}: {why}"),
            Self::Name { path, why } => format!("{path}: {why}"),
        };
        f.write_str(&shortened(&message))
    }
}

impl core::error::Error for ReadError {}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl ReadError {
    pub(super) fn at(path: String, why: WorldError) -> Self {
        Self::World { path, why }
    }
}

/// A message that quotes a text of any length, without the middle of it: it begins with what is wrong, and ends with where.
fn shortened(message: &str) -> String {
    let chars = message.chars().count();
    if chars <= QUOTED_MAX {
        return message.to_owned();
    }
    let half = QUOTED_MAX / 2;
    let (begin, end) = (message.chars().take(half), message.chars().skip(chars - half));
    begin.chain(" … ".chars()).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use crate::world::read;

    #[test]
    fn no_message_is_as_long_as_the_text() {
        let long = "a".repeat(1 << 20);
        for text in [
            long.clone(),
            format!("\"{long}\""),
            format!("{{\"{long}\": 1}}"),
            format!("{{\"nodes\": [], \"usage\": {{\"{long}\": \"keep\"}}}}"),
            format!("{{\"nodes\": [], \"weights\": {{\"{long}\": [1, 1, 1]}}}}"),
            format!("{{\"nodes\": [{{\"name\": \"n\", \"{long}\": 1}}]}}"),
            format!("{{\"nodes\": [], \"room\": \"{long}\"}}"),
        ] {
            let message = read(&text).unwrap_err().to_string();
            assert!(message.chars().count() < 600, "{}", message.len());
        }
        let message = read(&format!("{{\"{long}\": 1}}")).unwrap_err().to_string();
        assert!(message.starts_with("unknown field `aaa"), "{message}");
        assert!(message.ends_with("at line 1 column 1048579"), "{message}");
    }
}
