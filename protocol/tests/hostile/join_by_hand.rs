//! A handshake, from the joiner's side.

use std::sync::Arc;

use crux_crdt::canon::{Canonical, Encoder};
use crux_crdt::hash::sha3;
use crux_crdt::sign::{Ed25519, Identity};
use crux_crdt::{Digest, Principal};
use crux_protocol::context::{Apart, Context};
use crux_protocol::flock::Event;
use crux_protocol::genesis::{InitialSecret, JoinKey};
use crux_protocol::join::{Hello, Request, Response};
use crux_protocol::link::{self, Command, Protocol};
use zeroize::Zeroizing;

use crate::rig::{FLOCK, Rig};

fn of_hello(joiner: Principal, sponsor: Principal, hello: &Hello) -> Digest {
    let mut out = Encoder::default();
    out.digest(&FLOCK).principal(&joiner).principal(&sponsor).bytes(&hello.to_canonical());
    sha3("crux/join/hello/2", &[&out.finish()])
}

/// Joins through the node in the rig, alone or with a flock. Panics unless it is welcomed.
pub(crate) fn join(rig: &mut Rig, joiner: &Identity, alone: bool) {
    let answer = try_to_join(rig, joiner, alone);
    assert!(matches!(answer, Response::Welcome { .. }), "{answer:?}");
}

/// Joins through the node in the rig, with both factors. Returns what it answers in the end.
pub(crate) fn try_to_join(rig: &mut Rig, joiner: &Identity, alone: bool) -> Response {
    let (me, sponsor) = (joiner.principal(), rig.state.me());
    let context = Context {
        flock: FLOCK,
        operator: None,
        me,
        verifier: Arc::new(Ed25519),
        sharing: Arc::new(Apart),
    };
    let key = JoinKey::initial(&InitialSecret::new(Zeroizing::new([3; 32])));
    let hello = Hello {
        nonce: [4; 32],
        name: None,
        addresses: vec!["127.0.0.1:2000".parse().expect("an address")],
        agreement_key: [0; 32],
        incarnation: 1,
        alone,
        after: key.after().clone(),
    };
    let said = of_hello(me, sponsor, &hello);
    let reply = rig.request(me, Protocol::Join, Request::Hello(hello.clone()).encode());
    let reply = Response::decode(&reply.expect("a reply"), &context).expect("well made");
    let Response::Challenge { nonce, .. } = reply else { panic!("no challenge: {reply:?}") };
    let challenge = sha3("crux/join/challenge/2", &[&said.0, &nonce]);
    let proof = Request::Proof { hello, nonce, proof: key.prove("J", &challenge) }.encode();
    assert!(rig.request(me, Protocol::Join, proof).is_none(), "it calls back first");
    let dial = rig.links.iter().find_map(|command| match command {
        Command::Dial { id, .. } => Some(*id),
        _ => None,
    });
    let (id, addr) = (dial.expect("a callback"), "127.0.0.1:2000".parse().expect("an address"));
    rig.links.clear();
    rig.give(Event::Link(link::Event::Dialled { id, peer: me, addr }));
    let callback = rig.links.iter().find_map(|command| match command {
        Command::Request { id, body, .. } => Some((*id, body.clone())),
        _ => None,
    });
    let (id, body) = callback.expect("a callback");
    let callback = Request::decode(&body, &context).expect("well made");
    let Request::Callback { transcript, nonce } = callback else { panic!("no callback") };
    let mut message = Encoder::default();
    message.str("crux/join/callback/2").digest(&transcript).fixed(&nonce);
    let signature = joiner.sign_raw(&message.finish());
    let body = Response::CalledBack(signature).encode();
    rig.links.clear();
    rig.give(Event::Link(link::Event::Response { id, peer: me, body }));
    let answer = rig.links.iter().find_map(|command| match command {
        Command::Reply { body, .. } => Response::decode(body, &context).ok(),
        _ => None,
    });
    answer.expect("an answer")
}
