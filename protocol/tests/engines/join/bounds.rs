//! What a sponsor keeps, and what it does for whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crux_crdt::act::{Act, Statement};
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
    // Whoever is in has its place, though it begins once more: the first proof is answered, and the
    // call that is under way is enough.
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

impl Verifier for Counting {
    fn verify(&self, author: &Principal, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ed25519.verify(author, message, signature)
    }
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
    let statement = Statement::Admit { subject, generation: 1 };
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
    let cost = || checked.0.swap(0, Ordering::Relaxed);
    // From a member, and acts that are held.
    let known = Chain::of(&[admission(SPONSOR, 3)]);
    assert!(matches!(replied(&sponsor.ask(3, 1, &Request::Present(known)), 1), Response::Done));
    let elsewhere = Chain::of(&[admission(SPONSOR, 3), admission(3, SPONSOR)]);
    assert_eq!(refused(&sponsor.ask(9, 2, &Request::Present(elsewhere))), Refusal::Chain);
    assert_eq!(cost(), 0);
    // From a peer without a member's key. Each of these acts has another signer than it says.
    let (other, (chain, last)) = (Identity::from_seed(&[77; 32]), admitted(200));
    let beside: Vec<_> = (0..200).map(|_| admits(&other, other.principal())).collect();
    let forged = [vec![beside[0].clone()], [&chain[..1], &beside[..]].concat()];
    for chain in forged {
        let request = Request::Present(Chain::of(&chain));
        assert_eq!(refused(&sponsor.ask(9, 3, &request)), Refusal::Chain);
        assert!(cost() <= 1);
    }
    // A replica that is full takes nobody in.
    let request = Request::Present(Chain::of(&chain));
    let present = |sponsor: &mut Side| {
        let body = request.encode();
        sponsor.facts(|engine, facts, rng, now| {
            engine.on_request(last, ReplyId(4), &body, now, facts, rng)
        })
    };
    sponsor.full = true;
    assert_eq!(refused(&present(&mut sponsor)), Refusal::Full);
    assert_eq!(cost(), 0);
    sponsor.full = false;
    let out = present(&mut sponsor);
    assert!(matches!(&out[..], [Output::Merge(acts), Output::Reply { .. }] if acts.len() == 200));
    assert_eq!(cost(), 200);
}

#[test]
fn a_chain_whose_signatures_hold_and_that_leads_nowhere_is_checked_so_often() {
    let (mut sponsor, checked) = counting();
    let (chain, _) = admitted(200);
    let request = Request::Present(Chain::of(&chain));
    let answers: Vec<_> = (0..100).map(|_| refused(&sponsor.ask(9, 1, &request))).collect();
    let whole = answers.iter().filter(|answer| **answer == Refusal::Chain).count();
    assert_eq!(whole, 5);
    assert_eq!(answers[50..], [Refusal::Busy; 50], "who has a member's key, or had");
    let cost = || checked.0.swap(0, Ordering::Relaxed);
    assert_eq!(cost(), 1024 + 100);
    // One whose sponsor is known here gets in all the same.
    let newcomer = Request::Present(Chain::of(&[admission(3, 50)]));
    let out = sponsor.ask(50, 2, &newcomer);
    assert!(matches!(&out[..], [Output::Merge(_), Output::Reply { .. }]), "{out:?}");
    // A second later there are some more.
    sponsor.now = at(1_000);
    cost();
    sponsor.ask(9, 3, &request);
    sponsor.ask(9, 4, &request);
    assert_eq!(cost(), 256 + 2);
}
