use crate::fixture::{answer_acts, fetch, keys_of, merge_all};
use crux_crdt::Digest;
use crux_crdt::fact::Kind;
use crux_crdt::hash::sha3;
use crux_crdt::strew::{Bounds, Strew};
use crux_protocol::link::ReplyId;
use crux_protocol::sync::{Aside, Config, Merged, Output, Piece, Request, Response, Roots, State};

use crate::fixture::{at, context, principal, record, rng, same_roots, strew, unknown};

fn engine(me: u8) -> State {
    State::new(Config::default(), context(me), &[7; 32], at(0))
}

fn roots(strew: &Strew) -> Request {
    Request::Roots { roots: Roots::of(strew), aside: Aside::default(), urgent: true }
}

/// The one request among the outputs.
fn request(outputs: Vec<Output>) -> Option<Request> {
    outputs.into_iter().find_map(|output| match output {
        Output::Send { request, .. } => Some(request),
        _ => None,
    })
}

/// What the other side answers to a request.
fn answer(other: &mut State, from: u8, request: &Request, strew: &Strew) -> Vec<u8> {
    let outputs = other.on_request(
        principal(from),
        ReplyId(1),
        &request.encode(),
        at(0),
        strew,
        &Aside::default(),
    );
    let reply = outputs.into_iter().find_map(|output| match output {
        Output::Reply { body, .. } => Some(body),
        _ => None,
    });
    reply.unwrap()
}

#[test]
fn a_new_link_compares_roots_and_equal_ones_do_nothing() {
    let (mine, theirs) = (strew(1, 3), strew(2, 3));
    let mut state = engine(1);
    let asked = request(state.on_connected(principal(2), &mine, &Aside::default())).unwrap();
    assert_eq!(asked, roots(&mine));
    // Both admitted everybody, but by different acts: only the registers agree.
    let differing: Vec<_> = Roots::of(&mine).differing(&Roots::of(&theirs)).collect();
    assert_eq!(differing, [Kind::ACT]);
    let same = Response::encode_roots(&Roots::of(&mine), &Aside::default());
    let out = state.on_response(principal(2), &same, at(1), &mine);
    assert!(
        matches!(out[..], [Output::Aside { .. }, Output::Complete { peer }] if peer == principal(2)),
        "{out:?}"
    );
    assert!(!state.is_busy());
}

#[test]
fn a_session_brings_everything_the_other_side_has() {
    let mut mine = strew(1, 2);
    let mut theirs = mine.clone();
    for number in 3..=60 {
        theirs.merge_act(crate::fixture::admission(1, number));
        theirs.merge_record(record(number, 4));
    }
    let (mut state, mut other) = (engine(1), engine(2));
    let mut asked = request(state.on_connected(principal(2), &mine, &Aside::default()));
    let mut exchanges = 0;
    while let Some(request_now) = asked {
        exchanges += 1;
        assert!(exchanges < 40, "a session ends");
        let body = answer(&mut other, 1, &request_now, &theirs);
        let mut outputs = state.on_response(principal(2), &body, at(1), &mine);
        let merged = outputs.iter().any(|output| merge(&mut mine, output));
        if merged {
            outputs = state.resume(principal(2), news(), at(1), &mine);
        }
        asked = request(outputs);
    }
    assert_eq!(mine.digest(), theirs.digest());
}

fn news() -> Merged {
    Merged { brought: true, ..Merged::default() }
}

fn merge(mine: &mut Strew, output: &Output) -> bool {
    match output {
        Output::Merge { facts, .. } => {
            merge_all(mine, facts);
            true
        }
        _ => false,
    }
}

#[test]
fn a_difference_that_is_not_urgent_is_looked_at_again_after_a_second() {
    let (mine, theirs) = (strew(1, 2), strew(2, 5));
    let mut state = engine(1);
    state.on_connected(principal(2), &mine, &Aside::default());
    let same = Response::encode_roots(&Roots::of(&mine), &Aside::default());
    state.on_response(principal(2), &same, at(0), &mine);
    let calm = Request::Roots { roots: Roots::of(&theirs), aside: Aside::default(), urgent: false };
    let out = state.on_request(
        principal(2),
        ReplyId(1),
        &calm.encode(),
        at(100),
        &mine,
        &Aside::default(),
    );
    assert!(matches!(out[..], [Output::Reply { .. }, Output::Aside { .. }]));
    assert_eq!(state.deadline(), at(1_100));
    let out = state.on_wake(at(1_100), &mine, &Aside::default(), &mut rng());
    assert_eq!(request(out), Some(roots(&mine)));
}

