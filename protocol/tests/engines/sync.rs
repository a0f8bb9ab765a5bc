use crux_crdt::strew::{Bounds, Strew};
use crux_protocol::link::ReplyId;
use crux_protocol::sync::{Aside, Config, Output, Piece, Request, Response, Roots, SetKind, State};

use crate::fixture::{at, context, principal, record, rng, strew};

fn engine(me: u8) -> State {
    State::new(Config::default(), context(me), at(0))
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
    assert_eq!(Roots::of(&mine).registers, Roots::of(&theirs).registers);
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
            outputs = state.resume(principal(2), true, at(1), &mine);
        }
        asked = request(outputs);
    }
    assert_eq!(mine.digest(), theirs.digest());
}

fn merge(mine: &mut Strew, output: &Output) -> bool {
    match output {
        Output::MergeActs { acts, .. } => {
            acts.iter().for_each(|act| _ = mine.merge_act(act.clone()));
            true
        }
        Output::MergeRecords { frames, .. } => {
            for frame in frames {
                let whole = frame.clone().complete(None).unwrap().unwrap();
                mine.merge_record(whole.into());
            }
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
    let asked = Request::Ranges { set: SetKind::Registers, ranges: vec![(Bounds::ALL, nothing)] };
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
    let lies = Roots { registers: lie, acts: lie };
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
    assert!(matches!(&out[..], [Output::Reply { body, .. }] if body.is_empty()), "{out:?}");
    assert!(state.on_response(principal(2), &[0xff; 40], at(1), &mine).is_empty());
    assert!(!state.is_busy());
}
