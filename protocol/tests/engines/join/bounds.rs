//! What a sponsor keeps, and what it does for whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crux_crdt::act::{Act, After, Statement};
use crux_crdt::sign::{Ed25519, Identity, Signed, Verifier};
use crux_crdt::{Digest, Principal};
use crux_protocol::context::Context;
use crux_protocol::genesis::{InitialSecret, JoinKey};
use crux_protocol::join::{Chain, Config, Hello, Output, Refusal, Request, Response, State};
use crux_protocol::link::ReplyId;
use crux_protocol::time::Instant;
use rand::SeedableRng;
use rand::rngs::StdRng;
use zeroize::Zeroizing;

use super::{
    JOINER, SPONSOR, Side, admitting, call, failed, forged, hello, pair, proof, refused, replied,
    sent,
};
use crate::fixture::{FLOCK, admission, at, context, identity, principal, strew};

#[test]
fn one_guest_too_many_is_told_to_come_later() {
    let config = Config { guests_max: 1, ..Config::default() };
    let mut sponsor = Side::new(SPONSOR, 3, config);
    let mut joiners = [JOINER, 3].map(|number| Side::new(number, 3, Config::default()));
    let mut prove = |place: usize, number: u8, sponsor: &mut Side| {
        let joiner = &mut joiners[place];
        joiner.engine.on_disconnected(principal(SPONSOR));
        let hello = hello(joiner);
        let challenge = replied(&sponsor.ask(number, 1, &hello), 1);
        let proof = sent(&joiner.answer(SPONSOR, false, &challenge), SPONSOR);
        sponsor.ask(number, 2, &proof)
    };
    let called = |out: &[Output]| matches!(out, [Output::Vouch(_), Output::Call { .. }]);
    assert!(called(&prove(0, JOINER, &mut sponsor)));
    assert_eq!(refused(&prove(1, 3, &mut sponsor)), Refusal::Busy);
    // A joiner that is in keeps its place, though it begins once more: the first proof is answered,
    // and the call that is under way is enough.
    let out = prove(0, JOINER, &mut sponsor);
    let [Output::Reply { id: ReplyId(2), response }, Output::Vouch(_)] = &out[..] else {
        panic!("{out:?}")
    };
    assert!(matches!(response, Response::Refused(Refusal::Unexpected)), "{response:?}");
    // A place is free with the link of its guest.
    sponsor.engine.on_disconnected(principal(JOINER));
    assert!(called(&prove(1, 3, &mut sponsor)));
}

#[test]
fn strangers_without_the_key_take_nobodys_place() {
    let (mut joiner, mut sponsor) = pair();
    let hello_of = |number: u8| {
        Request::Hello(Hello {
            nonce: [number; 32],
            name: Some("n9".parse().unwrap()),
            addresses: vec!["10.0.0.1:4000".parse().unwrap()],
            agreement_key: [5; 32],
            incarnation: 1,
            alone: true,
            after: After::default(),
        })
    };
    for stranger in 0..=u8::MAX {
        if [JOINER, SPONSOR].contains(&stranger) {
            continue;
        }
        let hello = hello_of(stranger);
        let Response::Challenge { nonce, .. } = replied(&sponsor.ask(stranger, 1, &hello), 1)
        else {
            panic!("no challenge")
        };
        if stranger % 2 == 0 {
            let Request::Hello(hello) = hello else { unreachable!() };
            let proof = Request::Proof { hello, nonce, proof: [stranger; 32] };
            let out = sponsor.ask(stranger, 2, &proof);
            assert_eq!(failed(&out, stranger, false), (Refusal::Secret, true));
        }
        assert_eq!(sponsor.engine.under_way(), 0, "nothing is kept");
    }
    assert_eq!(sponsor.engine.deadline(), Instant::NEVER);
    assert_eq!(admitting(&mut joiner, &mut sponsor), None);
}

