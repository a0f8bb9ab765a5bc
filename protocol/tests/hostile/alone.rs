//! A node that is alone, and whoever finds it.

use std::time::Duration;

use crate::join_by_hand::join;
use crate::rig::{Rig, who};

/// What a node claims that led alone, after somebody joined through it.
fn claim_after_join(joiner_is_alone: bool) -> u64 {
    let mut rig = Rig::new();
    assert_eq!(rig.own().map(|own| own.profile().claim), Some(1), "it leads itself");
    let joiner = who(2);
    rig.connect(joiner.principal(), false);
    join(&mut rig, &joiner, joiner_is_alone);
    rig.run(Duration::from_secs(1));
    rig.own().expect("it speaks").profile().claim
}

/// A first node that is made anew is told of nobody, and the rest of its flock dials it.
#[test]
fn who_leads_alone_leaves_its_claim_behind_when_a_flock_comes_to_it() {
    assert_eq!(claim_after_join(false), 0);
}

#[test]
fn who_leads_alone_leads_whoever_comes_alone() {
    assert_eq!(claim_after_join(true), 1);
}
