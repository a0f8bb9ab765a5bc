use crux_crdt::Digest;
use crux_crdt::strew::Seniority;
use crux_protocol::leader::{CLAIM_LIMIT, CLAIM_STEP, Candidate, Claim, Config, Refused, State};
use crux_protocol::liveness::Liveness;
use crux_protocol::time::Instant;

use crate::fixture::{at, principal};

fn member(number: u8, claim: u64) -> Candidate {
    Candidate {
        principal: principal(number),
        claim,
        seniority: Seniority { generation: u64::from(number), admission: Digest([number; 32]) },
        liveness: Liveness::Alive,
        eligible: true,
    }
}

fn dead(number: u8, claim: u64) -> Candidate {
    Candidate { liveness: Liveness::Dead, ..member(number, claim) }
}

fn engine(me: u8) -> State {
    State::new(Config::default(), principal(me), None, false, at(0))
}

fn claim(n: u64, number: u8) -> Claim {
    Claim { n, principal: principal(number) }
}

#[test]
fn the_most_senior_claims_at_once_and_each_next_one_300_ms_later() {
    let members = [member(1, 0), member(2, 0), member(3, 0)];
    assert_eq!(engine(1).evaluate(&members, at(1000)), Some(1));
    let mut third = engine(3);
    assert_eq!(third.evaluate(&members, at(1000)), None);
    assert_eq!(third.deadline(), at(1600));
    assert_eq!(third.evaluate(&members, at(1599)), None);
    assert_eq!(third.evaluate(&members, at(1600)), Some(1));
}

#[test]
fn who_expects_others_waits_two_seconds_after_its_start() {
    let mut state = State::new(Config::default(), principal(1), None, true, at(0));
    assert_eq!(state.evaluate(&[member(1, 0)], at(100)), None);
    assert_eq!(state.deadline(), at(2000));
    assert_eq!(state.evaluate(&[member(1, 0)], at(2000)), Some(1));
}

/// A member claims and drains: one that lies does both for as long as it likes.
#[test]
fn a_claim_of_one_that_drains_keeps_nobody_from_leading() {
    let drains = Candidate { eligible: false, ..member(2, 9) };
    let mut state = engine(1);
    assert_eq!(state.evaluate(&[member(1, 0), drains], at(5000)), Some(10));
    let leading = [member(1, 10), drains];
    assert_eq!(state.evaluate(&leading, at(5001)), None);
    assert_eq!(state.leader(), Some(claim(10, 1)));
    // And outbids it, if it claims above that.
    let above = Candidate { claim: 20, ..drains };
    assert_eq!(state.evaluate(&[member(1, 10), above], at(5002)), None);
    assert_eq!(state.leader(), Some(claim(10, 1)));
    assert_eq!(state.evaluate(&[member(1, 10), above], at(15_000)), Some(21));
    // Its own claim is cleared by the one that drains itself.
    let mut state = engine(2);
    assert_eq!(state.evaluate(&[member(1, 0), drains], at(5000)), Some(0));
}

#[test]
fn a_standing_claim_keeps_everyone_from_claiming_and_a_join_changes_nothing() {
    let mut state = engine(1);
    assert_eq!(state.evaluate(&[member(1, 0), member(2, 4)], at(5000)), None);
    assert_eq!(state.leader(), Some(claim(4, 2)));
    let joined = [member(1, 0), member(2, 4), member(0, 0)];
    assert_eq!(state.evaluate(&joined, at(9000)), None);
    assert_eq!(state.leader(), Some(claim(4, 2)));
}

#[test]
fn a_suspect_holder_does_not_lead_and_is_not_replaced() {
    let mut state = engine(1);
    let suspect = Candidate { liveness: Liveness::Suspect, ..member(2, 4) };
    assert_eq!(state.evaluate(&[member(1, 0), suspect], at(5000)), None);
    assert_eq!(state.leader(), None);
}

