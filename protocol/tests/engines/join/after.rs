//! The evicted principals that a join key excludes, and that both admissions name.

use std::sync::Arc;

use crux_crdt::act::{Act, After, Statement};
use crux_crdt::sign::Signed;
use crux_crdt::strew::Strew;
use crux_crdt::{Digest, Principal};
use crux_protocol::join::{Hello, Refusal, Request, Response, path};

use super::{JOINER, SPONSOR, admitting, failed, hello, pair, proof, refused};
use crate::fixture::{FLOCK, admission, identity, principal, strew};

/// A join key of a later version excludes evicted principals. Another list than that of this node's own key is
/// another key, and an admission that names another one is not what the handshake was for.
#[test]
fn both_sides_name_the_evicted_that_the_join_key_excludes() {
    let other = After::of(&[principal(9)]).unwrap();
    let (mut joiner, mut sponsor) = pair();
    let Request::Hello(honest) = hello(&mut joiner) else { panic!("a hello") };
    assert!(honest.after.is_empty());
    let lying = Request::Hello(Hello { after: other.clone(), ..honest });
    assert_eq!(refused(&sponsor.ask(JOINER, 2, &lying)), Refusal::Secret);
    let again = joiner.answer(SPONSOR, false, &Response::Refused(Refusal::Secret));
    assert_eq!(failed(&again, SPONSOR, true), (Refusal::Secret, false));

    let under_other = |by: u8, of: u8| {
        let (subject, after) = (principal(of), other.clone());
        let statement = Statement::Admit { subject, generation: 1, after };
        let act = Act { number: 1, previous: Digest::default(), statement };
        Arc::new(Signed::sign(act, &FLOCK, &identity(by)))
    };
    let (mut joiner, mut sponsor) = pair();
    admitting(&mut joiner, &mut sponsor);
    let welcome = Response::Welcome { admission: under_other(SPONSOR, JOINER), epoch: Vec::new() };
    assert!(joiner.answer(SPONSOR, false, &welcome).is_empty());
    assert!(!joiner.engine.is_busy_with(&principal(SPONSOR)));
    sponsor.strew = strew(SPONSOR, 2);
    let back = Request::Admission(under_other(JOINER, SPONSOR));
    assert_eq!(refused(&sponsor.ask(JOINER, 5, &back)), Refusal::Unexpected);
    let right = Request::Admission(admission(JOINER, SPONSOR));
    assert_eq!(sponsor.ask(JOINER, 6, &right).len(), 2);
}

/// A hello with a list has another transcript: a proof for one is none for the other.
#[test]
fn the_list_is_in_the_transcript() {
    let (mut joiner, mut sponsor) = pair();
    let Request::Proof { mut hello, nonce, proof } = proof(&mut joiner, &mut sponsor) else {
        panic!("a proof")
    };
    hello.after = After::of(&[principal(9)]).unwrap();
    let changed = Request::Proof { hello, nonce, proof };
    assert_eq!(refused(&sponsor.ask(JOINER, 3, &changed)), Refusal::Unexpected);
}

#[test]
fn a_chain_that_is_too_large_for_a_message_is_not_presented() {
    let evicted: Vec<_> = (0..1024_u16)
        .map(|n| {
            let mut key = [7; 32];
            key[..2].copy_from_slice(&n.to_be_bytes());
            Principal(key)
        })
        .collect();
    let after = After::of(&evicted).unwrap();
    for (length, fits) in [(2, true), (11, true), (12, false)] {
        let mut strew = Strew::new(principal(1));
        for n in 1..=length {
            let (subject, after) = (principal(n + 1), after.clone());
            let statement = Statement::Admit { subject, generation: 1, after };
            let act = Act { number: 1, previous: Digest::default(), statement };
            strew.merge_act(Arc::new(Signed::sign(act, &FLOCK, &identity(n))));
        }
        let chain = path(&strew, principal(1), principal(length + 1));
        assert_eq!(chain.len(), if fits { usize::from(length) } else { 0 }, "{length} acts");
    }
}
