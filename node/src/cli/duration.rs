//! Durations on the command line: `10s`, `250ms`.

use std::time::Duration;

/// Why a word is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DurationError {
    /// Not a whole number followed by a unit.
    #[error("write a whole number and one of ms, s, m, h, d, as in 10s or 250ms")]
    Form,
    /// Nothing.
    #[error("it must be more than nothing")]
    Zero,
    /// More than a thousand years.
    #[error("it is too long")]
    TooLong,
}

/// The longest duration, in milliseconds: a thousand years.
const MILLIS_MAX: u64 = 1000 * 365 * 24 * 3600 * 1000;

/// Parses a duration: a whole number and a unit.
pub(super) fn parse(s: &str) -> Result<Duration, DurationError> {
    let unit = s.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError::Form)?;
    let (number, unit) = s.split_at(unit);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 3600 * 1000,
        "d" => 24 * 3600 * 1000,
        _ => return Err(DurationError::Form),
    };
    if number.is_empty() {
        return Err(DurationError::Form);
    }
    let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
    match number.checked_mul(millis).filter(|millis| *millis <= MILLIS_MAX) {
        None => Err(DurationError::TooLong),
        Some(0) => Err(DurationError::Zero),
        Some(millis) => Ok(Duration::from_millis(millis)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(parse("3d"), Ok(Duration::from_secs(259_200)));
    }

    #[test]
    fn nothing_else() {
        for bad in ["", "10", "s", "1.5s", "-1s", "+1s", "10 s", "10S", "10sec", "１s"] {
            assert_eq!(parse(bad), Err(DurationError::Form), "{bad}");
        }
        assert_eq!(parse("0s"), Err(DurationError::Zero));
        assert_eq!(parse("999999999d"), Err(DurationError::TooLong));
        assert_eq!(parse("99999999999999999999999s"), Err(DurationError::TooLong));
    }
}