#[test]
fn the_responder_keeps_no_state_and_lists_what_is_short() {
    let theirs = strew(2, 3);
    let mut other = engine(2);
    let nothing = crux_crdt::fingerprint::Fingerprint::default().digest();
    let asked = Request::Ranges { kind: Kind::RECORD, ranges: vec![(Bounds::ALL, nothing)] };
    let body = answer(&mut other, 1, &asked, &theirs);
    let Ok(Response::Pieces(pieces)) = Response::decode(&body, &context(1)) else {
        panic!("pieces")
    };
    let all: Vec<_> = theirs.registers_index().items(Bounds::ALL).collect();
    assert_eq!(pieces, [Piece::Items(all)]);
    assert!(!other.is_busy());
}

#[test]
fn a_peer_that_leads_in_circles_is_left() {
    let mine = strew(1, 2);
    let mut state = engine(1);
    let mut asked = request(state.on_connected(principal(2), &mine, &Aside::default()));
    let lie = crux_crdt::Digest([9; 32]);
    let lies = same_roots(lie);
    let mut exchanges = 0_u32;
    while let Some(now) = asked {
        exchanges += 1;
        assert!(exchanges < 5_000, "a session is bounded");
        let body = match now {
            Request::Roots { .. } => Response::encode_roots(&lies, &Aside::default()),
            _ => Response::encode_pieces(&[Piece::Range(Bounds::ALL, lie)]),
        };
        asked = request(state.on_response(principal(2), &body, at(1), &mine));
    }
    assert!(!state.is_busy());
}

#[test]
fn garbage_is_answered_by_an_empty_body_and_ends_a_session() {
    let mine = strew(1, 2);
    let mut state = engine(1);
    state.on_connected(principal(2), &mine, &Aside::default());
    let out =
        state.on_request(principal(2), ReplyId(1), &[0xff; 40], at(1), &mine, &Aside::default());
    let [Output::Reply { body, .. }, Output::OtherVersion { peer, what }] = &out[..] else {
        panic!("{out:?}")
    };
    assert!(body.is_empty());
    assert_eq!((*peer, what.as_str()), (principal(2), "sync request 255"));
    let out = state.on_response(principal(2), &[0xff; 40], at(1), &mine);
    assert!(matches!(&out[..], [Output::OtherVersion { .. }]), "{out:?}");
    assert!(!state.is_busy());
    // What is cut short is of no version.
    let out = state.on_request(principal(2), ReplyId(2), &[1], at(1), &mine, &Aside::default());
    assert!(matches!(&out[..], [Output::Reply { body, .. }] if body.is_empty()), "{out:?}");
    assert!(state.on_response(principal(2), &[1], at(1), &mine).is_empty());
}

/// The most acts and records that one session wants; `session.rs` has it.
const WANTED_MAX: usize = 128 * 1024;

#[test]
fn a_session_wants_so_much_and_no_more() {
    let mine = strew(1, 2);
    let mut state = engine(1);
    state.on_connected(principal(2), &mine, &Aside::default());
    let lies = same_roots(Digest([9; 32]));
    let body = Response::encode_roots(&lies, &Aside::default());
    let mut asked = request(state.on_response(principal(2), &body, at(1), &mine));
    let mut left = WANTED_MAX + 1;
    let mut fetched = 0;
    while let Some(now) = asked {
        let body = match now {
            Request::Ranges { kind: Kind::ACT, .. } => {
                let ids = (0..left).map(|n| sha3("lie", &[&n.to_be_bytes()]));
                let ids: Vec<_> = ids.map(|id| (id, id)).collect();
                left = 0;
                let pieces: Vec<_> = ids.chunks(600).map(|all| Piece::Items(all.into())).collect();
                Response::encode_pieces(&pieces)
            }
            Request::Facts { kind: Kind::ACT, wanted } => {
                fetched += wanted.len();
                answer_acts([].iter())
            }
            _ => Response::encode_pieces(&[]),
        };
        let mut outputs = state.on_response(principal(2), &body, at(1), &mine);
        if matches!(outputs[..], [Output::Merge { .. }]) {
            outputs = state.resume(principal(2), Merged::default(), at(1), &mine);
        }
        asked = request(outputs);
    }
    assert_eq!(fetched, WANTED_MAX);
    assert!(!state.is_busy());
}

