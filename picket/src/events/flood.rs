//! Of one kind at most so many events a second.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_protocol::time::Instant;

/// How many events of a kind are kept in a second.
pub const KIND_RATE: u32 = 100;
/// How many kinds are told apart at once; those beyond share one count. There are some 40 in the design.
const KINDS_MAX: usize = 256;
/// How long a kind is counted.
const WINDOW: Duration = Duration::from_secs(1);
/// The name under which kinds beyond [`KINDS_MAX`] count.
const OTHERS: &str = "others";

#[derive(Debug)]
struct Window {
    since: Instant,
    kept: u32,
    left_out: u64,
}

/// Counts events by kind.
#[derive(Debug, Default)]
pub struct Flood {
    windows: BTreeMap<String, Window>,
}

impl Flood {
    /// Whether an event of this kind is kept; if not, it is counted. Call [`Flood::due`] first.
    pub fn keeps(&mut self, kind: &str, now: Instant) -> bool {
        let is_known = self.windows.contains_key(kind) || self.windows.len() < KINDS_MAX;
        let kind = if is_known { kind } else { OTHERS };
        if !self.windows.contains_key(kind) {
            self.windows.insert(kind.to_owned(), Window { since: now, kept: 0, left_out: 0 });
        }
        let Some(window) = self.windows.get_mut(kind) else { return true };
        if window.kept < KIND_RATE {
            window.kept += 1;
            return true;
        }
        window.left_out += 1;
        false
    }

    /// When [`Flood::due`] has something to say.
    pub fn deadline(&self) -> Option<Instant> {
        let open = self.windows.values().filter(|window| window.left_out > 0);
        open.map(|window| window.since + WINDOW).min()
    }

    /// The kinds whose second is over, of which some were left out, with how many.
    pub fn due(&mut self, now: Instant) -> Vec<(String, u64)> {
        let is_over = |window: &Window| window.since + WINDOW <= now;
        let over = self.windows.extract_if(.., |_, window| is_over(window));
        over.filter(|(_, window)| window.left_out > 0)
            .map(|(kind, window)| (kind, window.left_out))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_event_is_kept_or_counted_and_few_are_kept(
            events in proptest::collection::vec((0..30_u64, 0..3_usize), 0..2000),
        ) {
            let mut flood = Flood::default();
            let (mut now, mut kept, mut left_out) = (0, Vec::new(), 0);
            for (wait, kind) in &events {
                now += wait;
                let at = Instant::ORIGIN + Duration::from_millis(now);
                left_out += flood.due(at).iter().map(|(_, n)| n).sum::<u64>();
                prop_assert!(flood.deadline().is_none_or(|deadline| deadline > at));
                if flood.keeps(["a", "b", "c"][*kind], at) {
                    kept.push((now, *kind));
                }
            }
            left_out += flood.due(Instant::NEVER).iter().map(|(_, n)| n).sum::<u64>();
            prop_assert_eq!(kept.len() as u64 + left_out, events.len() as u64);
            // Two windows at most touch any second.
            for (at, kind) in &kept {
                let near = kept.iter().filter(|(t, k)| k == kind && (*at..at + 1000).contains(t));
                prop_assert!(near.count() <= 2 * KIND_RATE as usize);
            }
        }
    }

    #[test]
    fn kinds_are_bounded() {
        let mut flood = Flood::default();
        let kept = (0..10_000).filter(|n| flood.keeps(&n.to_string(), Instant::ORIGIN)).count();
        assert_eq!(kept, KINDS_MAX + KIND_RATE as usize);
        assert_eq!(flood.due(Instant::NEVER).len(), 1);
        assert!(flood.windows.is_empty());
    }
}
