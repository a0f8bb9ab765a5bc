//! Bytes that nobody made on purpose, and such that were good until something happened to them.

use crux_crdt::fact::Kind;
use crux_crdt::record::Frame;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::act::{After, Statement};
use crux_crdt::canon::Decoder;
use crux_crdt::record::Profile;
use crux_crdt::sign::{Signed, Verifier};
use crux_crdt::{Digest, Principal};
use crux_protocol::context::{Apart, Context};
use crux_protocol::join::{Chain, Hello, Refusal, Request, Response};
use crux_protocol::link::{Protocol, Topic};
use crux_protocol::liveness::{Beacon, Notice, Run};
use crux_protocol::{leader, sync};
use proptest::prelude::*;

use crate::rig::{FLOCK, Rig, act, admit, command, marker, record, sealed, sealed_act, who};

/// Lets what was damaged past the signature, to what decodes behind it.
struct Credulous;

impl Verifier for Credulous {
    fn verify(&self, _: &Principal, _: &[u8], _: &[u8; 64]) -> bool {
        true
    }
}

fn credulous() -> Context {
    Context {
        operator: None,
        flock: FLOCK,
        me: who(1).principal(),
        verifier: Arc::new(Credulous),
        sharing: Arc::new(Apart),
    }
}

/// Every message that a stranger may send: all of `/crux/join/2`.
fn join_requests() -> Vec<Vec<u8>> {
    let hello = Hello {
        nonce: [4; 32],
        name: Some("n5".parse().expect("a name")),
        addresses: vec!["127.0.0.1:2000".parse().expect("an address"); 2],
        agreement_key: [5; 32],
        incarnation: 1,
        alone: true,
        after: After::default(),
    };
    let requests = [
        Request::Knock { known: true },
        Request::Hello(hello.clone()),
        Request::Proof { hello, nonce: [5; 32], proof: [6; 32] },
        Request::Callback { transcript: Digest([7; 32]), nonce: [8; 32] },
        Request::Admission(admit(&who(5), &who(1))),
        Request::Present(Chain::of(&[admit(&who(6), &who(4)), admit(&who(4), &who(5))])),
    ];
    requests.iter().map(Request::encode).collect()
}

/// Everything that is sent, one of each.
fn everything() -> Vec<Vec<u8>> {
    let admission = admit(&who(5), &who(1));
    let responses = [
        Response::Standing { known: true, acts: vec![admission.clone()] },
        Response::Challenge { nonce: [1; 32], proof: [2; 32] },
        Response::Welcome { admission: admission.clone(), epoch: vec![3; 9] },
        Response::CalledBack([4; 64]),
        Response::Refused(Refusal::NameTaken(who(3).principal())),
    ];
    let record = record(&who(5), marker(1), Profile::default());
    let beacon = Beacon {
        incarnation: 1,
        counter: 2,
        uptime: Duration::from_secs(9),
        state_digest: Digest([3; 32]),
        restart: None,
        run: Run::default(),
    };
    let beacon = Notice::Beacon(Signed::sign(beacon, &FLOCK, &who(5))).encode();
    let told = [sync::Hearsay { age: Duration::from_millis(1_500), beacon: beacon.clone() }];
    let claim = leader::Claim { n: 3, principal: who(5).principal() };
    let leading = Profile { claim: 3, ..Profile::default() };
    let leading = crate::rig::record(&who(5), marker(1), leading);
    let leave = act(&who(5), 2, Statement::Leave { incarnation: 1 });
    let wanted = sync::Wanted { key: Digest([1; 32]), held: vec![[2; 8]] };
    let others = [
        sync::Request::Facts { kind: Kind::ACT, wanted: vec![wanted.clone(); 3] }.encode(),
        sync::Request::Store(sealed(&record)).encode(),
        sync::Request::Beacons(vec![who(5).principal(); 3]).encode(),
        sync::Response::encode_beacons(&told),
        sync::Response::encode_facts(
            Kind::ACT,
            vec![(admission.into(), &wanted), (leave.clone().into(), &wanted)],
        ),
        command(&leading),
        leader::Response::Held(claim).encode(),
        sealed(&record),
        sealed_act(&leave),
        beacon,
    ];
    let responses = responses.iter().map(Response::encode);
    join_requests().into_iter().chain(responses).chain(others).collect()
}