#[test]
fn an_answer_to_another_question_ends_a_session() {
    let mine = strew(1, 2);
    let lies = same_roots(Digest([9; 32]));
    let answers = [
        Response::encode_stored(true),
        Response::encode_beacons(&[]),
        answer_acts([].iter()),
        Response::encode_facts(Kind::RECORD, Vec::new()),
    ];
    for answer in answers {
        let mut state = engine(1);
        state.on_connected(principal(2), &mine, &Aside::default());
        let body = Response::encode_roots(&lies, &Aside::default());
        let asked = request(state.on_response(principal(2), &body, at(1), &mine));
        assert!(matches!(asked, Some(Request::Ranges { .. })), "{asked:?}");
        assert!(state.on_response(principal(2), &answer, at(2), &mine).is_empty());
        assert!(!state.is_busy());
        // Nor does a late answer revive it.
        let late = Response::encode_pieces(&[Piece::Range(Bounds::ALL, Digest([9; 32]))]);
        assert!(state.on_response(principal(2), &late, at(3), &mine).is_empty());
    }
}

#[test]
fn roots_instead_of_an_answer_hold_a_session_no_longer_than_silence() {
    let mine = strew(1, 2);
    let lies = same_roots(Digest([9; 32]));
    let body = Response::encode_roots(&lies, &Aside::default());
    let mut state = engine(1);
    state.on_connected(principal(2), &mine, &Aside::default());
    for second in 0..21 {
        state.on_response(principal(2), &body, at(second * 1_000), &mine);
        state.on_wake(at(second * 1_000 + 1), &mine, &Aside::default(), &mut rng());
        assert!(state.is_busy(), "after {second} s");
    }
    state.on_wake(at(21_000), &mine, &Aside::default(), &mut rng());
    assert!(!state.is_busy());
}

#[test]
fn who_brought_what_there_is_no_room_for_is_left_alone_for_a_minute() {
    refused_with_rest(true, 60_000);
}

/// An author signed more acts than replicas keep: the peer that passes them on is compared with as before.
#[test]
fn who_brought_too_much_of_one_author_is_compared_with_at_once() {
    refused_with_rest(false, 0);
}

/// A merge takes nothing of what a peer has, which is compared with again after `rest` ms, and what was refused
/// is not fetched again.
fn refused_with_rest(full: bool, rest: u64) {
    let (mine, theirs) = (strew(1, 2), strew(2, 5));
    let mut state = engine(1);
    state.on_connected(principal(2), &mine, &Aside::default());
    let other = Response::encode_roots(&Roots::of(&theirs), &Aside::default());
    let asked = request(state.on_response(principal(2), &other, at(0), &mine)).unwrap();
    let body = answer(&mut engine(2), 1, &asked, &theirs);
    let asked = request(state.on_response(principal(2), &body, at(0), &mine));
    let Some((Kind::ACT, ids)) = asked.as_ref().and_then(keys_of) else { panic!("{asked:?}") };
    let body = answer(&mut engine(2), 1, &fetch(Kind::ACT, &ids), &theirs);
    state.on_response(principal(2), &body, at(0), &mine);
    let merged =
        Merged { refused: ids.iter().map(|id| (*id, 100)).collect(), full, ..Merged::default() };
    let mut asked = request(state.resume(principal(2), merged, at(0), &mine));
    while let Some(now) = asked {
        let body = answer(&mut engine(2), 1, &now, &theirs);
        let mut out = state.on_response(principal(2), &body, at(0), &mine);
        if !matches!(out[..], [Output::Send { .. }]) {
            out = state.resume(principal(2), Merged::default(), at(0), &mine);
        }
        asked = request(out);
    }
    assert!(!state.is_busy());
    let press = |state: &mut State, now| {
        state.on_doubt(principal(2), now);
        let urgent = roots(&theirs).encode();
        request(state.on_request(principal(2), ReplyId(1), &urgent, now, &mine, &Aside::default()))
    };
    if rest > 0 {
        assert_eq!(press(&mut state, at(rest - 1)), None);
    }
    // Then it is compared again, and what was refused is not fetched again.
    let ranges = press(&mut state, at(rest)).unwrap();
    let body = answer(&mut engine(2), 1, &ranges, &theirs);
    let next = request(state.on_response(principal(2), &body, at(rest), &mine));
    assert!(matches!(next, Some(Request::Ranges { kind: Kind::RECORD, .. })), "{next:?}");
    state.on_failed(principal(2), at(rest + 1), &mine);
    // Unless there may be room.
    state.on_room();
    let ranges = press(&mut state, at(rest + 2)).unwrap();
    let body = answer(&mut engine(2), 1, &ranges, &theirs);
    let next = request(state.on_response(principal(2), &body, at(rest + 2), &mine));
    assert_eq!(next, Some(fetch(Kind::ACT, &ids)));
}

