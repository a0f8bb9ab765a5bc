//! Anti-entropy of documents: several facts under one key, of very different sizes.

use std::sync::Arc;

use crux_crdt::document::Document;
use crux_crdt::fact::Kind;
use crux_crdt::strew::Strew;
use crux_protocol::context::Context;
use crux_protocol::link::{Protocol, ReplyId};
use crux_protocol::sync::{Aside, Config, Merged, Output, Request, Response, State, Wanted};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::fixture::{at, context, merge_all, principal, strew};
use crate::signed::{grant, operator, own, users};

fn flock(me: u8) -> Context {
    Context { operator: Some(operator().principal()), ..context(me) }
}

fn engine(me: u8) -> State {
    State::new(Config::default(), flock(me), &[7; 32], at(0))
}

fn put(strew: &mut Strew, documents: &[Arc<Document>]) {
    documents.iter().for_each(|it| _ = strew.merge_fact(it.clone().into()));
}

fn answer(request: &Request, theirs: &Strew) -> Vec<u8> {
    let body = request.encode();
    assert!(body.len() <= Protocol::Sync.max_body());
    let mut other = engine(2);
    let outputs =
        other.on_request(principal(1), ReplyId(1), &body, at(0), theirs, &Aside::default());
    let reply = outputs.into_iter().find_map(|it| match it {
        Output::Reply { body, .. } => Some(body),
        _ => None,
    });
    let reply = reply.expect("a reply");
    assert!(reply.len() <= Protocol::Sync.max_body());
    reply
}

/// One session. Returns what was asked.
fn pull(mine: &mut Strew, theirs: &Strew) -> Vec<Request> {
    let mut state = engine(1);
    let (mut asked, mut exchanges) = (Vec::new(), 0);
    let mut outputs = state.on_connected(principal(2), mine, &Aside::default());
    loop {
        let request = outputs.into_iter().find_map(|it| match it {
            Output::Send { request, .. } => Some(request),
            _ => None,
        });
        let Some(request) = request else { break };
        exchanges += 1;
        assert!(exchanges < 300, "a session ends");
        let body = answer(&request, theirs);
        asked.push(request);
        outputs = state.on_response(principal(2), &body, at(1), mine);
        if let Some(Output::Merge { facts, .. }) = outputs.first() {
            let before = mine.digest();
            merge_all(mine, facts);
            let merged = Merged { brought: mine.digest() != before, ..Merged::default() };
            outputs = state.resume(principal(2), merged, at(1), mine);
        }
    }
    assert!(!state.is_busy());
    asked
}

fn fetches(asked: &[Request]) -> usize {
    asked.iter().filter(|it| matches!(it, Request::Facts { kind: Kind::DOCUMENT, .. })).count()
}

/// 200 keys in conflict: more documents than keys are fetched at a time.
fn conflicts(bytes: usize) -> Vec<Arc<Document>> {
    let granted = grant(1, 1, 1, 16_384);
    let each = (0..200).flat_map(|n| {
        let at = format!("rule/r{n}");
        let (ours, theirs) = (vec![1; bytes], vec![2; bytes]);
        [own(&at, 1, 1, &ours), users(1, &at, 1, &theirs, &granted)]
    });
    each.chain([granted.clone()]).collect()
}

#[test]
fn more_documents_than_keys_are_brought_by_one_session() {
    let (mut mine, mut theirs) = (strew(1, 2), strew(2, 2));
    put(&mut theirs, &conflicts(10));
    let asked = pull(&mut mine, &theirs);
    assert_eq!(mine.documents().documents().count(), 401);
    assert_eq!(mine.index(Kind::DOCUMENT), theirs.index(Kind::DOCUMENT));
    assert!(fetches(&asked) <= 4, "{}", fetches(&asked));
}

#[test]
fn documents_that_do_not_fit_one_answer_are_brought_by_one_session() {
    let (mut mine, mut theirs) = (strew(1, 2), strew(2, 2));
    let large = conflicts(60 * 1024);
    put(&mut theirs, &large[..80]);
    let asked = pull(&mut mine, &theirs);
    assert_eq!(mine.index(Kind::DOCUMENT), theirs.index(Kind::DOCUMENT));
    // 17 of them in each answer.
    assert!((5..9).contains(&fetches(&asked)), "{}", fetches(&asked));
}

