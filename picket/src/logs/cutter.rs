//! Cuts a stream of bytes into lines.
//!
//! **Invariants.** The texts in their order, with a newline after each that is whole, are the stream (but
//! for a newline at its end that was not there). No text has more than [`LINE_MAX`] bytes. Without flushes
//! the result does not depend on how the stream was split into reads. Nothing waits for longer than
//! [`FLUSH_AFTER`] for its newline.
//!
//! A line of exactly [`LINE_MAX`] bytes is whole, so a full buffer waits for the next byte.

use std::time::Duration;

use crux_protocol::time::Instant;

use super::line::{LINE_MAX, newline};

/// How long output without a newline waits: a second, so that a prompt is seen, and a program that writes
/// byte by byte does not make a line of each.
pub const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// A whole line, or a piece of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The bytes without the newline.
    pub text: &'a [u8],
    /// Whether the line continues in the next piece.
    pub partial: bool,
}

/// The lines of one stream.
#[derive(Debug, Default)]
pub struct Cutter {
    /// The beginning of a line whose end has not come.
    part: Vec<u8>,
    /// When the first byte of the part came.
    since: Option<Instant>,
}

impl Cutter {
    /// Takes the next bytes of the stream, and gives the lines that end in them.
    pub fn feed(&mut self, mut bytes: &[u8], now: Instant, give: &mut impl FnMut(Piece<'_>)) {
        while let Some(at) = newline(bytes) {
            self.line(&bytes[..at], give);
            bytes = &bytes[at + 1..];
        }
        if bytes.is_empty() {
            return;
        }
        let rest = self.pieces(bytes, give);
        if self.part.is_empty() {
            self.since = Some(now);
        }
        self.part.extend_from_slice(rest);
    }

    /// The end of a line: what came before it, and this.
    fn line(&mut self, end: &[u8], give: &mut impl FnMut(Piece<'_>)) {
        let rest = self.pieces(end, give);
        if self.part.is_empty() {
            give(Piece { text: rest, partial: false });
            return;
        }
        self.part.extend_from_slice(rest);
        give(Piece { text: &self.part, partial: false });
        self.clear();
    }

    /// Gives pieces until the part and what is left of these bytes fit into a line together.
    fn pieces<'a>(&mut self, mut bytes: &'a [u8], give: &mut impl FnMut(Piece<'_>)) -> &'a [u8] {
        while self.part.len() + bytes.len() > LINE_MAX {
            if self.part.is_empty() {
                let (text, rest) = bytes.split_at(boundary(bytes));
                give(Piece { text, partial: true });
                bytes = rest;
                continue;
            }
            // One byte more than a line, so that it is seen whether a character ends there.
            let (fill, rest) = bytes.split_at(LINE_MAX + 1 - self.part.len());
            self.part.extend_from_slice(fill);
            let end = boundary(&self.part);
            give(Piece { text: &self.part[..end], partial: true });
            self.part.drain(..end);
            bytes = rest;
        }
        bytes
    }

    /// When [`Cutter::flush`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + FLUSH_AFTER)
    }

    /// Gives what has waited for its newline for long enough.
    pub fn flush(&mut self, now: Instant, give: &mut impl FnMut(Piece<'_>)) {
        if self.deadline().is_some_and(|at| at <= now) {
            give(Piece { text: &self.part, partial: true });
            self.clear();
        }
    }

    /// Gives what is left when the stream ends.
    pub fn finish(&mut self, give: &mut impl FnMut(Piece<'_>)) {
        if !self.part.is_empty() {
            give(Piece { text: &self.part, partial: false });
        }
        *self = Self::default();
    }

    fn clear(&mut self) {
        self.since = None;
        self.part.clear();
        // Most programs write whole lines: what one long one needed is given back.
        self.part.shrink_to(256);
    }
}

/// Where to split bytes that are longer than a line: after [`LINE_MAX`] of them, or up to three earlier, so
/// that a character stays whole.
fn boundary(bytes: &[u8]) -> usize {
    let is_inside = |at: &usize| bytes[*at] & 0b1100_0000 == 0b1000_0000;
    (LINE_MAX - 3..=LINE_MAX).rev().find(|at| !is_inside(at)).unwrap_or(LINE_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Given = Vec<(Vec<u8>, bool)>;

    fn give(to: &mut Given) -> impl FnMut(Piece<'_>) {
        |piece| to.push((piece.text.to_vec(), piece.partial))
    }

    /// Feeds the stream in reads of these sizes, in turn.
    fn fed(stream: &[u8], sizes: &[usize]) -> Given {
        let (mut cutter, mut given, mut rest) = (Cutter::default(), Vec::new(), stream);
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (read, later) = rest.split_at((*size).min(rest.len()));
            cutter.feed(read, Instant::ORIGIN, &mut give(&mut given));
            rest = later;
        }
        cutter.finish(&mut give(&mut given));
        given
    }

    fn joined(given: &Given) -> Vec<u8> {
        let mut all = Vec::new();
        for (text, partial) in given {
            all.extend_from_slice(text);
            if !partial {
                all.push(b'\n');
            }
        }
        all
    }

    /// Streams with long and short lines.
    fn streams() -> impl Strategy<Value = Vec<u8>> {
        let run = prop_oneof![
            3 => Just(b"\n".to_vec()),
            3 => proptest::collection::vec(any::<u8>(), 0..30),
            1 => (LINE_MAX - 2..LINE_MAX + 3).prop_map(|n| vec![b'x'; n]),
            1 => (0..3_usize, 16_000..20_000_usize)
                .prop_map(|(skip, n)| "€".repeat(n).into_bytes().split_off(skip)),
        ];
        proptest::collection::vec(run, 0..8).prop_map(|runs| runs.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn nothing_is_lost_and_nothing_is_too_long(
            stream in streams(), sizes in proptest::collection::vec(1..40_000_usize, 1..5),
        ) {
            let given = fed(&stream, &sizes);
            prop_assert!(given.iter().all(|(text, _)| text.len() <= LINE_MAX));
            let mut expected = stream.clone();
            if expected.last().is_some_and(|last| *last != b'\n') {
                expected.push(b'\n');
            }
            prop_assert!(joined(&given) == expected);
        }

        #[test]
        fn how_a_stream_was_split_into_reads_does_not_matter(
            stream in streams(), sizes in proptest::collection::vec(1..40_000_usize, 1..5),
        ) {
            prop_assert!(fed(&stream, &sizes) == fed(&stream, &[stream.len().max(1)]));
        }
    }

    #[test]
    fn a_line_of_the_greatest_length_is_whole_and_one_byte_more_is_not() {
        let whole = [vec![b'x'; LINE_MAX], b"\n".to_vec()].concat();
        assert_eq!(fed(&whole, &[1000]), [(vec![b'x'; LINE_MAX], false)]);
        let more = [vec![b'x'; LINE_MAX + 1], b"\n".to_vec()].concat();
        assert_eq!(fed(&more, &[1000]), [(vec![b'x'; LINE_MAX], true), (b"x".to_vec(), false)]);
    }

    #[test]
    fn characters_stay_whole() {
        let text = format!("x{}\n", "€".repeat(20_000));
        for (piece, _) in fed(text.as_bytes(), &[777]) {
            assert!(std::str::from_utf8(&piece).is_ok());
        }
    }

    #[test]
    fn what_has_no_newline_is_given_after_a_second() {
        let (mut cutter, mut given) = (Cutter::default(), Vec::new());
        let at = |ms| Instant::ORIGIN + Duration::from_millis(ms);
        cutter.feed(b"pass", at(10), &mut give(&mut given));
        cutter.feed(b"word: ", at(800), &mut give(&mut given));
        assert_eq!(cutter.deadline(), Some(at(1010)));
        cutter.flush(at(1009), &mut give(&mut given));
        assert_eq!(given, []);
        cutter.flush(at(1010), &mut give(&mut given));
        assert_eq!(given, [(b"password: ".to_vec(), true)]);
        assert_eq!(cutter.deadline(), None);
        cutter.feed(b"\n", at(1020), &mut give(&mut given));
        assert_eq!(given[1..], [(Vec::new(), false)]);
    }
}
