use std::time::Duration;

use crate::logs::shown;

/// How many bytes of text an outcome has at most.
pub const TEXT_BYTES_MAX: usize = 256;

/// How a run of a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the program answered as it should.
    pub passed: bool,
    /// Whether it was made at all. One that the node could not make, for want of memory or descriptors, has not passed
    /// and says nothing about the program.
    pub was_made: bool,
    /// The answer for people, in one line of at most [`TEXT_BYTES_MAX`] bytes that commands no terminal.
    pub text: String,
    /// How long it took, without the wait for its turn.
    pub took: Duration,
}

/// The end of an attempt: the words after it are the text.
pub(super) type Tried = Result<String, Failed>;

/// Why a try failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failed {
    /// The program did not answer as it should.
    Answer(String),
    /// The node could not try.
    NotMade(String),
}

impl From<String> for Failed {
    fn from(text: String) -> Self {
        Self::Answer(text)
    }
}

impl Outcome {
    pub(super) fn new(tried: Tried, took: Duration) -> Self {
        let (passed, was_made) = (tried.is_ok(), !matches!(tried, Err(Failed::NotMade(_))));
        let (Ok(text) | Err(Failed::Answer(text) | Failed::NotMade(text))) = tried;
        let mut text = shown(text.as_bytes()).into_owned();
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        Self { passed, was_made, text, took }
    }
}

/// A remark, with what the program said where it said something: the first line that is not empty.
pub(super) fn with_words(remark: &str, said: &[u8]) -> String {
    let mut lines = said.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    match lines.find(|line| !line.is_empty()) {
        // More is left out anyway.
        Some(line) => format!("{remark}: {}", shown(&line[..line.len().min(TEXT_BYTES_MAX)])),
        None => remark.to_owned(),
    }
}
