//! A node that has the operator's key: none is let in, and none lets others in.

use crux_protocol::context::Context;
use crux_protocol::genesis::{InitialSecret, JoinKey};
use crux_protocol::join::{Chain, Config, Refusal, Request, Response, State};
use zeroize::Zeroizing;

use super::{JOINER, SPONSOR, Side, called_back, failed, hello, pair, proof};
use crate::fixture::{admission, context, identity, principal, strew};

/// A node of the same flock, whose operator has the key of that node.
fn side(number: u8, operator: u8) -> Side {
    let context = Context { operator: Some(principal(operator)), ..context(number) };
    let key = JoinKey::initial(&InitialSecret::new(Zeroizing::new([3; 32])));
    let engine = State::new(Config::default(), context, identity(number), key);
    Side { engine, ..Side::new(number, 3, Config::default()) }
}

#[test]
fn a_joiner_with_the_operators_key_is_refused_at_each_step() {
    let (mut joiner, mut honest) = pair();
    let chain = Chain::of(&[admission(SPONSOR, JOINER)]);
    let requests = [
        Request::Knock { known: false },
        hello(&mut joiner),
        proof(&mut pair().0, &mut honest),
        Request::Present(chain),
        Request::Admission(admission(JOINER, SPONSOR)),
    ];
    for request in requests {
        let mut sponsor = side(SPONSOR, JOINER);
        // A member admitted it already.
        sponsor.strew = strew(SPONSOR, 2);
        let out = sponsor.ask(JOINER, 1, &request);
        assert_eq!(failed(&out, JOINER, false), (Refusal::Operator, true), "{request:?}");
        assert!(!sponsor.engine.is_busy_with(&principal(JOINER)));
    }
    // It says what it was told.
    let out = joiner.answer(SPONSOR, false, &Response::Refused(Refusal::Operator));
    assert_eq!(failed(&out, SPONSOR, true), (Refusal::Operator, false));
}

#[test]
fn a_sponsor_with_the_operators_key_lets_nobody_in() {
    let mut joiner = side(JOINER, SPONSOR);
    joiner.engine.knock(principal(SPONSOR), false, joiner.now);
    let standing = Response::Standing { known: false, acts: Vec::new() };
    let out = joiner.answer(SPONSOR, false, &standing);
    assert_eq!(failed(&out, SPONSOR, true), (Refusal::Operator, false));
    assert!(!joiner.engine.is_busy_with(&principal(SPONSOR)));
    // The same handshake, where somebody else is the operator.
    let (mut joiner, mut sponsor) = (side(JOINER, 9), side(SPONSOR, 9));
    called_back(&mut joiner, &mut sponsor);
}
