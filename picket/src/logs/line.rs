//! A line as it is kept: `time instance stream text`.
//!
//! ```text
//! 2026-11-30T18:45:24.123Z web-v1-0-1f0a9c2e o  GET / 200        a line of standard output
//! 2026-11-30T18:45:24.123Z web-v1-0-1f0a9c2e e+ a long …         a piece; the line continues in the next of its kind
//! 2026-11-30T18:45:24.123Z web-v1-0-1f0a9c2e c  12 lines dropped a remark of Crux
//! ```
//!
//! The text is the program's bytes, whatever they are, without the newline. [`shown`] is for people.

use std::borrow::Cow;

use crux_crdt::text::is_plain;

/// The longest text of a kept line in bytes: 16 KiB, as Docker and the CRI cut.
pub const LINE_MAX: usize = 16 * 1024;

/// How many bytes the time has: `2026-11-30T18:45:24.123Z`.
const TIME_BYTES: usize = 24;

/// The latest time that four digits of a year show, in milliseconds of Unix time.
const TIME_MAX: u64 = 253_402_300_799_999;

/// Where a line comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The program's standard output.
    Stdout,
    /// The program's standard error.
    Stderr,
    /// Not the program: Crux says that lines are missing.
    Crux,
}

impl Stream {
    const fn letter(self) -> u8 {
        match self {
            Self::Stdout => b'o',
            Self::Stderr => b'e',
            Self::Crux => b'c',
        }
    }

    const fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'o' => Some(Self::Stdout),
            b'e' => Some(Self::Stderr),
            b'c' => Some(Self::Crux),
            _ => None,
        }
    }

    /// The word for machines, as the control API has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Crux => "note",
        }
    }
}

/// A kept line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// When the picket read it, in milliseconds of Unix time. For people: the clock may step.
    pub at_ms: u64,
    /// The instance whose output it is.
    pub instance: &'a str,
    /// Which output.
    pub stream: Stream,
    /// Whether it is a piece, and the line continues in the next one of this instance and stream.
    pub partial: bool,
    /// The text, at most [`LINE_MAX`] bytes.
    pub text: &'a [u8],
}

impl<'a> Line<'a> {
    /// Reads a kept line, without its newline; none if it is damaged.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let (time, rest) = line.split_at_checked(TIME_BYTES)?;
        let at_ms = parse_time(time)?;
        let rest = rest.strip_prefix(b" ")?;
        let (instance, rest) = rest.split_at_checked(rest.iter().position(|b| *b == b' ')?)?;
        let instance = std::str::from_utf8(instance).ok().filter(|name| !name.is_empty())?;
        let (stream, rest) = rest[1..].split_first()?;
        let stream = Stream::from_letter(*stream)?;
        let (partial, rest) = match rest.strip_prefix(b"+") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        Some(Self { at_ms, instance, stream, partial, text: rest.strip_prefix(b" ")? })
    }

    /// Appends the line with its newline.
    pub fn write(&self, stamp: &mut Stamp, out: &mut Vec<u8>) {
        out.extend_from_slice(stamp.text(self.at_ms));
        out.push(b' ');
        out.extend_from_slice(self.instance.as_bytes());
        out.extend_from_slice(&[b' ', self.stream.letter()]);
        if self.partial {
            out.push(b'+');
        }
        out.push(b' ');
        out.extend_from_slice(self.text);
        out.push(b'\n');
    }
}

/// The position of the first newline.
///
/// The standard library's search, which is vectorised in every build; a loop of ours is not in a debug build.
pub(super) fn newline(bytes: &[u8]) -> Option<usize> {
    use std::io::BufRead as _;

    let mut rest = bytes;
    // A slice is read without errors.
    let skipped = rest.skip_until(b'\n').unwrap_or(0);
    let at = skipped.checked_sub(1)?;
    (bytes[at] == b'\n').then_some(at)
}

/// The text for a person: in one line, and nothing in it commands a terminal. Tabs stay; other characters
/// that are not plain are shown as `\u001b`, bytes that are not UTF-8 as `\xff`.
pub fn shown(text: &[u8]) -> Cow<'_, str> {
    let stays = |c: char| is_plain(c) || c == '\t';
    if let Ok(text) = std::str::from_utf8(text)
        && text.chars().all(stays)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            if stays(c) {
                out.push(c);
            } else {
                let units = &mut [0; 2];
                c.encode_utf16(units)
                    .iter()
                    .for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
            }
        }
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
    }
    Cow::Owned(out)
}

/// Writes times; the part that changes once a second is made once a second.
#[derive(Debug, Clone)]
pub struct Stamp {
    second: u64,
    text: [u8; TIME_BYTES],
}

impl Default for Stamp {
    fn default() -> Self {
        let mut stamp = Self { second: 0, text: *b"0000-00-00T00:00:00.000Z" };
        stamp.set_second(0);
        stamp
    }
}

