use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crux_crdt::record::Record;

use crate::liveness::{Beacon, BootNonce, Run, Sight};

/// Other runs of this identity that are remembered. A copy that a supervisor starts again and again is
/// another run each time, and forgotten once so many came after it.
const RUNS_MAX: usize = 64;

/// What follows from a beacon of this identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing: this run sent it, or it came before.
    Known,
    /// It is news, and changes nothing.
    News,
    /// This run names the other one from now on, and is to say so at once.
    Name,
    /// The other run continues and knows of this one; this one stops.
    Yield,
    /// The other run knows of this one and stops.
    GoOn,
}

/// Another run, as far as this one heard of it.
#[derive(Debug)]
struct Other {
    nonce: BootNonce,
    /// Incarnation and counter of its last beacon.
    mark: (u64, u64),
    /// Whether this run is its heir; said once, and not changed any more.
    heir: Option<bool>,
}

/// The runs of this identity: two of them are one too many.
///
/// **Invariant**: of two runs that hear each other's beacons exactly one stops, whichever way the beacons
/// take and whenever they come; and none stops for a run that ended before it began.
///
/// A run that hears of another one *names* it in its beacons, by its boot nonce. Nobody can name what was not
/// drawn yet, so a beacon that names this run proves that the other one went on after this one began. That
/// is what a run waits for before it stops: the last beacons of a previous incarnation never name it.
///
/// Which of the two stops is a function of what both said when they named each other, so that both compute
/// the same, without a clock: an *heir* before one that is not (a run that continues from what the other one
/// wrote, as the copy of a running node does, or that has written nothing itself yet); then the one that
/// began with the lower incarnation, whose disk is older; then the lower nonce. What a run says of another
/// one it says once: whether it is the heir is settled when it hears of it first.
///
/// Of three runs each may rank before the next one in a ring, since who is whose heir depends on what they heard
/// first. So a run that is about to stop names nobody but the one that it stops for: nobody stops for it.
/// Only where all three name each other before any of them hears of that could all of them stop.
///
/// Only beacons under this node's own key count, so nobody else can stop it.
#[derive(Debug)]
pub(super) struct Twins {
    me: Run,
    /// Whether it is about to stop for the one that it names.
    yields: bool,
    /// In the order in which they were heard of.
    others: VecDeque<Other>,
    /// Where they say that they are reached, by what their records say.
    places: BTreeMap<BootNonce, Vec<String>>,
    /// The record of another run that was seen last.
    last: Option<Arc<Record>>,
}

impl Twins {
    /// A run that heard of no other.
    pub(super) const fn new(nonce: BootNonce, born: u64) -> Self {
        let me = Run { nonce, born, sees: None };
        Self { me, yields: false, others: VecDeque::new(), places: BTreeMap::new(), last: None }
    }

    /// What this run says of itself.
    pub(super) const fn run(&self) -> Run {
        self.me
    }

    /// Whether a beacon of this run came.
    pub(super) fn is_heard(&self, nonce: &BootNonce) -> bool {
        self.others.iter().any(|other| other.nonce == *nonce && other.mark > (0, 0))
    }

    /// Where a run is reached, by the record of it that was seen.
    pub(super) fn places(&self, nonce: &BootNonce) -> Vec<String> {
        self.places.get(nonce).cloned().unwrap_or_default()
    }

    /// What that run said, if no other one was seen since.
    pub(super) fn said_by(&self, nonce: &BootNonce) -> Option<&Record> {
        self.last.as_deref().filter(|record| record.marker().nonce == *nonce)
    }

    /// A record of another run was seen: it tells where that is.
    pub(super) fn on_record(&mut self, record: &Arc<Record>) {
        if self.said_by(&record.marker().nonce).is_none_or(|last| last.total() < record.total()) {
            self.last = Some(record.clone());
        }
        if self.places.len() >= RUNS_MAX {
            self.places.pop_first();
        }
        let places = record.profile().addresses.iter().map(ToString::to_string).collect();
        self.places.insert(record.marker().nonce, places);
    }

    /// Another run wrote above this one: it is named before it is heard, so that it may know.
    pub(super) fn name(&mut self, nonce: BootNonce, heir: bool) {
        let heir = *self.remember(nonce).heir.get_or_insert(heir);
        self.see(Sight { nonce, heir });
    }

    /// A beacon of this identity came; its signature held. `heir` and `child`: whether this run continues from
    /// what that one wrote, and whether that is what its disk held at the start.
    pub(super) fn on_beacon(&mut self, beacon: &Beacon, heir: bool, child: bool) -> Outcome {
        let (theirs, mark) = (beacon.run, beacon.mark());
        if theirs.nonce == self.me.nonce {
            return Outcome::Known;
        }
        let first = !self.is_heard(&theirs.nonce);
        let other = self.remember(theirs.nonce);
        if !first && other.mark >= mark {
            return Outcome::Known;
        }
        other.mark = mark;
        let named = theirs.sees.filter(|sight| sight.nonce == self.me.nonce);
        if first && child && named.is_none() {
            // Every restart hears its previous run once. If that continues, it is another run.
            return Outcome::News;
        }
        let heir = *self.find(theirs.nonce).heir.get_or_insert(heir);
        let news = self.see(Sight { nonce: theirs.nonce, heir });
        match named {
            Some(named) if rank(&self.me, heir) < rank(&theirs, named.heir) => {
                self.yields = true;
                Outcome::Yield
            }
            Some(_) => Outcome::GoOn,
            None if news => Outcome::Name,
            None => Outcome::News,
        }
    }

