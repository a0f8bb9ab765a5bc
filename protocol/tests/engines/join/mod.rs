mod after;
mod bounds;
mod operator;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crux_crdt::act::After;
use crux_crdt::name::NodeName;
use crux_crdt::record::Profile;
use crux_crdt::strew::{Names, Strew};
use crux_crdt::{Digest, Principal};
use crux_protocol::genesis::{InitialSecret, JoinKey};
use crux_protocol::join::{Config, Facts, Hello, Output, Refusal, Request, Response, State};
use crux_protocol::link::ReplyId;
use crux_protocol::time::Instant;
use rand::rngs::StdRng;
use zeroize::Zeroizing;

use crate::fixture::{
    admission, at, context, identity, named_record, principal, principals, rng, strew,
};

/// One node of a handshake, and what it knows.
struct Side {
    engine: State,
    strew: Strew,
    alive: BTreeSet<Principal>,
    name: Option<NodeName>,
    seen_from: Option<IpAddr>,
    /// Where it says that it is.
    addresses: Vec<&'static str>,
    full: bool,
    rng: StdRng,
    now: Instant,
}

impl Side {
    fn new(number: u8, secret: u8, config: Config) -> Self {
        let key = JoinKey::initial(&InitialSecret::new(Zeroizing::new([secret; 32])));
        Self {
            engine: State::new(config, context(number), identity(number), key),
            strew: Strew::new(principal(number)),
            alive: BTreeSet::new(),
            name: None,
            seen_from: Some([10, 0, 0, 1].into()),
            addresses: vec!["10.0.0.1:4000"],
            full: false,
            rng: rng(),
            now: at(0),
        }
    }