impl Stamp {
    /// A time in milliseconds of Unix time as RFC 3339 in UTC.
    pub fn text(&mut self, unix_ms: u64) -> &[u8] {
        let unix_ms = unix_ms.min(TIME_MAX);
        let second = unix_ms / 1000;
        if second != self.second {
            self.set_second(second);
        }
        digits(&mut self.text[20..23], unix_ms % 1000);
        &self.text
    }

    fn set_second(&mut self, second: u64) {
        self.second = second;
        let (year, month, day) = date_of(second / 86_400);
        let of_day = second % 86_400;
        digits(&mut self.text[0..4], year);
        digits(&mut self.text[5..7], month);
        digits(&mut self.text[8..10], day);
        digits(&mut self.text[11..13], of_day / 3600);
        digits(&mut self.text[14..16], of_day / 60 % 60);
        digits(&mut self.text[17..19], of_day % 60);
    }
}

/// Fills a field with the last digits of a number.
fn digits(field: &mut [u8], mut number: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// Year, month and day of a day of Unix time (H. Hinnant's `civil_from_days`).
fn date_of(day: u64) -> (u64, u64, u64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

/// The day of Unix time of a date; the inverse of [`date_of`].
fn day_of(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let (era, of_era) = (year / 400, year % 400);
    let month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month + 2) / 5 + day.checked_sub(1)?;
    let day = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    (era * 146_097 + day).checked_sub(719_468)
}

/// Reads what [`Stamp`] writes.
fn parse_time(time: &[u8]) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| {
        time[range]
            .iter()
            .try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u64::from(*b - b'0')))
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (23, b'Z')];
    if time.len() != TIME_BYTES || marks.iter().any(|(at, mark)| time[*at] != *mark) {
        return None;
    }
    let (month, hour) = (number(5..7)?, number(11..13)?);
    if !(1..=12).contains(&month) {
        return None;
    }
    let day = day_of(number(0..4)?, month, number(8..10)?)?;
    let second = ((day * 24 + hour) * 60 + number(14..16)?) * 60 + number(17..19)?;
    Some(second * 1000 + number(20..23)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_reads_as_people_expect() {
        let line = Line {
            at_ms: 1_796_064_324_123,
            instance: "web-v1-0-1f0a9c2e",
            stream: Stream::Stderr,
            partial: false,
            text: b"GET / 200",
        };
        let mut out = Vec::new();
        line.write(&mut Stamp::default(), &mut out);
        assert_eq!(out, b"2026-11-30T18:45:24.123Z web-v1-0-1f0a9c2e e GET / 200\n");
    }

    #[test]
    fn damaged_lines_are_seen() {
        let good = b"2026-11-30T18:45:24.123Z web o+ x";
        assert!(Line::parse(good).is_some_and(|line| line.partial && line.text == b"x"));
        for end in 0..good.len() - 1 {
            assert_eq!(Line::parse(&good[..end]), None, "{end}");
        }
        for bad in [&b"2026-11-30 18:45:24.123Z web o x"[..], b"\0\0\0", b""] {
            assert_eq!(Line::parse(bad), None);
        }
        assert_eq!(Line::parse(b"2026-13-30T18:45:24.123Z web o x"), None);
        assert_eq!(Line::parse(b"2026-11-30T18:45:24.123Z web x x"), None);
        assert_eq!(Line::parse(b"2026-11-30T18:45:24.123Z  o x"), None);
    }

    #[test]
    fn what_commands_a_terminal_is_shown_by_its_number() {
        assert_eq!(shown("Köln\tx".as_bytes()), "Köln\tx");
        assert_eq!(shown(b"a\x1b[2Jb\r"), "a\\u001b[2Jb\\u000d");
        assert_eq!(shown(b"a\xff\xc3"), "a\\xff\\xc3");
    }

    proptest! {
        #[test]
        fn a_line_reads_back(
            at_ms in 0..=TIME_MAX,
            instance in "[a-zA-Z0-9._-]{1,40}",
            stream in 0..3_usize,
            partial: bool,
            text in proptest::collection::vec(any::<u8>().prop_filter("", |b| *b != b'\n'), 0..80),
        ) {
            let stream = [Stream::Stdout, Stream::Stderr, Stream::Crux][stream];
            let line = Line { at_ms, instance: &instance, stream, partial, text: &text };
            let mut out = Vec::new();
            line.write(&mut Stamp::default(), &mut out);
            prop_assert_eq!(out.pop(), Some(b'\n'));
            prop_assert_eq!(Line::parse(&out), Some(line));
        }

        #[test]
        fn a_newline_is_found_where_it_is(bytes in proptest::collection::vec(9..12_u8, 0..40)) {
            prop_assert_eq!(newline(&bytes), bytes.iter().position(|b| *b == b'\n'));
        }
    }
}