/// Of each key one has one document and one the other: both end with both, and neither asks for ever.
#[test]
fn both_sides_of_a_conflict_bring_each_other_what_they_lack() {
    let all = conflicts(10);
    let (mut mine, mut theirs) = (strew(1, 2), strew(2, 2));
    let of = |own: bool| -> Vec<_> {
        all.iter().filter(|it| it.is_operators() == own).cloned().collect()
    };
    put(&mut mine, &of(true));
    put(&mut theirs, &of(false));
    let asked = pull(&mut mine, &theirs);
    assert_eq!(mine.documents().documents().count(), 401);
    assert!(fetches(&asked) <= 4, "{}", fetches(&asked));
    // What is held is not sent: this one has everything that the other one has.
    let asked = pull(&mut mine, &theirs);
    assert!(fetches(&asked) <= 1, "{}", fetches(&asked));
}

#[test]
fn in_any_order_all_replicas_show_the_same() {
    let granted = grant(1, 1, 1, 3);
    let mut all = vec![granted.clone(), own("setting/log", 1, 1, b"info")];
    for n in 0..6 {
        let at = format!("rule/r{n}");
        all.extend([own(&at, 1, 1, b"a"), own(&at, 1, 1, b"b"), own(&at, 2, 1, b"c")]);
        all.extend([1, 2, 2].map(|generation| users(1, &at, generation, &[n, 7], &granted)));
    }
    let mut expected = None;
    for seed in 0..20 {
        let mut rng = StdRng::from_seed([seed; 32]);
        all.shuffle(&mut rng);
        let (mut mine, mut theirs) = (strew(1, 2), strew(2, 2));
        let (half, other) = all.split_at(all.len() / 2);
        put(&mut mine, half);
        put(&mut theirs, other);
        pull(&mut mine, &theirs);
        pull(&mut theirs, &mine);
        assert_eq!(mine.index(Kind::DOCUMENT), theirs.index(Kind::DOCUMENT));
        let shown: Vec<_> = mine
            .documents()
            .shelves()
            .map(|shelf| (shelf.winner().id(), shelf.rival().map(|rival| rival.id())))
            .collect();
        assert_eq!(*expected.get_or_insert(shown.clone()), shown);
    }
}

/// Each of a thousand users wrote one key: a request names what is held of it.
#[test]
fn a_key_that_hundreds_of_users_wrote_is_compared() {
    let (mut mine, mut theirs) = (strew(1, 2), strew(2, 2));
    let all: Vec<_> = (0..1_100_u16).map(many::document).collect();
    put(&mut mine, &all[..1_050]);
    put(&mut theirs, &all);
    pull(&mut mine, &theirs);
    assert_eq!(mine.index(Kind::DOCUMENT), theirs.index(Kind::DOCUMENT));
}

/// Users without number.
mod many {
    use super::*;
    use crate::signed::{FLOCK, key};
    use crux_crdt::canon::Canonical as _;
    use crux_crdt::document::{Body, Grant, Key};
    use crux_crdt::sign::Identity;

    /// What a user wrote under the one key, twice at once.
    pub(super) fn document(number: u16) -> Arc<Document> {
        let mut seed = [0xdd; 32];
        seed[..2].copy_from_slice(&number.to_be_bytes());
        let user = Identity::from_seed(&seed);
        let permissions = ["rules".parse().unwrap()].into();
        let name = format!("user-{number}").parse().unwrap();
        let content = Grant { name, documents: 1, permissions, revoked: false }.to_canonical();
        let granted = own(Key::grant(&user.principal()).as_str(), 1, 1, &content);
        let body = Body::new(key("rule/all"), 1, 1, Some(b"x".as_slice().into()));
        Arc::new(Document::sign(body, &FLOCK, &user, Some(granted)).unwrap())
    }
}

/// A peer asks a thousand times for one key.
#[test]
fn a_key_counts_once_however_often_a_peer_asks_for_it() {
    let mut theirs = strew(2, 2);
    let all = conflicts(10);
    put(&mut theirs, &all);
    let wanted = Wanted { key: crate::signed::key("rule/r1").digest(), held: Vec::new() };
    let request = Request::Facts { kind: Kind::DOCUMENT, wanted: vec![wanted; 1024] };
    let body = answer(&request, &theirs);
    let Ok(Response::Facts { facts, .. }) = Response::decode(&body, &flock(1)) else {
        panic!("an answer")
    };
    assert_eq!(facts.len(), 2);
    assert!(body.len() < 2_000, "{}", body.len());
}