#[test]
fn a_proof_is_worth_nothing_elsewhere_and_later() {
    let (mut joiner, mut sponsor) = pair();
    let proof = proof(&mut joiner, &mut sponsor);
    let worthless = |out: Vec<Output>| assert_eq!(refused(&out), Refusal::Unexpected);
    // To another joiner, to another sponsor, and to the same one after a restart.
    worthless(sponsor.ask(3, 4, &proof));
    let [mut other, mut again] = [4, SPONSOR].map(|number| Side::new(number, 3, Config::default()));
    for (number, side) in [(4, &mut other), (SPONSOR, &mut again)] {
        side.rng = StdRng::seed_from_u64(u64::from(number) + 77);
        worthless(side.ask(JOINER, 4, &proof));
        replied(&side.ask(JOINER, 5, &hello(&mut Side::new(JOINER, 3, Config::default()))), 5);
        worthless(side.ask(JOINER, 6, &proof));
    }
    // With another hello or another nonce than the challenge was made for.
    worthless(sponsor.ask(JOINER, 4, &forged(&proof, |nonce, _| nonce[0] ^= 1)));
    let Request::Proof { mut hello, nonce, proof: mac } = proof.clone() else { panic!("a proof") };
    hello.alone = !hello.alone;
    worthless(sponsor.ask(JOINER, 4, &Request::Proof { hello, nonce, proof: mac }));
    // Too late.
    sponsor.now = at(20_000);
    worthless(sponsor.ask(JOINER, 4, &proof));
    // In time, once.
    sponsor.now = at(19_999);
    assert_eq!(sponsor.ask(JOINER, 4, &proof).len(), 2);
    worthless(sponsor.ask(JOINER, 5, &proof));
}

#[test]
fn a_chain_that_leads_elsewhere_is_refused() {
    let mut sponsor = pair().1;
    sponsor.strew = strew(SPONSOR, 2);
    let leave = Act {
        number: 1,
        previous: Digest::default(),
        statement: Statement::Leave { incarnation: 1 },
    };
    let leave = std::sync::Arc::new(Signed::sign(leave, &FLOCK, &identity(SPONSOR)));
    for chain in [
        vec![],
        vec![admission(3, 4)],
        vec![admission(SPONSOR, 3)],
        vec![admission(SPONSOR, 3), admission(SPONSOR, 4)],
        vec![leave],
    ] {
        let out = sponsor.ask(4, 1, &Request::Present(Chain::of(&chain)));
        assert_eq!(refused(&out), Refusal::Chain);
    }
    let whole = vec![admission(SPONSOR, 3), admission(3, 4)];
    assert_eq!(sponsor.ask(4, 2, &Request::Present(Chain::of(&whole))).len(), 2);
}

/// The joiner begins once more, up to its proof.
fn prove_again(joiner: &mut Side, sponsor: &mut Side, id: u64) -> Vec<Output> {
    joiner.engine.on_disconnected(principal(SPONSOR));
    let proof = proof(joiner, sponsor);
    sponsor.ask(JOINER, id, &proof)
}

#[test]
fn a_joiner_is_called_once_at_a_time_however_often_it_proves_the_key() {
    let (mut joiner, mut sponsor) = pair();
    call(&mut joiner, &mut sponsor);
    let mut last = 3;
    let mut take_over = |joiner: &mut Side, sponsor: &mut Side, id: u64| {
        let out = prove_again(joiner, sponsor, id);
        let [Output::Reply { id: ReplyId(answered), response }, Output::Vouch(_)] = &out[..] else {
            panic!("{out:?}")
        };
        assert!(matches!(response, Response::Refused(Refusal::Unexpected)), "{response:?}");
        assert_eq!(*answered, std::mem::replace(&mut last, id), "the one before is answered");
    };
    (10..30).for_each(|id| take_over(&mut joiner, &mut sponsor, id));
    joiner.addresses = vec!["10.0.0.1:4001"];
    assert_eq!(refused(&prove_again(&mut joiner, &mut sponsor, 30)), Refusal::Busy);
    joiner.addresses = vec!["10.0.0.1:4000"];
    take_over(&mut joiner, &mut sponsor, 31);
    // The call is answered, and the handshake that goes on is the last one.
    let callback = sent(&sponsor.engine.on_called(principal(JOINER), true), JOINER);
    let signature = replied(&joiner.ask(SPONSOR, 4, &callback), 4);
    assert_eq!(refused(&prove_again(&mut joiner, &mut sponsor, 32)), Refusal::Busy);
    let out = sponsor.answer(JOINER, true, &signature);
    assert!(matches!(out[..], [Output::Admit { .. }]), "{out:?}");
    assert_eq!(refused(&prove_again(&mut joiner, &mut sponsor, 33)), Refusal::Busy);
    let act = Some(admission(SPONSOR, JOINER));
    let welcome = replied(&sponsor.engine.on_signed(principal(JOINER), false, act), 31);
    assert!(matches!(welcome, Response::Welcome { .. }));
}

