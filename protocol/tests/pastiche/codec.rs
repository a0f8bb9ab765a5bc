//! Messages round trip, and nothing else is one.

use std::time::Duration;

use crux_crdt::blob::{PIECE_BODY_MAX, PieceSet};
use crux_protocol::link::Protocol;
use crux_protocol::pastiche::{Holding, Request, Response, WHOLE_BYTES_MAX};
use proptest::prelude::*;

use crate::fixture::{BLOB, ROOT, context, descriptor, mib, principal};

fn part() -> PieceSet {
    let mut pieces = PieceSet::none(mib(11));
    assert!([0, 3, 10].into_iter().all(|index| pieces.insert(index)));
    pieces
}

fn responses() -> Vec<Response> {
    let holding = |pieces, size| Holding { root: ROOT, size, pieces };
    let descriptors = vec![descriptor(1, ROOT, mib(11)), descriptor(2, ROOT, mib(11))];
    let others = vec![principal(3)];
    vec![
        Response::Have { holding: holding(part(), mib(11)), descriptors, others },
        Response::Have {
            holding: holding(PieceSet::all(mib(11)), mib(11)),
            descriptors: Vec::new(),
            others: Vec::new(),
        },
        Response::Piece { pieces: Some(part()), body: vec![1, 2, 3] },
        Response::Piece { pieces: None, body: vec![7; 4] },
        Response::Busy { retry_after: Duration::from_millis(250) },
        Response::Unknown,
        Response::Whole(Vec::new()),
        Response::Whole(vec![3; WHOLE_BYTES_MAX]),
    ]
}

#[test]
fn what_was_encoded_is_decoded() {
    let requests = [
        Request::Have { blob: BLOB, brief: false },
        Request::Have { blob: BLOB, brief: true },
        Request::Piece { blob: BLOB, root: ROOT, index: (1 << 20) - 1 },
    ];
    for request in requests {
        assert_eq!(Request::decode(&request.encode()), Ok(request));
    }
    for response in responses() {
        assert_eq!(Response::decode(&response.encode(), &context(0)), Ok(response));
    }
    let largest = Response::Piece { pieces: None, body: vec![7; PIECE_BODY_MAX] };
    assert!(largest.encode().len() <= Protocol::Pastiche.max_body());
    assert_eq!(Response::decode(&largest.encode(), &context(0)), Ok(largest));
}

#[test]
fn what_is_cut_short_or_too_long_is_refused() {
    for response in responses() {
        let mut bytes = response.encode();
        for length in 0..bytes.len() {
            assert!(Response::decode(&bytes[..length], &context(0)).is_err(), "{length}");
        }
        bytes.push(0);
        assert!(Response::decode(&bytes, &context(0)).is_err());
    }
}

#[test]
fn lies_about_size_are_refused() {
    let holding = Holding { root: ROOT, size: mib(12), pieces: part() };
    let wrong = Response::Have { holding, descriptors: Vec::new(), others: Vec::new() };
    assert!(Response::decode(&wrong.encode(), &context(0)).is_err(), "a map of another size");
    let index = Request::Piece { blob: BLOB, root: ROOT, index: 1 << 20 };
    assert!(Request::decode(&index.encode()).is_err());
    let body = vec![0; PIECE_BODY_MAX + 1];
    let long = Response::Piece { pieces: None, body };
    assert!(Response::decode(&long.encode(), &context(0)).is_err());
    let forever = Response::Busy { retry_after: Duration::from_secs(1 << 40) };
    let believed = Response::Busy { retry_after: Duration::from_secs(10) };
    assert_eq!(Response::decode(&forever.encode(), &context(0)), Ok(believed));
}

#[test]
fn a_forged_statement_is_refused() {
    let holding = Holding { root: ROOT, size: mib(11), pieces: part() };
    let descriptors = vec![descriptor(1, ROOT, mib(11))];
    let mut bytes = Response::Have { holding, descriptors, others: Vec::new() }.encode();
    let inside = bytes.len() - 20;
    bytes[inside] ^= 1;
    assert!(Response::decode(&bytes, &context(0)).is_err());
}

proptest! {
    #[test]
    fn noise_is_refused_or_is_what_it_encodes_to(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(request) = Request::decode(&bytes) {
            prop_assert_eq!(request.encode(), bytes.clone());
        }
        if let Ok(response) = Response::decode(&bytes, &context(0)) {
            let again = Response::decode(&response.encode(), &context(0));
            prop_assert_eq!(again, Ok(response));
        }
    }
}
