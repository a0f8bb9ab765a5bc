//! A moment on a node's wall clock.

use core::fmt;

/// A moment by a node's wall clock, in milliseconds since 1970 (UTC). Prints as RFC 3339, in seconds:
/// `2026-11-30T13:30:29Z`. Clocks of nodes differ, and are set: it orders nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime {
    /// Milliseconds since 1970 (UTC).
    pub unix_ms: u64,
}

/// Days from 0000-03-01 to 1970-01-01. A year that begins in March has its leap day at the end.
const DAYS_TO_1970: u64 = 719_468;
/// Days in 400 years, after which the calendar repeats.
const DAYS_OF_400_YEARS: u64 = 146_097;

impl WallTime {
    /// As it prints, with milliseconds: `2026-11-30T13:30:29.123Z`.
    pub fn with_millis(self) -> String {
        let seconds = self.to_string();
        format!("{}.{:03}Z", seconds.trim_end_matches('Z'), self.unix_ms % 1000)
    }

    /// Year, month and day.
    const fn date(self) -> (u64, u64, u64) {
        let days = self.unix_ms / 86_400_000 + DAYS_TO_1970;
        let (cycle, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        // Months from March: 153 days in each five of them.
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        (cycle * 400 + year + next, month, day)
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let seconds = self.unix_ms / 1000 % 86_400;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(seconds: u64) -> String {
        WallTime { unix_ms: seconds * 1000 + 999 }.to_string()
    }

    /// As `date -u -d @SECONDS +%FT%TZ` prints them.
    #[test]
    fn prints_as_the_calendar_has_it() {
        assert_eq!(shown(0), "1970-01-01T00:00:00Z");
        assert_eq!(shown(68_169_599), "1972-02-28T23:59:59Z");
        assert_eq!(shown(68_169_600), "1972-02-29T00:00:00Z");
        assert_eq!(shown(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(shown(951_868_800), "2000-03-01T00:00:00Z");
        assert_eq!(shown(1_796_045_429), "2026-11-30T13:30:29Z");
        assert_eq!(shown(4_107_542_399), "2100-02-28T23:59:59Z");
        assert_eq!(shown(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn prints_milliseconds_where_they_matter() {
        let shown = |unix_ms| WallTime { unix_ms }.with_millis();
        assert_eq!(shown(1_796_045_429_007), "2026-11-30T13:30:29.007Z");
        assert_eq!(shown(1_796_045_429_999), "2026-11-30T13:30:29.999Z");
    }

    #[test]
    fn each_day_follows_the_one_before() {
        let date = |day: u64| WallTime { unix_ms: day * 86_400_000 }.date();
        for day in 0..DAYS_OF_400_YEARS {
            let ((year, month, dom), next) = (date(day), date(day + 1));
            let follows = [(year, month, dom + 1), (year, month + 1, 1), (year + 1, 1, 1)];
            assert!(follows.contains(&next), "{year}-{month}-{dom} {next:?}");
        }
    }

    #[test]
    fn no_number_is_out_of_range() {
        assert!(WallTime { unix_ms: u64::MAX }.to_string().ends_with('Z'));
    }
}