#[test]
fn two_host_names_of_a_joiner_are_looked_up_and_no_more() {
    let (mut joiner, mut sponsor) = pair();
    joiner.addresses = vec!["a.test:1", "b.test:1", "c.test:1", "10.0.0.1:4000", "d.test:1"];
    let proof = proof(&mut joiner, &mut sponsor);
    let out = sponsor.ask(JOINER, 3, &proof);
    let [_, Output::Call { addrs, .. }] = &out[..] else { panic!("{out:?}") };
    let called: Vec<_> = addrs.iter().map(ToString::to_string).collect();
    assert_eq!(called, ["a.test:1", "b.test:1", "10.0.0.1:4000"]);
}

/// Counts what is checked.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Counting {
    /// How many since it was asked last.
    fn cost(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Verifier for Counting {
    fn verify(&self, author: &Principal, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ed25519.verify(author, message, signature)
    }
}

/// Presents a chain in which the signatures of these acts are changed.
fn present(
    side: &mut Side,
    peer: Principal,
    chain: &[Arc<Signed<Act>>],
    forged: &[Arc<Signed<Act>>],
) -> Vec<Output> {
    let mut body = Request::Present(Chain::of(chain)).encode();
    for act in forged {
        let at = body.windows(64).position(|bytes| bytes == act.signature()).unwrap();
        body[at] ^= 1;
    }
    side.facts(|engine, facts, rng, now| {
        engine.on_request(peer, ReplyId(1), &body, now, facts, rng)
    })
}

/// A sponsor in a flock of three that counts what it checks.
fn counting() -> (Side, Arc<Counting>) {
    let checked = Arc::new(Counting::default());
    let mut sponsor = pair().1;
    let context = Context { verifier: checked.clone(), ..context(SPONSOR) };
    let key = JoinKey::initial(&InitialSecret::new(Zeroizing::new([3; 32])));
    sponsor.engine = State::new(Config::default(), context, identity(SPONSOR), key);
    sponsor.strew = strew(SPONSOR, 3);
    (sponsor, checked)
}

/// An admission under a key that this test has, of another one.
fn admits(by: &Identity, subject: Principal) -> Arc<Signed<Act>> {
    let statement = Statement::admit(subject, 1);
    Arc::new(Signed::sign(Act { number: 1, previous: Digest::default(), statement }, &FLOCK, by))
}

/// So many keys, each admitted by the one before, and the first of them by node 3.
fn admitted(length: u8) -> (Vec<Arc<Signed<Act>>>, Principal) {
    let (mut by, mut chain) = (Identity::from_seed(&[3; 32]), Vec::new());
    for number in 0..length {
        let mut seed = [9; 32];
        seed[0] = number;
        let next = Identity::from_seed(&seed);
        chain.push(admits(&by, next.principal()));
        by = next;
    }
    (chain, by.principal())
}

#[test]
fn a_chain_costs_a_check_for_each_act_that_is_new_and_follows_from_one_that_held() {
    let (mut sponsor, checked) = counting();
    // From a peer without a member's key: for itself, with a signature that does not hold.
    let stranger = Identity::from_seed(&[77; 32]).principal();
    let (chain, last) = admitted(200);
    let first = [admits(&identity(3), stranger)];
    assert_eq!(refused(&present(&mut sponsor, stranger, &first, &first)), Refusal::Chain);
    assert_eq!(checked.cost(), 1);
    // Nothing is checked behind one that does not hold.
    assert_eq!(refused(&present(&mut sponsor, last, &chain, &chain[..1])), Refusal::Chain);
    assert_eq!(checked.cost(), 1);
    // A replica that is full takes nobody in.
    sponsor.full = true;
    assert_eq!(refused(&present(&mut sponsor, last, &chain, &[])), Refusal::Full);
    assert_eq!(checked.cost(), 0);
    sponsor.full = false;
    let out = present(&mut sponsor, last, &chain, &[]);
    assert!(matches!(&out[..], [Output::Merge(acts), Output::Reply { .. }] if acts.len() == 200));
    assert_eq!(checked.cost(), 200);
}

/// It is known from its id that they are the same, and what is held was checked when it came.
#[test]
fn acts_that_are_held_cost_no_check_whatever_signature_comes_with_them() {
    let (mut sponsor, checked) = counting();
    let known = [admission(SPONSOR, 3)];
    let around = [known[0].clone(), admission(3, SPONSOR), known[0].clone()];
    for forged in [&[][..], &known] {
        for chain in [&known[..], &around] {
            let out = present(&mut sponsor, principal(3), chain, forged);
            assert!(matches!(replied(&out, 1), Response::Done));
        }
        assert_eq!(checked.cost(), 0);
    }
    // A newcomer's chain costs what is new in it: its sponsor's place here was checked before.
    let chain = [known[0].clone(), admission(3, 50)];
    for forged in [&known[..], &[]] {
        let out = present(&mut sponsor, principal(50), &chain, forged);
        let [Output::Merge(acts), Output::Reply { .. }] = &out[..] else { panic!("{out:?}") };
        assert_eq!(acts[0].signature(), known[0].signature(), "the one that is held");
        assert_eq!(checked.cost(), 1);
    }
}

/// Somebody who saw the chains of others presents them.
#[test]
fn a_chain_that_leads_to_somebody_else_costs_no_check() {
    let (mut sponsor, checked) = counting();
    let (chain, _) = admitted(200);
    let other = Identity::from_seed(&[77; 32]);
    let gap = [&chain[..1], &[admits(&other, principal(9))]].concat();
    for chain in [&chain[..], &[admission(3, 4)], &[admission(SPONSOR, 3), admission(3, 4)], &gap] {
        assert_eq!(refused(&present(&mut sponsor, principal(9), chain, &[])), Refusal::Chain);
        assert_eq!(checked.cost(), 0);
    }
}

#[test]
fn a_chain_of_which_only_the_last_signature_does_not_hold_is_checked_so_often() {
    let (mut sponsor, checked) = counting();
    let (chain, last) = admitted(200);
    let ask = |sponsor: &mut Side| refused(&present(sponsor, last, &chain, &chain[199..]));
    let answers: Vec<_> = (0..100).map(|_| ask(&mut sponsor)).collect();
    let whole = answers.iter().filter(|answer| **answer == Refusal::Chain).count();
    assert_eq!(whole, 5);
    assert_eq!(answers[50..], [Refusal::Busy; 50], "who has a member's key, or had");
    assert_eq!(checked.cost(), 1024 + 100);
    // One whose sponsor is known here gets in all the same.
    let newcomer = Request::Present(Chain::of(&[admission(3, 50)]));
    let out = sponsor.ask(50, 2, &newcomer);
    assert!(matches!(&out[..], [Output::Merge(_), Output::Reply { .. }]), "{out:?}");
    // A second later there are some more.
    sponsor.now = at(1_000);
    checked.cost();
    ask(&mut sponsor);
    ask(&mut sponsor);
    assert_eq!(checked.cost(), 256 + 2);
}
