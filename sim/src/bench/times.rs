use core::time::Duration;

/// How long something took, many times.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// These, in any order.
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, the shortest first.
    pub fn all(&self) -> &[Duration] {
        &self.0
    }

    /// What so many of a thousand took at most; zero if there are none.
    pub fn within(&self, of_thousand: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        let at = (self.0.len() * of_thousand / 1_000).min(last);
        self.0.get(at).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_thousand_are_taken_from_the_short_end() {
        let times = Times::new((1..=2_000).rev().map(Duration::from_millis).collect());
        assert_eq!(times.within(500), Duration::from_millis(1_001));
        assert_eq!(times.within(999), Duration::from_millis(1_999));
        assert_eq!(times.within(1_000), Duration::from_millis(2_000));
        assert_eq!(Times::default().within(500), Duration::ZERO);
    }
}
