//! Bytes of every kind for whatever decodes what peers send of blobs.
//!
//! `PROPTEST_CASES=100000 cargo test --workspace fuzz` looks for longer than the gate does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::blob::{BLOB_BYTES_MAX, PIECE_BODY_MAX, PIECE_BYTES, PieceSet, piece_count};
use crux_crdt::sign::Verifier;
use crux_protocol::context::Context;
use crux_protocol::link::{ReplyId, RequestId};
use crux_protocol::pastiche::{
    Command, Config, DESCRIPTORS_MAX, Event, Facts, Holding, OTHERS_MAX, Request, Response, State,
    TryFailure, WHOLE_BYTES_MAX, Waiter,
};
use proptest::prelude::*;

use crate::fixture::{BLOB, ROOT, at, context, descriptor, mib, principal};

/// Lets what was damaged past the signature, to what decodes behind it.
struct Credulous;

impl Verifier for Credulous {
    fn verify(&self, _: &Principal, _: &[u8], _: &[u8; 64]) -> bool {
        true
    }
}

fn credulous() -> Context {
    Context { verifier: Arc::new(Credulous), ..context(0) }
}

/// Good messages, one of each.
fn good() -> Vec<Vec<u8>> {
    let size = mib(20) + 1;
    let mut part = PieceSet::none(size);
    [0, 7, 20].into_iter().for_each(|index| _ = part.insert(index));
    let have = |pieces| Response::Have {
        holding: Holding { root: ROOT, size, pieces },
        descriptors: vec![descriptor(1, ROOT, size), descriptor(2, ROOT, size)],
        others: vec![principal(1), principal(2)],
    };
    let responses = [
        have(PieceSet::all(size)),
        have(part.clone()),
        Response::Piece { pieces: Some(part), body: vec![7; 100] },
        Response::Piece { pieces: None, body: vec![7; 100] },
        Response::Whole(vec![7; 100]),
        Response::Busy { retry_after: Duration::from_millis(70) },
        Response::Unknown,
    ];
    let requests = [
        Request::Have { blob: BLOB, brief: true },
        Request::Piece { blob: BLOB, root: ROOT, index: 3 },
    ];
    let requests = requests.iter().map(Request::encode);
    responses.iter().map(Response::encode).chain(requests).collect()
}

/// What befalls bytes: overwritten, left out, put in twice, cut off, repeated.
fn damage(mut bytes: Vec<u8>, what: &[(u8, u16, u8)]) -> Vec<u8> {
    for (how, place, value) in what {
        if bytes.is_empty() {
            return bytes;
        }
        let place = usize::from(*place) % bytes.len();
        let span = usize::from(*value).min(bytes.len() - place);
        match how % 6 {
            0 => bytes[place] = *value,
            1 => bytes[place] ^= 1 << (value % 8),
            2 => drop(bytes.drain(place..place + span)),
            3 => bytes.truncate(place),
            4 => bytes.insert(place, *value),
            _ => bytes.extend_from_within(place..place + span),
        }
    }
    bytes
}

/// A message that was good until something happened to it, or one that never was.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let good = prop::sample::select(good());
    let damaged = (good, prop::collection::vec(any::<(u8, u16, u8)>(), 0..6));
    prop_oneof![
        damaged.prop_map(|(bytes, what)| damage(bytes, &what)),
        prop::collection::vec(any::<u8>(), 0..300),
    ]
}

/// What was decoded is within every bound, and is one spelling of what it says.
fn is_bounded(bytes: &[u8]) {
    if let Ok(request) = Request::decode(bytes) {
        assert_eq!(request.encode(), bytes);
    }
    let Ok(response) = Response::decode(bytes, &credulous()) else { return };
    match &response {
        Response::Have { holding, descriptors, others } => {
            assert!(holding.size <= BLOB_BYTES_MAX);
            assert_eq!(holding.pieces.count(), piece_count(holding.size));
            assert!(descriptors.len() <= DESCRIPTORS_MAX && others.len() <= OTHERS_MAX);
        }
        Response::Piece { pieces, body } => {
            assert!(body.len() <= PIECE_BODY_MAX && body.len() <= bytes.len());
            assert!(pieces.as_ref().is_none_or(|it| it.count() as usize <= bytes.len() * 8));
        }
        Response::Busy { retry_after } => assert!(*retry_after <= Duration::from_secs(10)),
        Response::Whole(data) => assert!(data.len() <= WHOLE_BYTES_MAX.min(bytes.len())),
        Response::Unknown => {}
    }
    let again = Response::decode(&response.encode(), &credulous());
    assert_eq!(again.ok(), Some(response), "what is passed on says the same");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fuzz_messages(bytes in message()) {
        is_bounded(&bytes);
    }

    /// An engine that two peers tell anything: it answers each request once, asks nobody twice under
    /// one name, and writes only what is of the tree it follows.
    #[test]
    fn fuzz_engine(told in prop::collection::vec((message(), any::<u8>()), 1..40)) {
        let mut state = State::new(Config::default(), credulous(), [1; 32]);
        let linked: BTreeSet<_> = [principal(1), principal(2)].into();
        let facts = Facts { linked: &linked, is_member: &|_| true, holders: &|_| Vec::new() };
        let mut open = BTreeSet::new();
        let mut owed = BTreeMap::new();
        let wait = Duration::from_secs(10);
        let mut events = vec![Event::Get { waiter: Waiter(1), blob: BLOB, wait }];
        for (step, (body, how)) in (1_u64..).zip(told) {
            let peer = principal(1 + how % 2);
            if how < 128 {
                owed.insert(ReplyId(step), 0);
                events.push(Event::Request { reply: ReplyId(step), peer, body });
            } else if let Some(id) = open.pop_first() {
                events.push(Event::Response { id, body });
            }
            while let Some(event) = events.pop() {
                for command in state.handle(event, at(step * 7), &facts) {
                    obey(&command, &mut open, &mut owed, &mut events);
                }
            }
        }
        prop_assert!(owed.values().all(|answers| *answers <= 1));
    }
}

/// A store that has nothing and takes everything.
fn obey(
    command: &Command,
    open: &mut BTreeSet<RequestId>,
    owed: &mut BTreeMap<ReplyId, usize>,
    events: &mut Vec<Event>,
) {
    match *command {
        Command::Send { id, .. } => assert!(open.insert(id), "a name is used once"),
        Command::Reply { reply, .. } => {
            *owed.get_mut(&reply).expect("somebody asked") += 1;
            events.push(Event::Replied { reply });
        }
        Command::Begin { blob, root, size } => {
            assert!(size <= BLOB_BYTES_MAX);
            events.push(Event::Begun { blob, root, size, result: Ok(PieceSet::none(size)) });
        }
        Command::Try { blob, root, size, .. } => {
            assert!(size <= PIECE_BYTES);
            events.push(Event::Tried { blob, root, size, result: Err(TryFailure::Mismatch) });
        }
        Command::Write { blob, root, index, .. } => {
            events.push(Event::Written { blob, root, index, result: Ok(()) });
        }
        Command::Seal { blob, .. } => events.push(Event::Sealed { blob, result: Ok(()) }),
        Command::Look { read, .. } => events.push(Event::Looked { read, found: None }),
        Command::Read { read, .. } => events.push(Event::Read { read, bytes: None }),
        _ => {}
    }
}