/// The network counts opening a stream and the answer apart.
#[test]
fn a_session_ends_after_the_network_said_that_its_request_is_lost() {
    let (mine, theirs) = (strew(1, 2), strew(2, 5));
    let mut state = engine(1);
    state.on_connected(principal(2), &mine, &Aside::default());
    let other = Response::encode_roots(&Roots::of(&theirs), &Aside::default());
    let out = state.on_response(principal(2), &other, at(0), &mine);
    assert!(matches!(request(out), Some(Request::Ranges { .. })));
    let lost = at(0) + crux_protocol::link::LOST_AFTER;
    state.on_wake(lost, &mine, &Aside::default(), &mut rng());
    assert!(state.is_busy(), "the answer may still come");
    // An adapter that breaks its promise holds no place for ever.
    let mut now = lost;
    while state.is_busy() {
        now = state.deadline();
        assert!(now <= lost + std::time::Duration::from_secs(2));
        state.on_wake(now, &mine, &Aside::default(), &mut rng());
    }
    assert!(now > lost);
}

/// The node of tomorrow: a root of a kind that this build does not know.
const LATER: (Kind, Digest) = (Kind(9), Digest([6; 32]));

#[test]
fn a_root_of_an_unknown_kind_is_skipped_and_known_ones_are_compared() {
    let mine = strew(1, 3);
    let later = |of: &Strew| Roots::new(of.roots().chain([LATER]));
    let same = Response::encode_roots(&later(&mine), &Aside::default());
    let mut state = engine(1);
    state.on_connected(principal(2), &mine, &Aside::default());
    let out = state.on_response(principal(2), &same, at(1), &mine);
    assert!(matches!(out[..], [Output::Aside { .. }, Output::Complete { .. }]), "{out:?}");
    assert!(!state.is_busy());
    // A request with such a root is answered, and is no doubt either.
    let urgent = Request::Roots { roots: later(&mine), aside: Aside::default(), urgent: true };
    let out = state.on_request(
        principal(2),
        ReplyId(1),
        &urgent.encode(),
        at(2),
        &mine,
        &Aside::default(),
    );
    let [Output::Reply { .. }, Output::Aside { .. }, Output::Complete { .. }] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(state.under_way(), 0);
    // What both know is compared as ever: the acts, and never the unknown set.
    let mut theirs = mine.clone();
    theirs.merge_act(crate::fixture::admission(1, 9));
    let other = Response::encode_roots(&later(&theirs), &Aside::default());
    state.on_connected(principal(2), &mine, &Aside::default());
    let asked = request(state.on_response(principal(2), &other, at(3), &mine));
    assert!(matches!(asked, Some(Request::Ranges { kind: Kind::ACT, .. })), "{asked:?}");
}

#[test]
fn of_an_unknown_set_there_is_nothing_to_list() {
    let asked = Request::Ranges { kind: LATER.0, ranges: vec![(Bounds::ALL, LATER.1)] };
    let body = answer(&mut engine(2), 1, &asked, &strew(2, 3));
    let Ok(Response::Pieces(pieces)) = Response::decode(&body, &context(1)) else {
        panic!("an answer")
    };
    assert!(pieces.is_empty());
}

/// The greatest body: an act has 42 bytes besides.
const BODY_MAX: usize = crux_crdt::act::ACT_BYTES_MAX - 42;

/// A hundred acts of the greatest size make some 13 MB: no answer has more than 1 MiB of them.
#[test]
fn a_hundred_of_the_greatest_acts_converge_in_several_answers() {
    let mut mine = strew(1, 3);
    let mut theirs = mine.clone();
    for number in 1..=100 {
        theirs.merge_act(unknown(3, number, BODY_MAX));
    }
    let (mut state, mut other) = (engine(1), engine(2));
    let mut asked = request(state.on_connected(principal(2), &mine, &Aside::default()));
    let mut fetches = Vec::new();
    while let Some(request_now) = asked {
        let body = answer(&mut other, 1, &request_now, &theirs);
        assert!(body.len() < crux_protocol::link::Protocol::Sync.max_body() / 2);
        let mut outputs = state.on_response(principal(2), &body, at(1), &mine);
        if let [Output::Merge { facts, .. }] = &outputs[..] {
            let Some((Kind::ACT, ids)) = keys_of(&request_now) else { panic!("{request_now:?}") };
            fetches.push((ids.len(), facts.len()));
        }
        if outputs.iter().any(|output| merge(&mut mine, output)) {
            outputs = state.resume(principal(2), news(), at(1), &mine);
        }
        asked = request(outputs);
    }
    // Eight in each answer, and the rest again in the next request, in one session.
    let expected: Vec<_> = (0..13).map(|n| (100 - 8 * n, 8.min(100 - 8 * n))).collect();
    assert_eq!(fetches, expected);
    assert_eq!(mine.digest(), theirs.digest());
    assert!(!state.is_busy());
}

