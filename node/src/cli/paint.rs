//! Colour for words that say how something is.
//!
//! A painted word is between two marks: characters without width that no text of others has, since
//! they are not plain ([`crux_crdt::text`]). So a table measures it as what is seen, and what is printed
//! is made plain as ever; only then the marks become commands to the terminal, or nothing. Colour adds
//! nothing that the words do not say.

use crux_client::model::{
    CheckResult, DocumentState, InstanceState, MemberState, NodeUse, ServiceStatus,
};

use crate::plain;

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum When {
    // On a terminal, unless NO_COLOR is set or TERM is `dumb`.
    Auto,
    // Also into a pipe or a file.
    Always,
    // Not at all.
    Never,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    /// Well: green.
    Good,
    /// Perhaps not well: yellow.
    Doubtful,
    /// Not well: red.
    Bad,
    /// Gone for good, of no concern: dim.
    Faint,
}

impl Colour {
    const ALL: [Self; 4] = [Self::Good, Self::Doubtful, Self::Bad, Self::Faint];

    const fn mark(self) -> char {
        match self {
            Self::Good => '\u{2061}',
            Self::Doubtful => '\u{2062}',
            Self::Bad => '\u{2063}',
            Self::Faint => '\u{2064}',
        }
    }

    /// Select Graphic Rendition, ECMA-48: the sixteen colours that every terminal has.
    const fn command(self) -> &'static str {
        match self {
            Self::Good => "\x1b[32m",
            Self::Doubtful => "\x1b[33m",
            Self::Bad => "\x1b[31m",
            Self::Faint => "\x1b[2m",
        }
    }
}

const END: char = '\u{2060}';
const END_COMMAND: &str = "\x1b[0m";

impl From<MemberState> for Colour {
    fn from(state: MemberState) -> Self {
        match state {
            MemberState::Alive => Self::Good,
            MemberState::Suspect => Self::Doubtful,
            MemberState::Dead => Self::Bad,
            MemberState::Left | MemberState::Retired | MemberState::Evicted => Self::Faint,
        }
    }
}

impl From<NodeUse> for Colour {
    fn from(node_use: NodeUse) -> Self {
        match node_use {
            NodeUse::Open => Self::Good,
            NodeUse::Cordoned | NodeUse::Draining => Self::Doubtful,
            NodeUse::Drained => Self::Faint,
        }
    }
}

impl From<ServiceStatus> for Colour {
    fn from(status: ServiceStatus) -> Self {
        match status {
            ServiceStatus::Up => Self::Good,
            ServiceStatus::Unknown | ServiceStatus::Degraded => Self::Doubtful,
            ServiceStatus::Down => Self::Bad,
        }
    }
}

impl From<InstanceState> for Colour {
    fn from(state: InstanceState) -> Self {
        use InstanceState::{
            Backoff, Degraded, Done, Draining, Failed, Paused, Pending, Starting, Stopped,
            Stopping, Up,
        };
        match state {
            Up => Self::Good,
            Pending | Starting | Degraded | Draining | Stopping | Backoff | Paused => {
                Self::Doubtful
            }
            Failed => Self::Bad,
            Done | Stopped => Self::Faint,
        }
    }
}

impl From<CheckResult> for Colour {
    fn from(result: CheckResult) -> Self {
        match result {
            CheckResult::Ok => Self::Good,
            CheckResult::Warn => Self::Doubtful,
            CheckResult::Fail => Self::Bad,
        }
    }
}

impl From<DocumentState> for Colour {
    fn from(state: DocumentState) -> Self {
        match state {
            DocumentState::Current => Self::Good,
            DocumentState::Conflict => Self::Doubtful,
            DocumentState::Void => Self::Bad,
            DocumentState::Deleted => Self::Faint,
        }
    }
}

/// A word, painted. It takes one line, whatever is in it.
pub(super) fn paint(colour: Colour, word: &str) -> String {
    format!("{}{}{END}", colour.mark(), plain::line(word))
}

/// A text of several lines as it is printed: plain, and with colours or without.
pub(super) fn finish(text: &str, colours: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c| command(c).is_some()) {
        let mark = piece.chars().next_back().and_then(|last| Some((last, command(last)?)));
        let rest = mark.and_then(|(mark, _)| piece.strip_suffix(mark)).unwrap_or(piece);
        out.push_str(&plain::lines(rest));
        out.push_str(mark.filter(|_| colours).map_or("", |(_, command)| command));
    }
    out
}

/// The terminal's command for a mark.
fn command(c: char) -> Option<&'static str> {
    let colour = Colour::ALL.into_iter().find(|colour| colour.mark() == c);
    colour.map(Colour::command).or_else(|| (c == END).then_some(END_COMMAND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_painted_word_is_coloured_or_as_it_was() {
        let text = format!("n1  {}  x", paint(Colour::Bad, "dead"));
        assert_eq!(finish(&text, true), "n1  \x1b[31mdead\x1b[0m  x");
        assert_eq!(finish(&text, false), "n1  dead  x");
        assert_eq!(finish("a\nb", true), "a\nb");
    }

    #[test]
    fn the_marks_are_in_no_text_of_others() {
        for colour in Colour::ALL {
            assert!(!crux_crdt::text::is_plain(colour.mark()), "{colour:?}");
            let forged = format!("{}x\x1b[1A", colour.mark());
            assert_eq!(finish(&paint(Colour::Good, &forged), false).matches("\\u").count(), 2);
        }
        assert!(!crux_crdt::text::is_plain(END));
        assert_eq!(finish("a\x1b[2J", true), "a\\u001b[2J");
    }
}
