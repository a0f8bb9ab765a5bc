use core::time::Duration;
use std::collections::VecDeque;

use crux_protocol::time::Instant;

use super::RumourId;

/// How long a message is known by its content, as in the libp2p adapter.
const SEEN_FOR: Duration = Duration::from_secs(120);

/// Which gossip messages a process knows. They are numbered in their order, so a row of bits says it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    words: VecDeque<u64>,
    /// The number of the first word.
    first: u64,
    /// Those that are known, oldest first, and since when, in milliseconds: thousands of processes
    /// have many thousands of these each.
    order: VecDeque<(u32, u32)>,
}

impl Seen {
    pub(crate) fn contains(&self, id: RumourId) -> bool {
        let (word, bit) = place(id);
        let at = word.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.words.get(at)).is_some_and(|word| word & bit != 0)
    }

    /// Notes one, and forgets those that were known for long. Returns whether it is news.
    pub(crate) fn insert(&mut self, id: RumourId, now: Instant) -> bool {
        let now = millis(now.since_origin());
        while let Some((old, _)) = self.order.pop_front_if(|(_, at)| now - *at >= millis(SEEN_FOR))
        {
            let (word, bit) = place(RumourId(old.into()));
            *self.word(word) &= !bit;
        }
        let (word, bit) = place(id);
        let word = self.word(word);
        let news = *word & bit == 0;
        *word |= bit;
        if news {
            let id = u32::try_from(id.0).expect("a run has fewer messages");
            self.order.push_back((id, now));
        }
        self.drop_empty();
        news
    }

    fn word(&mut self, number: u64) -> &mut u64 {
        if self.words.is_empty() {
            self.first = number;
        }
        while number < self.first {
            self.first -= 1;
            self.words.push_front(0);
        }
        let at = usize::try_from(number - self.first).expect("a run has fewer messages");
        if self.words.len() <= at {
            self.words.resize(at + 1, 0);
        }
        &mut self.words[at]
    }

    fn drop_empty(&mut self) {
        while self.words.pop_front_if(|word| *word == 0).is_some() {
            self.first += 1;
        }
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).expect("a run is shorter than 49 days")
}

const fn place(id: RumourId) -> (u64, u64) {
    (id.0 / 64, 1 << (id.0 % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn it_is_a_set_that_forgets() {
        let mut rng = StdRng::from_seed([1; 32]);
        let (mut seen, mut model) = (Seen::default(), BTreeMap::new());
        let mut now = Instant::ORIGIN;
        for step in 0..20_000_u64 {
            now = now + Duration::from_millis(rng.random_range(0..200));
            model.retain(|_, at| now.since(*at) < SEEN_FOR);
            let id = RumourId((step / 4 + rng.random_range(0..300)).saturating_sub(150));
            assert_eq!(seen.insert(id, now), !model.contains_key(&id));
            model.entry(id).or_insert(now);
            let other = RumourId(rng.random_range(0..step / 4 + 300));
            assert_eq!(seen.contains(other), model.contains_key(&other));
        }
        assert!(seen.words.len() < 100, "what is forgotten takes no place");
    }
}