#[test]
fn a_dead_holder_is_outdone_by_one_and_does_not_lead_when_it_returns() {
    let mut state = engine(1);
    assert_eq!(state.evaluate(&[member(1, 0), dead(2, 4)], at(5000)), Some(5));
    assert_eq!(state.evaluate(&[member(1, 5), dead(2, 4)], at(5010)), None);
    assert_eq!(state.leader(), Some(claim(5, 1)));
    assert_eq!(state.evaluate(&[member(1, 5), member(2, 4)], at(6000)), None);
    assert_eq!(state.leader(), Some(claim(5, 1)));
}

#[test]
fn who_holds_the_smaller_of_two_live_claims_clears_it() {
    assert_eq!(engine(1).evaluate(&[member(1, 3), member(2, 4)], at(5000)), Some(0));
    let (low, high) = if principal(1) < principal(2) { (1, 2) } else { (2, 1) };
    let tie = [member(1, 4), member(2, 4)];
    assert_eq!(engine(low).evaluate(&tie, at(5000)), Some(0));
    assert_eq!(engine(high).evaluate(&tie, at(5000)), None);
}

#[test]
fn a_leader_that_meets_a_greater_claim_of_a_dead_member_claims_above_it() {
    let mut state = engine(1);
    assert_eq!(state.evaluate(&[member(1, 3), dead(2, 7)], at(5000)), None);
    assert_eq!(state.deadline(), at(8000));
    assert_eq!(state.evaluate(&[member(1, 3), dead(2, 7)], at(7999)), None);
    assert_eq!(state.evaluate(&[member(1, 3), dead(2, 7)], at(8000)), Some(8));
    let mut refused = engine(1);
    refused.on_greater(claim(9, 3), at(1000));
    assert_eq!(refused.evaluate(&[member(1, 3)], at(5000)), None);
    assert_eq!(refused.evaluate(&[member(1, 3)], at(8000)), Some(10));
}

/// The greater one's holder died right after its command, and its record came to nobody.
#[test]
fn who_obeyed_a_greater_claim_than_its_leader_knows_of_claims_above_it() {
    let members = [member(1, 3), member(2, 0), member(3, 0)];
    let mut state = engine(3);
    state.set_fence(claim(7, 9));
    assert_eq!(state.evaluate(&members, at(5000)), None);
    assert_eq!(
        state.deadline(),
        at(11_600),
        "the leader has three seconds, and two are more senior"
    );
    assert_eq!(state.evaluate(&members, at(11_599)), None);
    assert_eq!(state.evaluate(&members, at(11_600)), Some(8));
    // Not if the leader did.
    let mut other = engine(2);
    other.set_fence(claim(7, 9));
    assert_eq!(other.evaluate(&members, at(5000)), None);
    let raised = [member(1, 8), member(2, 0), member(3, 0)];
    assert_eq!(other.evaluate(&raised, at(8000)), None);
    assert_eq!(other.evaluate(&raised, at(20_000)), None);
    assert_eq!(other.leader(), Some(claim(8, 1)));
}

/// A leader was replaced while it was down. When it returns, its own claim is still in its profile,
/// and the new leader's record can come before anything is heard of that one.
#[test]
fn a_leader_that_returns_does_not_outbid_one_whose_record_came_before_its_beacon() {
    let mut state = State::new(Config::default(), principal(1), None, true, at(0));
    assert_eq!(state.evaluate(&[member(1, 1), dead(2, 2)], at(100)), None);
    assert_eq!(state.evaluate(&[member(1, 1), dead(2, 2)], at(2000)), None);
    assert_eq!(state.deadline(), at(5000));
    assert_eq!(state.evaluate(&[member(1, 1), member(2, 2)], at(2100)), Some(0));
    assert_eq!(state.leader(), Some(claim(2, 2)));
}

