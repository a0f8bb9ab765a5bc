//! A member that lies about its claim to lead.

use crate::rig::facts;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::Digest;
use crux_crdt::act::Statement;
use crux_crdt::canon::{Canonical, Encoder};
use crux_crdt::record::{Profile, Record};
use crux_crdt::sign::{Identity, Signed};
use crux_protocol::flock::{Answer, Control, Event, Notice, Restored};
use crux_protocol::leader::{CLAIM_LIMIT, CLAIM_STEP, Claim, Response};
use crux_protocol::link::{self, Protocol, Topic, Verdict};

use crate::rig::{Rig, act, admit, command, gossiped, marker, record, sealed_act, who};

const SECOND: Duration = Duration::from_secs(1);
const LAST: u64 = CLAIM_LIMIT - 1;

fn liar() -> Arc<Identity> {
    who(2)
}

fn claiming(by: &Identity, incarnation: u64, claim: u64) -> Arc<Record> {
    record(by, marker(incarnation), Profile { claim, ..Profile::default() })
}

fn rig() -> Rig {
    Rig::with_member(&liar(), Profile::default())
}

/// The answer to a command of the liar.
fn commands(rig: &mut Rig, body: Vec<u8>) -> Response {
    let reply = rig.request(liar().principal(), Protocol::Call, body).expect("an answer");
    Response::decode(&reply).expect("well made")
}

fn goes(rig: &mut Rig, who: &Identity) {
    let peer = who.principal();
    rig.give(Event::Link(link::Event::Disconnected { peer }));
    rig.run(SECOND * 60);
}

/// The claim under which a leader's command runs.
fn pings(rig: &mut Rig) -> Claim {
    match rig.control(Control::LeaderPing) {
        Some(Ok(Answer::Pinged(pinged))) => pinged.claim,
        other => panic!("{other:?}"),
    }
}

/// A disk on which a build that knew no bound left the last fence, of the liar.
fn poisoned() -> Restored {
    let (me, liar) = (who(1), liar());
    Restored {
        facts: facts([admit(&me, &liar), admit(&liar, &me)], [claiming(&liar, 1, 0)]),
        fence: Some(Claim { n: LAST, principal: liar.principal() }),
        ..Restored::default()
    }
}

#[test]
fn one_command_under_the_last_claim_does_not_end_leadership() {
    let mut rig = rig();
    let last = claiming(&liar(), 2, LAST);
    assert_eq!(commands(&mut rig, command(&last)), Response::Beyond);
    assert_eq!(rig.state.fence(), None);
    // So far above is an honest leader of an old flock, too, to a newcomer.
    let accused = |it: &Notice| matches!(it, Notice::Misbehaved { .. });
    assert!(!rig.notices.iter().any(accused), "{:?}", rig.notices);
    goes(&mut rig, &liar());
    assert_eq!(pings(&mut rig).principal, rig.state.me());
}

#[test]
fn a_command_counts_only_for_a_claim_that_its_sender_signed() {
    let mut rig = rig();
    let signed = claiming(&liar(), 2, 3);
    let mut forged = Encoder::default();
    forged.u8(1);
    signed.header().seal(&mut forged);
    forged.bytes(&Profile { claim: 9, ..Profile::default() }.to_canonical());
    assert_eq!(commands(&mut rig, forged.finish()), Response::NotLeading);
    let none = record(&liar(), marker(2), Profile::default());
    let mut without = Encoder::default();
    without.u8(1);
    none.header().seal(&mut without);
    without.bytes(&none.profile().to_canonical());
    assert_eq!(commands(&mut rig, without.finish()), Response::NotLeading);
    let mut unsigned = Encoder::default();
    unsigned.u8(1);
    Signed::sign(signed.header().value().clone(), &Digest([8; 32]), &liar()).seal(&mut unsigned);
    unsigned.bytes(&signed.profile().to_canonical());
    assert_eq!(commands(&mut rig, unsigned.finish()), Response::NotLeading);
    let stolen = command(&claiming(&who(7), 2, 3));
    assert_eq!(commands(&mut rig, stolen), Response::NotLeading);
    assert_eq!(rig.state.fence(), None);
    assert_eq!(commands(&mut rig, command(&signed)), Response::Accepted);
    assert_eq!(rig.state.fence(), Some(Claim { n: 3, principal: liar().principal() }));
}