    fn facts<T>(
        &mut self,
        with: impl FnOnce(&mut State, &Facts<'_>, &mut StdRng, Instant) -> T,
    ) -> T {
        let names = Names::derive(&self.strew);
        let facts = Facts {
            strew: &self.strew,
            names: &names,
            is_alive: &|member| self.alive.contains(member),
            hello: Hello {
                nonce: [0; 32],
                name: self.name.clone(),
                addresses: self.addresses.iter().map(|addr| addr.parse().unwrap()).collect(),
                agreement_key: [5; 32],
                incarnation: 1,
                alone: self.strew.membership().members().nth(1).is_none(),
                after: After::default(),
            },
            full: self.full,
            seen_from: &|_| self.seen_from,
        };
        with(&mut self.engine, &facts, &mut self.rng, self.now)
    }

    /// A request comes in.
    fn ask(&mut self, from: u8, id: u64, request: &Request) -> Vec<Output> {
        let (peer, body) = (principal(from), request.encode());
        self.facts(|engine, facts, rng, now| {
            engine.on_request(peer, ReplyId(id), &body, now, facts, rng)
        })
    }

    /// A response comes in.
    fn answer(&mut self, from: u8, calling: bool, response: &Response) -> Vec<Output> {
        let (peer, body) = (principal(from), response.encode());
        self.facts(|engine, facts, rng, now| {
            engine.on_response(peer, calling, &body, now, facts, rng)
        })
    }
}

const JOINER: u8 = 1;
const SPONSOR: u8 = 2;

fn pair() -> (Side, Side) {
    (Side::new(JOINER, 3, Config::default()), Side::new(SPONSOR, 3, Config::default()))
}

/// The only output, a request.
fn sent(out: &[Output], to: u8) -> Request {
    match out {
        [Output::Send { peer, request }] if *peer == principal(to) => request.clone(),
        _ => panic!("not one request: {out:?}"),
    }
}

/// The only output, a reply.
fn replied(out: &[Output], to: u64) -> Response {
    match out {
        [Output::Reply { id: ReplyId(id), response }] if *id == to => response.clone(),
        _ => panic!("not one reply: {out:?}"),
    }
}

/// A proof, with the MAC or the nonce of another one.
fn forged(proof: &Request, change: impl FnOnce(&mut [u8; 32], &mut [u8; 32])) -> Request {
    let Request::Proof { hello, mut nonce, mut proof } = proof.clone() else { panic!("{proof:?}") };
    change(&mut nonce, &mut proof);
    Request::Proof { hello, nonce, proof }
}

/// The only output, a refusal of which nobody is told.
fn refused(out: &[Output]) -> Refusal {
    match out {
        [Output::Reply { response: Response::Refused(refusal), .. }] => *refusal,
        _ => panic!("not one refusal: {out:?}"),
    }
}

/// The end of a handshake, of which whoever runs the node is told; and whether the peer was told.
fn failed(out: &[Output], with: u8, joins: bool) -> (Refusal, bool) {
    let (told, failed) = match out {
        [Output::Reply { response: Response::Refused(told), .. }, failed] => (Some(told), failed),
        [failed] => (None, failed),
        _ => panic!("not the end of a handshake: {out:?}"),
    };
    let Output::Failed { peer, refusal, joining } = failed else { panic!("{out:?}") };
    assert_eq!((*peer, *joining), (principal(with), joins));
    assert!(told.is_none_or(|told| told == refusal));
    (*refusal, told.is_some())
}

/// Up to the joiner's hello.
fn hello(joiner: &mut Side) -> Request {
    let knock = joiner.engine.knock(principal(SPONSOR), false, joiner.now);
    assert!(matches!(sent(&knock, SPONSOR), Request::Knock { known: false }));
    let standing = Response::Standing { known: false, acts: Vec::new() };
    sent(&joiner.answer(SPONSOR, false, &standing), SPONSOR)
}

/// Up to the joiner's proof.
fn proof(joiner: &mut Side, sponsor: &mut Side) -> Request {
    let challenge = replied(&sponsor.ask(JOINER, 2, &hello(joiner)), 2);
    assert!(matches!(challenge, Response::Challenge { .. }));
    sent(&joiner.answer(SPONSOR, false, &challenge), SPONSOR)
}

/// Up to the dial back to the joiner.
fn call(joiner: &mut Side, sponsor: &mut Side) {
    let proof = proof(joiner, sponsor);
    let out = sponsor.ask(JOINER, 3, &proof);
    let [Output::Vouch(vouched), Output::Call { peer, addrs }] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(*vouched, principal(JOINER));
    assert_eq!((*peer, addrs[0].to_string().as_str()), (principal(JOINER), "10.0.0.1:4000"));
}

/// Up to the joiner's signature.
fn called_back(joiner: &mut Side, sponsor: &mut Side) -> Response {
    call(joiner, sponsor);
    let callback = sent(&sponsor.engine.on_called(principal(JOINER), true), JOINER);
    replied(&joiner.ask(SPONSOR, 4, &callback), 4)
}

/// Up to the sponsor's admission, of which the disk knows nothing yet. Returns who is retired.
fn admitting(joiner: &mut Side, sponsor: &mut Side) -> Option<Principal> {
    let signature = called_back(joiner, sponsor);
    let out = sponsor.answer(JOINER, true, &signature);
    let [Output::Admit { peer, retire, joining: false, yields, .. }] = &out[..] else {
        panic!("{out:?}")
    };
    let joiner_is_alone = joiner.strew.membership().members().nth(1).is_none();
    assert_eq!((*peer, *yields), (principal(JOINER), !joiner_is_alone));
    *retire
}

/// Up to the joiner's admission, of which the disk knows nothing yet.
fn welcomed(joiner: &mut Side, sponsor: &mut Side) {
    assert_eq!(admitting(joiner, sponsor), None);
    let act = admission(SPONSOR, JOINER);
    let out = sponsor.engine.on_signed(principal(JOINER), false, Some(act.clone()));
    let welcome = replied(&out, 3);
    assert!(!sponsor.engine.is_busy_with(&principal(JOINER)));
    let out = joiner.answer(SPONSOR, false, &welcome);
    let [Output::Keep(kept), Output::Admit { peer, retire: None, joining: true, yields: true, .. }] =
        &out[..]
    else {
        panic!("{out:?}")
    };
    assert_eq!((kept.id(), *peer), (act.id(), principal(SPONSOR)));
}

#[test]
fn a_handshake_is_seven_exchanges_and_ends_in_a_redial() {
    let (mut joiner, mut sponsor) = pair();
    let standing = replied(&sponsor.ask(JOINER, 1, &Request::Knock { known: false }), 1);
    assert!(matches!(standing, Response::Standing { known: false, acts } if acts.is_empty()));
    welcomed(&mut joiner, &mut sponsor);
    sponsor.strew.merge_act(admission(SPONSOR, JOINER));
    let out = joiner.engine.on_signed(principal(SPONSOR), true, Some(admission(JOINER, SPONSOR)));
    let last = sent(&out, SPONSOR);
    let out = sponsor.ask(JOINER, 5, &last);
    let [Output::Merge(acts), Output::Reply { response: Response::Done, .. }] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(acts[0].id(), admission(JOINER, SPONSOR).id());
    let out = joiner.answer(SPONSOR, false, &Response::Done);
    assert!(matches!(out[..], [Output::Redial(peer)] if peer == principal(SPONSOR)), "{out:?}");
    assert!(!joiner.engine.is_busy_with(&principal(SPONSOR)));
    assert_eq!(joiner.engine.deadline(), Instant::NEVER);
    assert_eq!(sponsor.engine.deadline(), Instant::NEVER);
}

#[test]
fn members_are_told_how_they_stand_and_redial() {
    let (mut joiner, mut sponsor) = pair();
    sponsor.strew = strew(SPONSOR, 2);
    let standing = replied(&sponsor.ask(JOINER, 1, &Request::Knock { known: false }), 1);
    joiner.engine.knock(principal(SPONSOR), false, at(0));
    let out = joiner.answer(SPONSOR, false, &standing);
    let [Output::Merge(acts), Output::Redial(peer)] = &out[..] else { panic!("{out:?}") };
    assert_eq!((acts.len(), *peer), (1, principal(SPONSOR)));
}

#[test]
fn who_was_admitted_elsewhere_presents_the_chain() {
    let (mut joiner, mut sponsor) = pair();
    joiner.strew = strew(JOINER, 2);
    let known = joiner.engine.knock(principal(SPONSOR), true, at(0));
    assert!(matches!(sent(&known, SPONSOR), Request::Knock { known: true }));
    let standing = Response::Standing { known: false, acts: Vec::new() };
    let present = sent(&joiner.answer(SPONSOR, false, &standing), SPONSOR);
    let out = sponsor.ask(JOINER, 1, &present);
    let [Output::Merge(acts), Output::Reply { response: Response::Done, .. }] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(acts.len(), 1);
}

#[test]
fn another_secret_is_noticed_by_either_side() {
    let (mut joiner, mut sponsor) = (Side::new(JOINER, 4, Config::default()), pair().1);
    let challenge = replied(&sponsor.ask(JOINER, 2, &hello(&mut joiner)), 2);
    let out = joiner.answer(SPONSOR, false, &challenge);
    assert_eq!(failed(&out, SPONSOR, true), (Refusal::Secret, false));
    // One that goes on all the same.
    let (mut joiner, mut sponsor) = pair();
    let right = proof(&mut joiner, &mut sponsor);
    let wrong = forged(&right, |_, proof| *proof = [0; 32]);
    let out = sponsor.ask(JOINER, 3, &wrong);
    assert_eq!(failed(&out, JOINER, false), (Refusal::Secret, true));
    assert!(!sponsor.engine.is_busy_with(&principal(JOINER)));
}

#[test]
fn the_name_of_a_live_member_is_refused_and_that_of_a_dead_one_retires_it() {
    let name: NodeName = "n3".parse().unwrap();
    let (mut joiner, mut sponsor) = pair();
    sponsor.strew = strew(SPONSOR, 3);
    let profile = Profile { name: Some(name.clone()), ..Profile::default() };
    sponsor.strew.merge_record(named_record(3, 1, profile));
    sponsor.alive = principals([3]);
    joiner.name = Some(name.clone());
    let proof = proof(&mut joiner, &mut sponsor);
    let out = sponsor.ask(JOINER, 3, &proof);
    let taken = Refusal::NameTaken(principal(3));
    assert_eq!(failed(&out, JOINER, false), (taken, true));
    sponsor.alive.clear();
    let mut again = Side { name: Some(name), ..pair().0 };
    assert_eq!(admitting(&mut again, &mut sponsor), Some(principal(3)));
}

#[test]
fn an_address_where_the_joiner_is_not_seen_is_not_called() {
    let (mut joiner, mut sponsor) = pair();
    sponsor.seen_from = Some([10, 0, 0, 2].into());
    let proof = proof(&mut joiner, &mut sponsor);
    let out = sponsor.ask(JOINER, 3, &proof);
    assert_eq!(failed(&out, JOINER, false), (Refusal::Address, true));
}

#[test]
fn who_does_not_answer_at_its_address_or_signs_something_else_is_refused() {
    let callback = (Refusal::Callback, true);
    let (mut joiner, mut sponsor) = pair();
    call(&mut joiner, &mut sponsor);
    let out = sponsor.engine.on_called(principal(JOINER), false);
    assert_eq!(failed(&out, JOINER, false), callback);

    let wrong = [Response::CalledBack([0; 64]), Response::Done];
    for wrong in wrong {
        let (mut joiner, mut sponsor) = pair();
        called_back(&mut joiner, &mut sponsor);
        let out = sponsor.answer(JOINER, true, &wrong);
        assert_eq!(failed(&out, JOINER, false), callback);
    }

    let (mut joiner, mut sponsor) = pair();
    called_back(&mut joiner, &mut sponsor);
    let out = sponsor.engine.on_failed(principal(JOINER), true);
    assert_eq!(failed(&out, JOINER, false), callback);
}

#[test]
fn patience_ends_on_both_sides() {
    let (mut joiner, mut sponsor) = pair();
    call(&mut joiner, &mut sponsor);
    assert_eq!(sponsor.engine.deadline(), at(10_000));
    assert!(sponsor.engine.on_wake(at(9_999)).is_empty());
    let out = sponsor.engine.on_wake(at(10_000));
    assert_eq!(failed(&out, JOINER, false), (Refusal::Callback, true));
    assert_eq!(joiner.engine.deadline(), at(10_000));
    assert!(joiner.engine.on_wake(at(10_000)).is_empty());
    assert!(!joiner.engine.is_busy_with(&principal(SPONSOR)));
}

#[test]
fn what_does_not_fit_the_exchange_is_refused_and_changes_nothing() {
    let (mut joiner, mut sponsor) = pair();
    let proof = proof(&mut joiner, &mut sponsor);
    assert_eq!(sponsor.ask(JOINER, 3, &proof).len(), 2);
    let callback = Request::Callback { transcript: Digest([1; 32]), nonce: [1; 32] };
    let odd = [
        (JOINER, proof.clone()),
        (3, proof),
        (3, callback.clone()),
        (JOINER, Request::Admission(admission(JOINER, SPONSOR))),
        (JOINER, Request::Admission(admission(3, SPONSOR))),
    ];
    for (from, request) in odd {
        assert_eq!(refused(&sponsor.ask(from, 4, &request)), Refusal::Unexpected, "{request:?}");
    }
    // In the middle of a handshake, but with another transcript.
    assert_eq!(refused(&joiner.ask(SPONSOR, 4, &callback)), Refusal::Unexpected);
    let rubbish = sponsor.facts(|engine, facts, rng, now| {
        engine.on_request(principal(JOINER), ReplyId(5), &[99, 1], now, facts, rng)
    });
    assert_eq!(refused(&rubbish), Refusal::Unexpected);
    // The handshake goes on.
    assert_eq!(sponsor.engine.on_called(principal(JOINER), true).len(), 1);
}

#[test]
fn a_disk_that_refuses_ends_it_on_either_side() {
    let (mut joiner, mut sponsor) = pair();
    admitting(&mut joiner, &mut sponsor);
    let out = sponsor.engine.on_signed(principal(JOINER), false, None);
    assert_eq!(failed(&out, JOINER, false), (Refusal::Disk, true));

    let (mut joiner, mut sponsor) = pair();
    welcomed(&mut joiner, &mut sponsor);
    let out = joiner.engine.on_signed(principal(SPONSOR), true, None);
    assert_eq!(failed(&out, SPONSOR, true), (Refusal::Disk, false));
}

#[test]
fn of_two_that_join_through_each_other_one_handshake_goes_on() {
    let (small, great) =
        if principal(JOINER) < principal(SPONSOR) { (JOINER, SPONSOR) } else { (SPONSOR, JOINER) };
    let mut sides = [small, great].map(|number| Side::new(number, 3, Config::default()));
    let [a, b] = &mut sides;
    let standing = Response::Standing { known: false, acts: Vec::new() };
    a.engine.knock(principal(great), false, at(0));
    b.engine.knock(principal(small), false, at(0));
    let from_small = sent(&a.answer(great, false, &standing), great);
    let from_great = sent(&b.answer(small, false, &standing), small);
    assert_eq!(refused(&b.ask(small, 1, &from_small)), Refusal::Crossed);
    assert!(matches!(replied(&a.ask(great, 1, &from_great), 1), Response::Challenge { .. }));
    let crossed = Response::Refused(Refusal::Crossed);
    assert!(a.answer(great, false, &crossed).is_empty(), "nobody needs to act");
}

#[test]
fn a_refusal_is_told_once_and_a_forged_welcome_ends_the_attempt() {
    let (mut joiner, mut sponsor) = pair();
    proof(&mut joiner, &mut sponsor);
    let busy = Response::Refused(Refusal::Busy);
    assert_eq!(failed(&joiner.answer(SPONSOR, false, &busy), SPONSOR, true).0, Refusal::Busy);
    assert!(joiner.answer(SPONSOR, false, &busy).is_empty());
    for forged in [admission(3, JOINER), admission(SPONSOR, 3)] {
        let (mut joiner, mut sponsor) = pair();
        called_back(&mut joiner, &mut sponsor);
        let welcome = Response::Welcome { admission: forged, epoch: Vec::new() };
        assert!(joiner.answer(SPONSOR, false, &welcome).is_empty());
        assert!(!joiner.engine.is_busy_with(&principal(SPONSOR)));
    }
}

#[test]
fn a_link_that_closes_or_an_answer_that_fails_ends_an_attempt_quietly() {
    for malformed in [false, true] {
        let (mut joiner, _) = pair();
        hello(&mut joiner);
        if malformed {
            let out = joiner.facts(|engine, facts, rng, now| {
                engine.on_response(principal(SPONSOR), false, &[99], now, facts, rng)
            });
            assert!(matches!(&out[..], [Output::OtherVersion { .. }]), "{out:?}");
        } else {
            joiner.engine.on_disconnected(principal(SPONSOR));
        }
        assert!(!joiner.engine.is_busy_with(&principal(SPONSOR)));
    }
    assert_eq!(Config::default().patience, Duration::from_secs(10));
}
