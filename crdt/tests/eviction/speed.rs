//! How long an eviction takes to be taken in. Goals, in a release build: 5 ms with 1,000 members and 50 evictions,
//! 80 ms with 10,000 members.
//!
//!     cargo test --release -p crux-crdt --test eviction speed -- --nocapture

use std::time::Instant;

use crux_crdt::Principal;

use crate::histories::Random;
use crate::world::*;

#[expect(clippy::disallowed_methods, reason = "a test that measures reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// A tree of so many members, of which so many were evicted one after the other.
fn time(count: usize, evictions: usize) {
    let mut random = Random::new(1);
    let all: Vec<_> = (0..count).map(|n| key(&format!("member {n}"))).collect();
    let joins = (1..count).flat_map(|n| join(&all[random.below(n)], &all[n], n as u64));
    let mut strew = replica(&all[0], &joins.collect::<Vec<_>>());
    let subjects: Vec<Principal> = (0..evictions).map(|n| all[n * count / evictions + 1]).collect();
    let (mut last, mut longest) = (Default::default(), Default::default());
    for (number, subject) in (1..).zip(&subjects) {
        let act = evict_at(&strew, number, subject);
        let start = now();
        strew.merge_act(act);
        last = start.elapsed();
        longest = last.max(longest);
    }
    println!(
        "{count} members, {evictions} evictions: the last took {last:?}, the longest {longest:?}"
    );
    assert_eq!(strew.membership().members().count(), count - evictions);
    assert_eq!(strew.membership().reached().count(), count);
}

#[test]
fn of_a_thousand_members() {
    time(1_000, 50);
}

#[test]
fn of_ten_thousand_members() {
    time(10_000, 50);
}