/// Small acts come first in an answer, because they make the members whose acts are taken.
#[test]
fn an_answer_has_the_small_acts_first_and_one_whatever_its_size() {
    let large: Vec<_> = (1..=9).map(|number| unknown(3, number, BODY_MAX)).collect();
    let small = crate::fixture::admission(1, 3);
    let acts = |of: &[u8]| match Response::decode(of, &context(1)) {
        Ok(Response::Facts { kind: Kind::ACT, facts }) => facts,
        other => panic!("{other:?}"),
    };
    let answer = acts(&answer_acts(large.iter().chain([&small])));
    assert_eq!(answer.len(), 8, "seven of the nine fit beside it");
    assert_eq!(answer[0].id(), small.id());
    assert_eq!(acts(&answer_acts(large[..1].iter())).len(), 1);
    assert!(acts(&answer_acts([].iter())).is_empty());
}

/// A peer that answers with acts that nobody asked for gets no further request for them.
#[test]
fn a_peer_whose_answer_has_nothing_of_what_was_asked_is_not_asked_again() {
    let mine = strew(1, 3);
    let mut theirs = mine.clone();
    (1..=3).for_each(|number| _ = theirs.merge_act(unknown(3, number, 10)));
    let mut state = engine(1);
    state.on_connected(principal(2), &mine, &Aside::default());
    let other = Response::encode_roots(&Roots::of(&theirs), &Aside::default());
    let ranges = request(state.on_response(principal(2), &other, at(0), &mine)).unwrap();
    let body = answer(&mut engine(2), 1, &ranges, &theirs);
    let asked = request(state.on_response(principal(2), &body, at(0), &mine));
    let Some((Kind::ACT, ids)) = asked.as_ref().and_then(keys_of) else { panic!("{asked:?}") };
    assert_eq!(ids.len(), 3);
    // One of three: the other two are asked for again.
    let one = answer_acts([theirs.act(&ids[1]).unwrap()].into_iter());
    state.on_response(principal(2), &one, at(0), &mine);
    let again = request(state.resume(principal(2), news(), at(0), &mine));
    assert_eq!(again, Some(fetch(Kind::ACT, &[ids[0], ids[2]])));
    // None of two.
    let none = answer_acts([&unknown(3, 9, 10)].into_iter());
    state.on_response(principal(2), &none, at(0), &mine);
    let next = request(state.resume(principal(2), news(), at(0), &mine));
    assert!(matches!(next, Some(Request::Ranges { kind: Kind::RECORD, .. })), "{next:?}");
}

/// A peer adds to its answer what it was not asked for: none of it is merged, nor is its signature checked.
#[test]
fn acts_that_nobody_asked_for_are_neither_checked_nor_merged() {
    let (mine, theirs) = (strew(1, 2), strew(2, 5));
    let mut state = engine(1);
    state.on_connected(principal(2), &mine, &Aside::default());
    let other = Response::encode_roots(&Roots::of(&theirs), &Aside::default());
    let asked = request(state.on_response(principal(2), &other, at(0), &mine)).unwrap();
    let unasked = answer_acts(theirs.acts());
    let body = answer(&mut engine(2), 1, &asked, &theirs);
    let asked = request(state.on_response(principal(2), &body, at(0), &mine));
    let Some((Kind::ACT, ids)) = asked.as_ref().and_then(keys_of) else { panic!("{asked:?}") };
    let extra = unknown(2, 700, 100);
    let all: Vec<_> = ids.iter().filter_map(|id| theirs.act(id)).collect();
    let twice = all.iter().chain(&all).copied().chain([&extra]);
    let mut body = answer_acts(twice.collect::<Vec<_>>().into_iter());
    // The signature of the last one is wrong.
    let at_extra = body.windows(32).position(|part| *part == extra.signature()[..32]).unwrap();
    body[at_extra] ^= 1;
    let out = state.on_response(principal(2), &body, at(0), &mine);
    let [Output::Merge { facts: acts, .. }] = &out[..] else { panic!("{out:?}") };
    assert_eq!(acts.len(), ids.len());
    assert!(acts.iter().all(|act| ids.contains(&act.id())));
    // Acts once more, where nothing is owed: the session ends.
    let out = state.on_response(principal(2), &unasked, at(0), &mine);
    assert!(!out.iter().any(|output| matches!(output, Output::Merge { .. })), "{out:?}");
    assert!(!state.is_busy());
}