/// Some of these bytes, with a few of them changed, and perhaps cut or made longer.
fn damaged(good: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    use prop::collection::vec;
    use prop::sample::{Index, select};
    let edits = vec((any::<Index>(), any::<u8>()), 0..4);
    (select(good), edits, any::<Index>(), vec(any::<u8>(), 0..4)).prop_map(
        |(mut bytes, edits, cut, more)| {
            edits.iter().for_each(|(at, value)| *at.get_mut(&mut bytes) = *value);
            bytes.truncate(bytes.len() - cut.index(bytes.len()) / 4);
            bytes.extend(more);
            bytes
        },
    )
}

fn rubbish(good: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..600), 3 => damaged(good)]
}

/// A message that decodes equals the one that would have been sent, to the byte.
fn has_one_spelling(bytes: &[u8]) {
    let context = credulous();
    let again = [
        Request::decode(bytes, &context).ok().map(|it| it.encode()),
        Response::decode(bytes, &context).ok().map(|it| it.encode()),
        sync::Request::decode(bytes).ok().map(|it| it.encode()),
        leader::Request::decode(bytes, &context).ok().map(|it| it.encode()),
        Notice::decode(bytes, &context).ok().map(|it| it.encode()),
    ];
    for again in again.into_iter().flatten() {
        assert_eq!(again, bytes, "two spellings of one message");
    }
    drop(sync::Response::decode(bytes, &context));
    drop(leader::Response::decode(bytes));
    drop(Frame::open(&mut Decoder::new(bytes), &FLOCK, &Credulous));
}

#[test]
fn what_is_not_damaged_decodes() {
    let context = credulous();
    for bytes in join_requests() {
        assert!(Request::decode(&bytes, &context).is_ok());
    }
    everything().iter().for_each(|bytes| has_one_spelling(bytes));
}

proptest! {
    #[test]
    fn every_decoder_ends_with_a_value_or_an_error(bytes in rubbish(everything())) {
        has_one_spelling(&bytes);
    }

    /// However many a stranger sends, on one node: each is answered or starts a call back, and
    /// nothing is kept.
    #[test]
    fn a_stranger_is_answered_and_leaves_no_trace(
        bodies in prop::collection::vec(rubbish(join_requests()), 1..12),
    ) {
        let mut rig = Rig::new();
        let stranger = who(5).principal();
        rig.connect(stranger, false);
        let (digest, written) = (rig.state.strew().digest(), rig.written.len());
        for body in bodies {
            prop_assert!(rig.request(stranger, Protocol::Join, body).is_some());
        }
        prop_assert_eq!(rig.state.strew().digest(), digest);
        prop_assert_eq!(rig.written.len(), written);
        rig.run(std::time::Duration::from_secs(15));
        prop_assert_eq!(rig.state.strew().digest(), digest);
    }

    /// A member may say things; it may not break anything, nor speak for others.
    #[test]
    fn a_member_that_sends_anything_breaks_nothing(
        bodies in prop::collection::vec(rubbish(everything()), 1..12),
    ) {
        let member = who(4);
        let mut rig = Rig::with_member(&member, Profile::default());
        let members: Vec<_> = rig.state.strew().membership().members().collect();
        let said = rig.state.strew().record(&member.principal()).cloned();
        for body in bodies {
            for topic in Topic::ALL {
                rig.gossip(member.principal(), topic, body.clone());
            }
            for protocol in [Protocol::Join, Protocol::Sync, Protocol::Call] {
                rig.request(member.principal(), protocol, body.clone());
            }
        }
        rig.run(std::time::Duration::from_secs(1));
        let strew = rig.state.strew();
        prop_assert_eq!(strew.membership().members().collect::<Vec<_>>(), members);
        prop_assert_eq!(strew.record(&member.principal()).cloned(), said);
        prop_assert!(strew.record(&who(5).principal()).is_none(), "it is no member");
        let me = rig.state.me();
        prop_assert!(rig.register("still-here", None), "it works");
        prop_assert_eq!(rig.state.incarnation(), 1);
        prop_assert!(rig.state.strew().shown_record(&me).is_some());
    }
}
