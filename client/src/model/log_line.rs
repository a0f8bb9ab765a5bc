//! Lines that services write.

use core::fmt;
use core::str::FromStr;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::WallTime;
use crate::error::UnknownWord;

/// One line that an instance wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When the node read it, by its wall clock.
    pub at: WallTime,
    /// The instance's id.
    pub instance: String,
    /// Where it wrote it.
    pub stream: LogStream,
    /// The line, without its end. Bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// Where a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Nowhere: it is the node's own, as how many lines were dropped.
    Note,
}

impl LogStream {
    /// Every stream.
    pub const ALL: [Self; 3] = [Self::Stdout, Self::Stderr, Self::Note];

    /// The word used in JSON and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for LogStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for LogStream {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        let unknown = UnknownWord("not a stream of a program");
        Self::ALL.into_iter().find(|stream| stream.as_str() == s).ok_or(unknown)
    }
}

/// `{time, instance, stream, text}`
impl Serialize for LogLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("LogLine", 4)?;
        object.serialize_field("time", &self.at.with_millis())?;
        object.serialize_field("instance", &self.instance)?;
        object.serialize_field("stream", self.stream.as_str())?;
        object.serialize_field("text", &self.text)?;
        object.end()
    }
}