/// It was killed, and restarts as its disk left it: others may have another leader since.
#[test]
fn a_leader_that_restarts_does_not_say_that_it_leads_before_it_knows() {
    let start = || State::new(Config::default(), principal(1), None, true, at(0));
    let replaced = [member(1, 1), dead(2, 2), dead(3, 0)];
    let mut state = start();
    // What is on its disk.
    assert_eq!(state.evaluate(&[member(1, 1), dead(2, 0), dead(3, 0)], at(0)), None);
    assert_eq!((state.leader(), state.deadline()), (None, at(2000)));
    // A third member tells it of the new leader, whom it has not heard yet.
    assert!(state.on_compared());
    assert_eq!(state.evaluate(&replaced, at(10)), None);
    assert_eq!((state.leader(), state.deadline()), (None, at(2000)));
    assert_eq!(state.evaluate(&[member(1, 1), member(2, 2), member(3, 0)], at(15)), Some(0));
    assert_eq!(state.leader(), Some(claim(2, 2)));
    // Nobody replaced it.
    let mut state = start();
    let kept = [member(1, 1), dead(2, 0), dead(3, 0)];
    assert_eq!(state.evaluate(&kept, at(0)), None);
    assert!(state.on_compared() && !state.on_compared());
    assert_eq!(state.evaluate(&kept, at(10)), None);
    assert_eq!((state.leader(), state.deadline()), (Some(claim(1, 1)), Instant::NEVER));
    // Nobody is there.
    let mut state = start();
    assert_eq!(state.evaluate(&replaced, at(1999)), None);
    assert_eq!(state.leader(), None);
    assert_eq!(state.evaluate(&replaced, at(2000)), None);
    assert_eq!(state.leader(), Some(claim(1, 1)));
    // A node that knows nobody and was told of nobody leads at once.
    let mut alone = engine(1);
    assert_eq!(alone.evaluate(&[member(1, 1)], at(0)), None);
    assert_eq!(alone.leader(), Some(claim(1, 1)));
}

/// It joined others while it led: it goes on.
#[test]
fn a_leader_that_holds_off_leads_on() {
    let mut state = engine(1);
    assert_eq!(state.evaluate(&[member(1, 1)], at(5000)), None);
    state.hold_off(at(6000));
    assert_eq!(state.evaluate(&[member(1, 1), member(2, 0)], at(6000)), None);
    assert_eq!(state.leader(), Some(claim(1, 1)));
}

/// The leader is bound by all that it saw; others are not: it is the leader who claims above it.
#[test]
fn a_node_that_does_not_lead_claims_above_what_it_obeyed_and_not_above_what_it_saw() {
    let members = [member(1, 3), dead(2, 7), member(3, 0)];
    let mut state = engine(3);
    for now in [5000, 20_000, 60_000] {
        assert_eq!(state.evaluate(&members, at(now)), None);
        assert_eq!(state.deadline(), Instant::NEVER);
    }
}

#[test]
fn a_fence_never_decreases() {
    let mut state = engine(1);
    assert_eq!(state.check(claim(5, 2), at(0)), Ok(()));
    state.set_fence(claim(5, 2));
    assert_eq!(state.check(claim(4, 3), at(0)), Err(Refused::Held(claim(5, 2))));
    state.set_fence(claim(4, 3));
    assert_eq!(state.fence(), Some(claim(5, 2)));
    assert_eq!(state.check(claim(5, 2), at(0)), Ok(()));
}

#[test]
fn a_command_is_obeyed_up_to_one_step_above_the_greatest_claim_shown() {
    let mut state = engine(1);
    state.evaluate(&[member(1, 0), member(2, 5)], at(1000));
    let now = at(2000);
    assert_eq!(state.check(claim(6 + CLAIM_STEP, 2), now), Err(Refused::Beyond));
    assert_eq!(state.check(claim(CLAIM_LIMIT - 1, 2), now), Err(Refused::Beyond));
    assert_eq!(state.check(claim(5 + CLAIM_STEP, 2), now), Ok(()));
}

/// As a newcomer finds them, or a node that was away for long.
#[test]
fn a_leader_whose_number_is_honestly_large_is_obeyed_within_seconds() {
    let mut state = engine(1);
    let large = 10 * CLAIM_STEP;
    state.evaluate(&[member(1, 0), member(2, large)], at(1000));
    assert_eq!(state.leader(), Some(claim(large, 2)), "at once");
    assert_eq!(state.check(claim(large, 2), at(9_900)), Err(Refused::Beyond));
    assert_eq!(state.check(claim(large, 2), at(10_001)), Ok(()));
}