/// It leads while it lives, as any member may, and its number does not outlive it.
#[test]
fn whoever_publishes_the_last_claim_leads_while_it_lives_and_commands_nobody() {
    let mut rig = rig();
    let last = claiming(&liar(), 2, LAST);
    let peer = liar().principal();
    assert_eq!(rig.gossip(peer, Topic::Fact, gossiped(&last)), Verdict::Accept);
    assert_eq!(rig.state.leader(), Some(Claim { n: LAST, principal: peer }));
    assert_eq!(commands(&mut rig, command(&last)), Response::Beyond);
    goes(&mut rig, &liar());
    let own = pings(&mut rig);
    assert!(own.n < 10 && own.principal == rig.state.me(), "{own:?}");
    assert_eq!(rig.control(Control::Forget(peer)), Some(Ok(Answer::Done)));
    rig.run(SECOND * 60);
    assert_eq!(pings(&mut rig), own);
}

/// Neither records nor commands, however many, raise a claim faster than time does.
#[test]
fn a_claim_that_is_raised_step_by_step_gains_a_step_a_second() {
    let mut rig = rig();
    let (peer, start, mut step) = (liar().principal(), rig.now, 1);
    for incarnation in 2..202 {
        let raised = claiming(&liar(), incarnation, step * CLAIM_STEP);
        assert_eq!(rig.gossip(peer, Topic::Fact, gossiped(&raised)), Verdict::Accept);
        step += u64::from(commands(&mut rig, command(&raised)) == Response::Accepted);
        rig.run(Duration::from_millis(50));
    }
    let (seconds, accepted) = (rig.now.since(start).as_secs(), step - 1);
    assert!((seconds..=seconds + 1).contains(&accepted), "{accepted} steps in {seconds} s");
}

/// A refusal names a greater claim, and nobody signed that.
#[test]
fn a_refusal_that_names_the_last_claim_is_not_outdone() {
    let mut rig = rig();
    rig.run(Duration::from_millis(1_500));
    let before = rig.own().expect("it speaks").profile().claim;
    rig.links.clear();
    assert!(rig.control(Control::LeaderPing).is_none(), "the liar is asked");
    let asked = rig.links.iter().find_map(|command| match command {
        link::Command::Request { id, protocol: Protocol::Call, .. } => Some(*id),
        _ => None,
    });
    let held = Response::Held(Claim { n: LAST, principal: liar().principal() });
    let (id, peer) = (asked.expect("a command"), liar().principal());
    rig.give(Event::Link(link::Event::Response { id, peer, body: held.encode() }));
    rig.run(SECOND * 60);
    assert_eq!(rig.own().expect("it speaks").profile().claim, before);
}

#[test]
fn a_fence_whose_holder_is_forgotten_is_forgotten_for_good() {
    let mut rig = Rig::restored(poisoned());
    rig.run(SECOND * 60);
    let refused = rig.control(Control::LeaderPing);
    assert!(matches!(refused, Some(Err(_))), "the fence is held: {refused:?}");
    assert_eq!(rig.control(Control::Forget(liar().principal())), Some(Ok(Answer::Done)));
    rig.run(SECOND * 4);
    assert_eq!(rig.state.fence().map(|fence| fence.n), Some(LAST), "it may come back");
    rig.run(SECOND * 3);
    assert_eq!(rig.state.fence(), None);
    assert!(pings(&mut rig).n < 10);
    let forgotten = rig.written.iter().filter_map(|batch| batch.forgotten);
    let fence = Claim { n: LAST, principal: liar().principal() };
    assert_eq!(forgotten.collect::<Vec<_>>(), [fence], "on the disk, once");
}

