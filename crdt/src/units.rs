//! How people write durations and sizes: `10s`, `250ms`; `512MiB`.
//!
//! One spelling for settings, commands and configs. **Invariant**: what these functions print, they read
//! back to the same value, for whole milliseconds and for every size.

use core::time::Duration;

/// The longest duration that can be written, in milliseconds: a thousand years.
const MILLIS_MAX: u64 = 1000 * 365 * 24 * 3600 * 1000;

/// Units of durations with their milliseconds, the largest first.
const SPANS: [(&str, u64); 5] =
    [("d", 24 * 3600 * 1000), ("h", 3600 * 1000), ("m", 60 * 1000), ("s", 1000), ("ms", 1)];

/// Units of sizes with the power of two that each is, the largest first.
const SIZES: [(&str, u32); 5] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

/// Why a text is not a duration or a size. The caller's input is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a whole number followed by a unit.
    #[error("write a whole number and one of ms, s, m, h, d, as in 10s or 250ms")]
    Duration,
    /// Not a whole number, or one followed by a unit.
    #[error("write a whole number of bytes, or of KiB, MiB, GiB or TiB, as in 500MiB")]
    Size,
    /// More than a thousand years, or than 64 bits hold.
    #[error("it is too much")]
    TooMuch,
}

/// Reads a duration: a whole number and one of `ms`, `s`, `m`, `h`, `d`. Zero is read too.
///
/// # Errors
/// [`UnitError::Duration`], or [`UnitError::TooMuch`] beyond a thousand years.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).ok_or(UnitError::Duration)?;
    let (number, unit) = text.split_at(end);
    let (_, millis) = SPANS.iter().find(|(name, _)| *name == unit).ok_or(UnitError::Duration)?;
    if number.is_empty() {
        return Err(UnitError::Duration);
    }
    let number: u64 = number.parse().map_err(|_| UnitError::TooMuch)?;
    let millis = number.checked_mul(*millis).filter(|millis| *millis <= MILLIS_MAX);
    millis.map(Duration::from_millis).ok_or(UnitError::TooMuch)
}

/// A duration as [`parse_duration`] reads it, in the largest unit that divides it. Less than a millisecond
/// is left out.
pub fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    let (unit, each) = match SPANS.iter().find(|(_, each)| millis.is_multiple_of(u128::from(*each)))
    {
        Some(found) if millis > 0 => *found,
        _ => ("s", 1000),
    };
    format!("{}{unit}", millis / u128::from(each))
}

/// Reads a size: a whole number of bytes, or of `B`, `KiB`, `MiB`, `GiB` or `TiB`.
///
/// # Errors
/// [`UnitError::Size`], or [`UnitError::TooMuch`] beyond 64 bits.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = if unit.is_empty() { "B" } else { unit };
    let (_, shift) = SIZES.iter().find(|(name, _)| *name == unit).ok_or(UnitError::Size)?;
    if number.is_empty() {
        return Err(UnitError::Size);
    }
    let number: u64 = number.parse().map_err(|_| UnitError::TooMuch)?;
    number.checked_mul(1 << shift).ok_or(UnitError::TooMuch)
}

/// A size as [`parse_size`] reads it, in the largest unit that divides it.
pub fn size_text(bytes: u64) -> String {
    match SIZES.iter().find(|(_, shift)| bytes.is_multiple_of(1 << shift)) {
        Some((unit, shift)) if bytes > 0 => format!("{}{unit}", bytes >> shift),
        _ => "0B".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, millis) in [
            ("250ms", 250),
            ("10s", 10_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("3d", 259_200_000),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)));
            assert_eq!(duration_text(Duration::from_millis(millis)), text);
        }
        for bad in ["", "10", "s", "1.5s", "-1s", "+1s", "10 s", "10S", "10sec", "１s"] {
            assert_eq!(parse_duration(bad), Err(UnitError::Duration), "{bad}");
        }
        assert_eq!(parse_duration("999999999d"), Err(UnitError::TooMuch));
        assert_eq!(parse_duration("99999999999999999999999s"), Err(UnitError::TooMuch));
    }

    #[test]
    fn sizes_have_a_number_and_perhaps_a_unit() {
        for (text, bytes) in
            [("0", 0), ("7", 7), ("7B", 7), ("500MiB", 500 << 20), ("1TiB", 1 << 40)]
        {
            assert_eq!(parse_size(text), Ok(bytes));
        }
        for bad in ["", "MiB", "1.5GiB", "-1", "1 GiB", "1GB", "1gib", "１KiB"] {
            assert_eq!(parse_size(bad), Err(UnitError::Size), "{bad}");
        }
        assert_eq!(parse_size("99999999999TiB"), Err(UnitError::TooMuch));
        assert_eq!(
            (size_text(40 << 20), size_text(1025)),
            ("40MiB".to_owned(), "1025B".to_owned())
        );
    }

    proptest! {
        #[test]
        fn round_trip(millis in 0..=MILLIS_MAX, bytes: u64) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&duration_text(duration)), Ok(duration));
            prop_assert_eq!(parse_size(&size_text(bytes)), Ok(bytes));
        }
    }
}
