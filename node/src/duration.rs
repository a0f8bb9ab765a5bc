//! Durations as people write them: `10s`, `250ms`.

use std::time::Duration;

use crux_crdt::units::{self, UnitError};

/// Why a word is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
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

/// Parses a duration: a whole number and a unit.
pub(crate) fn parse(s: &str) -> Result<Duration, DurationError> {
    match units::parse_duration(s) {
        Ok(Duration::ZERO) => Err(DurationError::Zero),
        Ok(duration) => Ok(duration),
        Err(UnitError::TooMuch) => Err(DurationError::TooLong),
        Err(UnitError::Duration | UnitError::Size) => Err(DurationError::Form),
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
