//! Whether a peer of another version is named, and not blamed.

use crux_crdt::act::{Act, Statement};
use crux_crdt::canon::{Canonical as _, Encoder};
use crux_crdt::fact::Kind;
use crux_crdt::record::{Header, Profile};
use crux_crdt::sign::Signable;
use crux_protocol::flock::{Event, Notice, OtherVersion};
use crux_protocol::join::Response as Joined;
use crux_protocol::link::{self, Protocol, RequestFailure, Topic, Verdict};
use crux_protocol::sync::{Aside, Response, Roots};

use super::{SECOND, tomorrow};
use crate::rig::{FLOCK, Rig, act, gossiped, marker, record, who};

fn rig() -> Rig {
    let mut rig = Rig::with_member(&tomorrow(), Profile::default());
    rig.notices.clear();
    rig
}

fn named(rig: &Rig) -> Vec<&Notice> {
    rig.notices.iter().filter(|notice| matches!(notice, Notice::OtherVersion { .. })).collect()
}

fn blamed(rig: &Rig) -> bool {
    rig.notices.iter().any(|notice| matches!(notice, Notice::Misbehaved { .. }))
}

/// Something that its author signed, in a version that came after this build.
struct Tomorrow(&'static str, Vec<u8>);

fn signed<T: Signable>(mut body: Vec<u8>, version: u8) -> Vec<u8> {
    body[0] = version;
    let mut message = Encoder::default();
    let by = tomorrow();
    message.str(T::DOMAIN).digest(&FLOCK).principal(&by.principal()).fixed(&body);
    let mut out = Encoder::default();
    out.principal(&by.principal()).fixed(&by.sign_raw(&message.finish())).bytes(&body);
    out.finish()
}

fn messages() -> Vec<Tomorrow> {
    let leave = act(&tomorrow(), 2, Statement::Leave { incarnation: 1 });
    let header = record(&tomorrow(), marker(2), Profile::default());
    let act = signed::<Act>(leave.value().to_canonical(), 3);
    let header = signed::<Header>(header.header().value().to_canonical(), 9);
    vec![
        Tomorrow("facts of kind 7", vec![7; 200]),
        Tomorrow("act version 3", [&[Kind::ACT.0][..], &act].concat()),
        Tomorrow("header version 9", [&[Kind::RECORD.0][..], &header].concat()),
    ]
}

/// It is not judged as a lie, not kept and not passed on; the peer is named once, with its address.
#[test]
fn a_peer_that_gossips_what_this_build_cannot_read_is_named_once_and_not_blamed() {
    for Tomorrow(what, data) in messages() {
        let mut rig = rig();
        let digest = rig.state.strew().digest();
        for _ in 0..50 {
            let verdict = rig.gossip(tomorrow().principal(), Topic::Fact, data.clone());
            assert_eq!(verdict, Verdict::Ignore, "{what}");
        }
        let [Notice::OtherVersion { addr, what: told }] = &named(&rig)[..] else {
            panic!("{what}: {:?}", rig.notices)
        };
        assert_eq!((addr.as_str(), told.as_str()), ("127.0.0.1:2000", &*format!("it sent {what}")));
        assert_eq!(
            named(&rig)[0].to_string(),
            format!(
                "peer at 127.0.0.1:2000 runs another version: it sent {what}; upgrade one of them"
            )
        );
        assert!(!blamed(&rig));
        assert_eq!(rig.state.strew().digest(), digest);
        let told = OtherVersion { addr: addr.clone(), what: told.clone() };
        assert_eq!(rig.state.other_versions(), [told]);
        // Upgraded, or restarted as another build, it is no more; and it is not told again if it is.
        rig.connect(tomorrow().principal(), true);
        assert!(rig.state.other_versions().is_empty());
        rig.gossip(tomorrow().principal(), Topic::Fact, data);
        assert_eq!((named(&rig).len(), rig.state.other_versions().len()), (1, 1));
    }
}

/// What breaks a rule of this build's own formats is a lie as before.
#[test]
fn a_lie_in_a_known_format_is_still_a_lie() {
    let mut rig = rig();
    let mut forged = gossiped(&record(&tomorrow(), marker(2), Profile::default()));
    forged[40] ^= 1;
    for data in [vec![0; 100], vec![Kind::ACT.0; 100], forged] {
        let verdict = rig.gossip(tomorrow().principal(), Topic::Fact, data);
        assert_eq!(verdict, Verdict::Reject);
    }
    assert!(blamed(&rig) && named(&rig).is_empty());
}

/// Answers the last request over this protocol with this failure.
fn fail_last(rig: &mut Rig, protocol: Protocol) -> bool {
    let peer = tomorrow().principal();
    let sent = rig.links.iter().rev().find_map(|command| match command {
        link::Command::Request { id, peer: to, protocol: by, .. }
            if *to == peer && *by == protocol =>
        {
            Some(*id)
        }
        _ => None,
    });
    let Some(id) = sent else { return false };
    rig.links.clear();
    let failure = RequestFailure::Unsupported;
    rig.give(Event::Link(link::Event::RequestFailed { id, peer, failure }));
    true
}

fn dialled(rig: &mut Rig, member: bool) {
    let (peer, outbound) = (tomorrow().principal(), true);
    let addr = "192.0.2.9:7117".parse().expect("an address");
    rig.links.clear();
    rig.give(Event::Link(link::Event::Connected { peer, addr, outbound, member }));
}

/// The protocol of joins is served to everybody: who lacks it is of another version.
#[test]
fn a_peer_without_the_protocol_of_joins_is_named_once() {
    let mut rig = Rig::new();
    rig.notices.clear();
    dialled(&mut rig, false);
    rig.run(SECOND);
    assert!(fail_last(&mut rig, Protocol::Join), "it knocked");
    let [Notice::OtherVersion { addr, what }] = &named(&rig)[..] else {
        panic!("{:?}", rig.notices)
    };
    assert_eq!(addr, "192.0.2.9:7117");
    assert_eq!(what, "it does not speak /crux/join/2");
    // It is not knocked at all the time, and not named again.
    rig.run(5 * SECOND);
    assert!(!fail_last(&mut rig, Protocol::Join));
    dialled(&mut rig, false);
    rig.run(SECOND);
    assert!(fail_last(&mut rig, Protocol::Join));
    assert_eq!((named(&rig).len(), rig.state.other_versions().len()), (1, 1));
    assert!(!blamed(&rig));
}

/// A peer that says it knows this node, and does not serve what members get: once it is a gate that is not open
/// yet, again and again it is another version.
#[test]
fn a_member_that_never_serves_members_is_named() {
    let mut rig = rig();
    let mut redials = 0;
    while named(&rig).is_empty() {
        redials += 1;
        assert!(redials <= 6, "it is named after five");
        dialled(&mut rig, true);
        assert!(fail_last(&mut rig, Protocol::Sync), "it compares roots");
        if !named(&rig).is_empty() {
            break;
        }
        rig.run(SECOND);
        let knock = rig.links.iter().find_map(|command| match command {
            link::Command::Request { id, protocol: Protocol::Join, .. } => Some(*id),
            _ => None,
        });
        let known = Joined::Standing { known: true, acts: Vec::new() };
        let (id, peer) = (knock.expect("it knocks"), tomorrow().principal());
        rig.give(Event::Link(link::Event::Response { id, peer, body: known.encode() }));
        rig.give(Event::Link(link::Event::Disconnected { peer }));
    }
    assert_eq!(redials, 6);
    let [Notice::OtherVersion { addr, what }] = &named(&rig)[..] else { panic!("one") };
    assert_eq!(
        (addr.as_str(), what.as_str()),
        ("192.0.2.9:7117", "it does not speak /crux/sync/4")
    );
    assert_eq!(rig.state.other_versions().len(), 1);
    // Upgraded, it answers.
    dialled(&mut rig, true);
    let roots = rig.links.iter().find_map(|command| match command {
        link::Command::Request { id, protocol: Protocol::Sync, .. } => Some(*id),
        _ => None,
    });
    let body = Response::encode_roots(&Roots::of(rig.state.strew()), &Aside::default());
    let (id, peer) = (roots.expect("it compares roots"), tomorrow().principal());
    rig.give(Event::Link(link::Event::Response { id, peer, body }));
    assert!(rig.state.other_versions().is_empty());
}

/// However many there are, 64 are named.
#[test]
fn so_many_peers_of_other_versions_are_remembered_and_no_more() {
    let mut rig = rig();
    let before = rig.state.kept().of_others;
    for seed in 10..110 {
        let peer = who(seed).principal();
        rig.connect(peer, true);
        rig.gossip(peer, Topic::Fact, vec![7; 50]);
        rig.give(Event::Link(link::Event::Disconnected { peer }));
    }
    assert_eq!(named(&rig).len(), 64);
    assert_eq!(rig.state.other_versions().len(), 64);
    assert!(rig.state.kept().of_others <= before + 64 + 1);
}

/// A peer beyond these rests as they do, and takes the place of one that is of another version no more.
#[test]
fn beyond_so_many_peers_one_without_the_protocol_of_joins_rests_as_well() {
    let mut rig = Rig::new();
    for seed in 10..74 {
        let peer = who(seed).principal();
        rig.connect(peer, true);
        rig.gossip(peer, Topic::Fact, vec![7; 50]);
        rig.give(Event::Link(link::Event::Disconnected { peer }));
    }
    assert_eq!(rig.state.other_versions().len(), 64);
    dialled(&mut rig, false);
    rig.run(SECOND);
    assert!(fail_last(&mut rig, Protocol::Join), "it knocked");
    rig.run(5 * SECOND);
    assert!(!fail_last(&mut rig, Protocol::Join), "it is left alone for a while");
    let lacks = |rig: &Rig| {
        rig.state
            .other_versions()
            .iter()
            .any(|other| other.what == "it does not speak /crux/join/2")
    };
    assert!(!lacks(&rig));
    // One of the 64 was upgraded.
    rig.connect(who(10).principal(), true);
    assert_eq!(rig.state.other_versions().len(), 63);
    dialled(&mut rig, false);
    rig.run(SECOND);
    assert!(fail_last(&mut rig, Protocol::Join));
    assert!(lacks(&rig));
    assert_eq!((named(&rig).len(), rig.state.other_versions().len()), (64, 64));
}