    /// Names another run. Whether that is news.
    fn see(&mut self, sight: Sight) -> bool {
        let news = self.me.sees != Some(sight) && !self.yields;
        if news {
            self.me.sees = Some(sight);
        }
        news
    }

    fn remember(&mut self, nonce: BootNonce) -> &mut Other {
        if !self.others.iter().any(|other| other.nonce == nonce) {
            if self.others.len() >= RUNS_MAX {
                self.others.pop_front();
            }
            self.others.push_back(Other { nonce, mark: (0, 0), heir: None });
        }
        self.find(nonce)
    }

    fn find(&mut self, nonce: BootNonce) -> &mut Other {
        let found = self.others.iter_mut().find(|other| other.nonce == nonce);
        found.expect("it was put in just before")
    }
}

/// The greater one continues.
const fn rank(run: &Run, heir: bool) -> (bool, u64, BootNonce) {
    (!heir, run.born, run.nonce)
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use crux_crdt::Digest;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// One run in a test's hands.
    struct Side {
        twins: Twins,
        counter: u64,
        yields: bool,
    }

    impl Side {
        fn new(rng: &mut StdRng, number: u8) -> Self {
            // Equal ones meet often.
            let born = rng.random_range(1..4);
            let nonce = [rng.random_range(0..3) * 2 + number; 16];
            Self { twins: Twins::new(nonce, born), counter: 0, yields: false }
        }

        fn beacon(&mut self) -> Beacon {
            self.counter += 1;
            let (run, counter) = (self.twins.run(), self.counter);
            let (uptime, state_digest) = (Duration::ZERO, Digest::default());
            Beacon { incarnation: run.born, counter, uptime, state_digest, restart: None, run }
        }

        fn hear(&mut self, beacon: &Beacon, heir: bool, child: bool) {
            self.yields |= self.twins.on_beacon(beacon, heir, child) == Outcome::Yield;
        }
    }

    /// Beacons come late, twice, in any order or not at all, and what a run knows of its past changes meanwhile.
    #[test]
    fn exactly_one_of_two_stops_whichever_way_the_beacons_take() {
        for seed in 0..4_000 {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut sides = [Side::new(&mut rng, 0), Side::new(&mut rng, 1)];
            let child = rng.random_bool(0.3);
            let mut sent: [Vec<Beacon>; 2] = Default::default();
            for _ in 0..rng.random_range(0..30) {
                let to = rng.random_range(0..2);
                let from = 1 - to;
                if rng.random_bool(0.5) {
                    let beacon = sides[from].beacon();
                    sent[from].push(beacon);
                } else if !sent[from].is_empty() {
                    let beacon = sent[from][rng.random_range(0..sent[from].len())].clone();
                    let heir = rng.random_bool(0.5);
                    sides[to].hear(&beacon, heir, child && to == 1);
                }
            }
            for _ in 0..4 {
                for to in [0, 1] {
                    let beacon = sides[1 - to].beacon();
                    sides[to].hear(&beacon, rng.random_bool(0.5), child && to == 1);
                }
            }
            let yields = sides.map(|side| side.yields);
            assert!(yields[0] != yields[1], "seed {seed}: {yields:?}");
        }
    }

    /// The last one is the heir of the first, whose beacon came while it listened, and began last; the second one
    /// was cut off until then.
    #[test]
    fn of_three_that_rank_in_a_ring_not_all_stop() {
        let make = |born| {
            let twins = Twins::new([u8::try_from(born).unwrap(); 16], born);
            Side { twins, counter: 0, yields: false }
        };
        let (mut first, mut second, mut last) = (make(5), make(7), make(9));
        let beacon = first.beacon();
        last.hear(&beacon, true, false);
        let beacon = last.beacon();
        first.hear(&beacon, false, false);
        let beacon = first.beacon();
        last.hear(&beacon, true, false);
        assert!(last.yields, "it has three seconds to hand over what it added");
        for _ in 0..4 {
            for (from, to) in [(0, 1), (2, 1), (1, 0), (1, 2), (0, 2), (2, 0)] {
                let all = [&mut first, &mut second, &mut last];
                let beacon = all[from].beacon();
                all[to].hear(&beacon, false, false);
            }
        }
        assert!(!second.yields, "nobody stops for one that stops");
        // The last one is gone.
        for _ in 0..4 {
            let beacon = first.beacon();
            second.hear(&beacon, false, false);
            let beacon = second.beacon();
            first.hear(&beacon, false, false);
        }
        assert!(first.yields && !second.yields);
    }

    /// A run that ended before this one began cannot name it.
    #[test]
    fn what_is_over_stops_nobody() {
        let mut rng = StdRng::seed_from_u64(1);
        let (mut now, mut past) = (Side::new(&mut rng, 0), Side::new(&mut rng, 1));
        past.twins.name([77; 16], false);
        for _ in 0..10 {
            let beacon = past.beacon();
            now.hear(&beacon, true, true);
        }
        assert!(!now.yields);
    }

    #[test]
    fn a_copy_that_is_started_again_and_again_is_always_told_apart() {
        let mut rng = StdRng::seed_from_u64(2);
        let mut now = Side::new(&mut rng, 0);
        for number in 0..300_u16 {
            let mut nonce = [9; 16];
            nonce[..2].copy_from_slice(&number.to_be_bytes());
            let mut copy = Side { twins: Twins::new(nonce, 0), counter: 0, yields: false };
            let beacon = copy.beacon();
            now.hear(&beacon, false, false);
            assert_eq!(now.twins.run().sees.map(|sight| sight.nonce), Some(nonce));
            let beacon = now.beacon();
            copy.hear(&beacon, true, true);
            assert!(copy.yields && !now.yields);
            assert!(now.twins.others.len() <= RUNS_MAX);
        }
    }
}