#[test]
fn a_claim_of_the_dead_is_outdone_only_if_elections_lead_there() {
    let mut state = engine(1);
    let members = [member(1, 0), dead(2, CLAIM_LIMIT - 1), dead(3, 4)];
    assert_eq!(state.evaluate(&members, at(5000)), Some(5));
    let members = [member(1, 5), dead(2, CLAIM_LIMIT - 1), dead(3, 4)];
    assert_eq!(state.evaluate(&members, at(50_000)), None);
    assert_eq!(state.leader(), Some(claim(5, 1)));
}

#[test]
fn a_fence_is_forgotten_once_its_holder_departed_and_stays_away() {
    let mut state = engine(1);
    let members = [member(1, 0)];
    state.set_fence(claim(7, 2));
    let mut look = |departed, unheard, now| {
        state.evaluate(&members, at(now));
        (state.on_holder(departed, unheard, at(now)), state.deadline())
    };
    assert_eq!(look(false, true, 60_000), (None, Instant::NEVER), "dead is not departed");
    assert_eq!(look(true, false, 60_000).0, None, "it lives");
    assert_eq!(look(true, false, 90_000).0, None);
    assert_eq!(look(true, true, 90_000), (None, at(95_000)));
    assert_eq!(look(true, true, 94_999).0, None);
    assert_eq!(look(false, false, 94_999).0, None, "it came back");
    assert_eq!(look(true, true, 95_000), (None, at(100_000)));
    assert_eq!(look(true, true, 100_000).0, Some(claim(7, 2)));
    assert_eq!(state.fence(), Some(claim(7, 2)), "until that is durable");
    state.forget_fence(claim(7, 2));
    assert_eq!(state.fence(), None);
    assert_eq!(state.check(claim(3, 2), at(100_000)), Ok(()));
}

#[test]
fn a_greater_fence_that_was_accepted_meanwhile_is_not_forgotten() {
    let mut state = engine(1);
    state.set_fence(claim(7, 2));
    state.set_fence(claim(8, 3));
    state.forget_fence(claim(7, 2));
    assert_eq!(state.fence(), Some(claim(8, 3)));
    assert_eq!(state.check(claim(7, 2), at(0)), Err(Refused::Held(claim(8, 3))));
}

#[test]
fn authority_lapses_three_seconds_after_the_last_observer_was_heard() {
    let state = engine(1);
    assert!(state.has_authority(None, at(9000)));
    assert!(state.has_authority(Some(at(6001)), at(9000)));
    assert!(!state.has_authority(Some(at(6000)), at(9000)));
}

#[test]
fn a_leader_outdoes_the_equal_number_of_a_greater_member() {
    let (low, high) = if principal(1) < principal(2) { (1, 2) } else { (2, 1) };
    // Both claimed at once, somebody obeyed the greater, and that one died.
    let mut refused = engine(low);
    assert_eq!(refused.evaluate(&[member(low, 4)], at(5000)), None);
    refused.on_greater(claim(4, high), at(5000));
    assert_eq!(refused.evaluate(&[member(low, 4)], at(5000)), None);
    assert_eq!(refused.evaluate(&[member(low, 4)], at(8000)), Some(5));
    let mut other = engine(low);
    assert_eq!(other.evaluate(&[member(low, 4), dead(high, 4)], at(5000)), None);
    assert_eq!(other.evaluate(&[member(low, 4), dead(high, 4)], at(8000)), Some(5));
    assert_eq!(engine(high).evaluate(&[member(high, 4), dead(low, 4)], at(5000)), None);
}

#[test]
fn a_lower_command_is_refused_while_a_greater_one_is_being_written() {
    let mut state = engine(1);
    assert_eq!(state.check(claim(6, 2), at(0)), Ok(()));
    assert_eq!(state.check(claim(5, 3), at(0)), Err(Refused::Held(claim(6, 2))));
    assert_eq!(state.fence(), None, "it is not durable");
    assert_eq!(state.check(claim(6, 2), at(0)), Ok(()), "asked again");
}
