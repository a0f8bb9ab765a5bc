use core::fmt;
use core::str::FromStr;
use core::time::Duration;

/// A time as scenarios write it: a whole number and `us`, `ms`, `s` or `min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

/// The longest: a day.
const MAX: Duration = Duration::from_secs(86_400);

const UNITS: [(&str, u64); 4] = [("min", 60_000_000), ("us", 1), ("ms", 1_000), ("s", 1_000_000)];

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        let fits = |(_, size): &&(&str, u64)| micros > 0 && micros.is_multiple_of(*size);
        let (unit, size) = UNITS.iter().filter(fits).max_by_key(|unit| unit.1).unwrap_or(&UNITS[3]);
        write!(f, "{}{unit}", micros / size)
    }
}

impl FromStr for Span {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (unit, size) = UNITS.iter().find(|(unit, _)| text.ends_with(unit)).ok_or(())?;
        let number: u64 = text.strip_suffix(unit).ok_or(())?.parse().map_err(|_| ())?;
        let time = Duration::from_micros(number.checked_mul(*size).ok_or(())?);
        if time <= MAX { Ok(Self(time)) } else { Err(()) }
    }
}