#[test]
fn a_node_that_starts_with_the_fence_of_one_that_was_retired_recovers() {
    let mut restored = poisoned();
    let retire = Statement::Retire { subject: liar().principal(), incarnation: 1 };
    restored.facts.push(act(&who(1), 2, retire).into());
    let mut rig = Rig::restored(restored);
    rig.run(SECOND * 10);
    assert_eq!(rig.state.fence(), None);
    assert!(pings(&mut rig).n < 10);
}

/// A lie about a leader that lives: it is retired in the record of all, and undoes that.
#[test]
fn the_fence_of_a_live_holder_is_kept_whoever_says_that_it_is_gone() {
    let (me, liar, leader) = (who(1), liar(), who(3));
    let acts = vec![
        admit(&me, &liar),
        admit(&liar, &me),
        act(&me, 2, Statement::admit(leader.principal(), 2)),
    ];
    let records = vec![claiming(&liar, 1, 0), claiming(&leader, 1, 7)];
    let mut rig = Rig::restored(Restored { facts: facts(acts, records), ..Restored::default() });
    rig.connect(liar.principal(), true);
    rig.connect(leader.principal(), true);
    rig.run(SECOND * 3);
    let fence = Claim { n: 7, principal: leader.principal() };
    rig.request(leader.principal(), Protocol::Call, command(&claiming(&leader, 1, 7)));
    assert_eq!(rig.state.fence(), Some(fence));
    for incarnation in 1..6 {
        let lie = Statement::Retire { subject: leader.principal(), incarnation };
        let lie = sealed_act(&act(&liar, 1 + incarnation, lie));
        assert_eq!(rig.gossip(liar.principal(), Topic::Fact, lie), Verdict::Accept);
        if incarnation == 3 {
            let peer = leader.principal();
            rig.give(Event::Link(link::Event::Disconnected { peer }));
        }
        // While it is linked it may take as long as it likes.
        rig.run(if incarnation < 3 { SECOND * 20 } else { SECOND * 4 });
        assert_eq!(rig.state.fence(), Some(fence));
        let back = gossiped(&claiming(&leader, incarnation + 1, 7));
        assert_eq!(rig.gossip(liar.principal(), Topic::Fact, back), Verdict::Accept);
        rig.run(SECOND * 20);
        assert_eq!(rig.state.fence(), Some(fence), "dead, and not departed");
    }
}

/// The clamp of earlier builds at the end of all numbers left it in records of the honest, too.
#[test]
fn a_node_that_once_claimed_above_a_lie_clears_that() {
    let me = who(1);
    let own = claiming(&me, 1, LAST);
    let mut rig = Rig::restored(Restored { facts: facts([], [own]), ..Restored::default() });
    rig.run(SECOND * 10);
    assert!(pings(&mut rig).n < 10);
}

/// A plan that counts carries a term that no profile has any more.
#[test]
fn a_leader_whose_plans_count_less_takes_a_greater_term_once_the_other_had_its_time() {
    let mut rig = rig();
    goes(&mut rig, &liar());
    let own = pings(&mut rig).n;
    let outbid = |rig: &mut Rig, claim| {
        assert_eq!(rig.control(Control::Outbid(claim)), Some(Ok(Answer::Done)));
        rig.run(SECOND * 2);
        assert_eq!(pings(rig).n, own, "its holder may be heard yet");
        rig.run(SECOND * 4);
        pings(rig).n
    };
    let of = |by: &Identity, n| Claim { n, principal: by.principal() };
    assert_eq!(outbid(&mut rig, of(&who(9), own + 7)), own, "a stranger's");
    assert_eq!(outbid(&mut rig, of(&liar(), LAST)), own, "out of reach");
    assert_eq!(rig.state.greatest_term(), own + CLAIM_STEP);
    assert_eq!(outbid(&mut rig, of(&liar(), own + 7)), own + 8);
}
