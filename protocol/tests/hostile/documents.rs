//! Documents, from persons and from members that lie: durable before they are acknowledged, bounded however many a
//! user signs, and the same after a restart.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{self, Body, Document, GENERATION_LIMIT, Grant, Key, Limit, State};
use crux_crdt::fact::{Fact, Kind, Refused};
use crux_crdt::record::Profile;
use crux_crdt::sign::Identity;
use crux_crdt::strew::Strew;
use crux_crdt::{Digest, Principal};
use crux_protocol::context::Context;
use crux_protocol::fact::{gossiped, whole};
use crux_protocol::flock::{
    Answer, Command, Control, ControlError, ControlId, Event, Notice, PersistError, Restored,
    Ticket,
};
use crux_protocol::link::{self, GOSSIP_PAYLOAD_MAX, Protocol, RequestId, Topic, Verdict};
use crux_protocol::sync::{self, Request, Response};

use crate::rig::{Disk, Rig, act, admit, facts, marker, record, who};
use crate::signed::{forged, grant, key, large_grant, operator, own, revoked, rules, user, users};

const SECOND: Duration = Duration::from_secs(1);

/// The members of the rig's flock beside itself.
fn others() -> [Arc<Identity>; 2] {
    [who(2), who(3)]
}

fn first() -> Principal {
    who(2).principal()
}

/// What the rig's disk holds at its start.
fn flock(documents: &[&Arc<Document>]) -> Vec<Fact> {
    let me = who(1);
    let admissions = (2..).zip(others()).map(|(number, other)| {
        let statement = crux_crdt::act::Statement::admit(other.principal(), 1);
        act(&me, number, statement)
    });
    let theirs = others().map(|other| admit(&other, &me));
    let records = others().map(|other| record(&other, marker(1), Profile::default()));
    let documents = documents.iter().map(|it| Fact::from((*it).clone()));
    facts(admissions.chain(theirs), records).into_iter().chain(documents).collect()
}

fn limited(documents: &[&Arc<Document>], replica_max: usize) -> Rig {
    let restored = Restored { facts: flock(documents), ..Restored::default() };
    let mut rig = Rig::operated(Some(operator().principal()), restored, replica_max);
    for other in others() {
        rig.connect(other.principal(), true);
        rig.compare(other.principal());
    }
    rig.run(SECOND);
    rig.links.clear();
    rig
}

fn rig(documents: &[&Arc<Document>]) -> Rig {
    limited(documents, 1 << 30)
}

fn state(documents: &[&Arc<Document>], sync: u32) -> Control {
    let facts = documents.iter().map(|it| Fact::from((*it).clone())).collect();
    Control::State { facts, sync, patience: 8 * SECOND }
}

fn message(document: &Arc<Document>) -> Vec<u8> {
    gossiped(&document.clone().into(), |_| false)
}

fn gossip(rig: &mut Rig, document: &Arc<Document>) -> Verdict {
    rig.gossip(first(), Topic::Fact, message(document))
}

fn store(rig: &mut Rig, document: &Arc<Document>) -> Option<Vec<u8>> {
    let body = Request::Store(whole(&document.clone().into())).encode();
    rig.request(first(), Protocol::Sync, body)
}

fn holds(strew: &Strew, document: &Document) -> bool {
    strew.documents().get(document.key()).is_some_and(|shelf| shelf.has(document))
}

/// Every document on the disk, by whom it is.
fn stored(rig: &Rig, documents: &[&Arc<Document>]) -> Vec<Arc<Document>> {
    let all = rig.on_disk(flock(documents)).into_iter();
    all.filter_map(|fact| if let Fact::Document(it) = fact { Some(it) } else { None }).collect()
}

fn is_conflict(answer: Option<&Result<Answer, ControlError>>) -> bool {
    let refused =
        |it: &Refused| matches!(it, Refused::Document(document::Refused::Conflict { .. }));
    matches!(answer, Some(Err(ControlError::Refused(it))) if refused(it))
}

/// The requests to store a fact that were sent to a member since this was asked last: with the facts.
fn asked_to_store(rig: &mut Rig, whom: Principal, context: &Context) -> Vec<(RequestId, Digest)> {
    let (asked, rest) = std::mem::take(&mut rig.links).into_iter().partition(
        |it: &link::Command| matches!(it, link::Command::Request { peer, .. } if *peer == whom),
    );
    rig.links = rest;
    let asked: Vec<link::Command> = asked;
    let fact = |it: link::Command| {
        let link::Command::Request { id, body, .. } = it else { return None };
        let Ok(Request::Store(message)) = Request::decode(&body) else { return None };
        match crux_protocol::fact::open(&message, context) {
            Ok(crux_protocol::fact::Message::Fact(fact)) => Some((id, fact.id())),
            other => panic!("{other:?}"),
        }
    };
    asked.into_iter().filter_map(fact).collect()
}

fn answer_stored(rig: &mut Rig, peer: Principal, id: RequestId) {
    let body = Response::encode_stored(true);
    rig.give(Event::Link(link::Event::Response { id, peer, body }));
}

#[test]
fn a_document_is_durable_before_it_is_acknowledged_and_published() {
    let mut rig = rig(&[]);
    let document = own("rule/a", 0, 1, b"x");
    let fact = Fact::from(document.clone());
    let request = state(&[&document], 0);
    let commands = rig.state.handle(Event::Control { id: ControlId(7), request }, rig.now);
    let [Command::Persist { ticket, batch }] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((batch.facts.as_slice(), batch.gone.len()), ([fact.clone()].as_slice(), 0));
    assert!(!holds(rig.state.strew(), &document), "nobody sees it before it is durable");
    let durable = Event::Persisted { ticket: *ticket, result: Ok(()) };
    let commands = rig.state.handle(durable, rig.now);
    let [
        Command::Link(link::Command::Publish { topic: Topic::Fact, data }),
        Command::Answer { id: ControlId(7), result: Ok(Answer::Done) },
        Command::Changed,
    ] = &commands[..]
    else {
        panic!("{commands:?}")
    };
    assert_eq!(*data, message(&document));
    assert!(holds(rig.state.strew(), &document));
}

#[test]
fn a_full_disk_takes_no_document_and_the_same_one_when_there_is_room() {
    let mut rig = rig(&[]);
    let document = own("rule/a", 0, 1, b"x");
    rig.disk = Disk::Full;
    assert_eq!(rig.control(state(&[&document], 0)), Some(Err(ControlError::DiskFull)));
    let published = |rig: &Rig| {
        let is =
            |it: &&link::Command| matches!(it, link::Command::Publish { topic: Topic::Fact, .. });
        rig.links.iter().filter(is).count()
    };
    assert!(!holds(rig.state.strew(), &document) && published(&rig) == 0);
    rig.disk = Disk::Good;
    assert_eq!(rig.control(state(&[&document], 0)), Some(Ok(Answer::Done)));
    assert!(holds(rig.state.strew(), &document) && published(&rig) > 0);
    assert_eq!(stored(&rig, &[]), [document]);
}

#[test]
fn who_is_behind_is_told_and_nothing_is_written() {
    let mut rig = rig(&[]);
    assert_eq!(gossip(&mut rig, &own("rule/a", 0, 1, b"theirs")), Verdict::Accept);
    let written = rig.written.len();
    let answer = rig.control(state(&[&own("rule/a", 0, 1, b"mine")], 1));
    assert!(is_conflict(answer.as_ref()), "{answer:?}");
    assert_eq!(rig.written.len(), written);
    // All of them or none.
    let both = [&own("rule/b", 0, 1, b"mine"), &own("rule/a", 0, 1, b"mine")];
    assert!(is_conflict(rig.control(state(&both, 0)).as_ref()));
    assert_eq!(rig.state.strew().documents().len(), 1);
    assert_eq!(rig.control(state(&[&own("rule/a", 0, 2, b"mine")], 0)), Some(Ok(Answer::Done)));
    // A second one for the same key has to wait until the first one is written.
    rig.disk = Disk::Stuck;
    assert_eq!(rig.control(state(&[&own("rule/a", 0, 3, b"mine")], 0)), None);
    let busy = rig.control(state(&[&own("rule/a", 0, 3, b"other")], 0));
    assert_eq!(busy, Some(Err(ControlError::Busy)));
}

#[test]
fn somebody_is_faster_while_the_write_is_under_way() {
    let mut rig = rig(&[]);
    let (mine, theirs) = (own("rule/a", 0, 1, b"mine"), own("rule/a", 0, 2, b"theirs"));
    rig.disk = Disk::Stuck;
    assert_eq!(rig.control(state(&[&mine], 1)), None);
    assert_eq!(gossip(&mut rig, &theirs), Verdict::Accept);
    rig.answers.clear();
    rig.unstick();
    assert!(is_conflict(rig.answers.last()), "{:?}", rig.answers);
    assert!(!holds(rig.state.strew(), &mine));
    rig.run(60 * SECOND);
    assert_eq!(rig.answers.len(), 1, "it is said once: {:?}", rig.answers);
    assert_eq!(stored(&rig, &[]), [theirs], "nor has the disk what is behind");
}

#[test]
fn somebody_is_faster_while_another_write_is_under_way() {
    let mut rig = rig(&[]);
    let (mine, theirs) = (own("rule/a", 0, 1, b"mine"), own("rule/a", 0, 1, b"theirs"));
    rig.disk = Disk::Stuck;
    assert_eq!(rig.control(state(&[&own("rule/z", 0, 1, b"")], 0)), None);
    assert_eq!(rig.control(state(&[&mine], 0)), None);
    assert_eq!(gossip(&mut rig, &theirs), Verdict::Accept);
    rig.answers.clear();
    rig.unstick();
    assert!(is_conflict(rig.answers.last()), "{:?}", rig.answers);
    let id = mine.id();
    assert!(!rig.written.iter().flat_map(|it| &it.facts).any(|fact| fact.id() == id));
}

/// The same generation: each of both is kept, and one of them wins. This one was published as well, so it is not as if
/// nothing had been written.
#[test]
fn who_was_overtaken_while_the_write_was_under_way_is_told_that_it_is_written() {
    let winners: BTreeSet<_> = (0..8_u8)
        .map(|content| {
            let mut rig = rig(&[]);
            let (mine, theirs) = (own("rule/a", 0, 1, &[content]), own("rule/a", 0, 1, b"theirs"));
            rig.disk = Disk::Stuck;
            assert_eq!(rig.control(state(&[&mine], 1)), None);
            assert_eq!(gossip(&mut rig, &theirs), Verdict::Accept);
            rig.answers.clear();
            rig.unstick();
            let conflict = Refused::Document(document::Refused::Conflict {
                key: key("rule/a"),
                generation: 2,
                grants_version: 0,
            });
            assert_eq!(rig.answers, [Err(ControlError::Late(conflict))]);
            rig.run(60 * SECOND);
            assert_eq!(rig.answers.len(), 1, "nobody is asked to store it: {:?}", rig.answers);
            assert!(stored(&rig, &[]).contains(&mine));
            let documents = rig.state.strew().documents();
            let shelf = documents.get(mine.key()).expect("both are held");
            assert_eq!((shelf.has(&mine), documents.state(shelf)), (true, State::Conflict));
            shelf.winner().id() == mine.id()
        })
        .collect();
    assert_eq!(winners.len(), 2, "it may win, and it may lose");
}

/// It has no rival and counts, as whoever repeats it is told.
#[test]
fn a_write_that_counts_is_done_though_a_grant_came_while_it_was_under_way() {
    let mut rig = rig(&[]);
    let mine = own("rule/a", 0, 1, b"mine");
    rig.disk = Disk::Stuck;
    assert_eq!(rig.control(state(&[&mine], 0)), None);
    assert_eq!(gossip(&mut rig, &grant(1, 1, 1, 4)), Verdict::Accept);
    rig.answers.clear();
    rig.unstick();
    assert_eq!(rig.answers, [Ok(Answer::Done)]);
    assert_eq!(rig.control(state(&[&mine], 0)), Some(Ok(Answer::Done)));
}

#[test]
fn who_is_revoked_while_the_write_is_under_way_is_told_that_it_has_no_effect() {
    let granted = grant(1, 1, 1, 4);
    let mut rig = rig(&[&granted]);
    let stated = users(1, "rule/a", 1, b"x", &granted);
    rig.disk = Disk::Stuck;
    assert_eq!(rig.control(state(&[&stated], 0)), None);
    assert_eq!(gossip(&mut rig, &revoked(1, 2, 2)), Verdict::Accept);
    rig.answers.clear();
    rig.unstick();
    let refused = Refused::Document(document::Refused::NotGranted(key("rule/a")));
    assert_eq!(rig.answers, [Err(ControlError::Late(refused))]);
    let documents = rig.state.strew().documents();
    let shelf = documents.get(stated.key()).expect("it is held");
    assert_eq!(documents.state(shelf), State::Void);
}

/// Two of three places are free when the write begins, and one when it ends.
#[test]
fn of_several_documents_for_some_of_which_there_is_no_place_it_is_told_that_some_are_written() {
    let granted = grant(1, 1, 1, 2);
    let mut rig = rig(&[&granted]);
    let rules = rules(3);
    let stated = [1, 2].map(|n| users(1, &rules[n], 1, b"x", &granted));
    rig.disk = Disk::Stuck;
    assert_eq!(rig.control(state(&[&stated[0], &stated[1]], 0)), None);
    assert_eq!(gossip(&mut rig, &users(1, &rules[0], 1, b"x", &granted)), Verdict::Accept);
    rig.answers.clear();
    rig.unstick();
    let most = document::Refused::Limit { what: Limit::OfUser, most: 2 };
    assert_eq!(rig.answers, [Err(ControlError::Late(most.into()))]);
    let held = stated.each_ref().map(|it| holds(rig.state.strew(), it));
    assert_eq!(held, [true, false]);
    let on_disk = stored(&rig, &[&granted]);
    assert_eq!(stated.each_ref().map(|it| on_disk.contains(it)), held);
}

/// Hands in a request, and returns the commands that follow.
fn ask(rig: &mut Rig, id: u64, document: &Arc<Document>) -> Vec<Command> {
    let request = state(&[document], 0);
    rig.state.handle(Event::Control { id: ControlId(id), request }, rig.now)
}

fn end_write(rig: &mut Rig, ticket: Ticket, result: Result<(), PersistError>) -> Vec<Command> {
    rig.state.handle(Event::Persisted { ticket, result }, rig.now)
}

/// The write in these commands, whose only fact is this document.
#[track_caller]
fn writes(commands: &[Command], document: &Arc<Document>) -> Ticket {
    let mut writes = commands.iter().filter_map(|it| match it {
        Command::Persist { ticket, batch } => Some((*ticket, batch)),
        _ => None,
    });
    let (ticket, batch) = writes.next().unwrap_or_else(|| panic!("no write: {commands:?}"));
    assert_eq!(batch.facts, [Fact::from(document.clone())]);
    assert!(batch.gone.is_empty() && writes.next().is_none(), "{commands:?}");
    ticket
}

/// A grant of a user under the name of another one.
fn grant_named_like(number: u8, other: u8) -> Arc<Document> {
    let name = format!("user-{other}").parse().expect("a name");
    let permissions = ["rules".parse().expect("a permission")].into();
    let content = Grant { name, documents: 1, permissions, revoked: false }.to_canonical();
    own(Key::grant(&user(number).principal()).as_str(), 1, 1, &content)
}

/// A document that a flock holds, and two documents each of which it takes, but not both, and why not the second.
type Pair = (Option<Arc<Document>>, [Arc<Document>; 2], document::Refused);

fn pairs() -> [Pair; 5] {
    let (one, few) = (grant(1, 1, 1, 1), grant(1, 1, 1, 4));
    let rules = rules(2);
    let limit = |what, most| document::Refused::Limit { what, most };
    // The one with the smaller key has its place wherever both are held.
    let two_of_one = [1, 0].map(|n| users(1, &rules[n], 1, b"x", &one));
    let two_grants = [grant(1, 1, 1, 9_000), grant(2, 1, 1, 9_000)];
    let two_names = [grant(1, 1, 1, 1), grant_named_like(2, 1)];
    let raises = own("rule/a", 2, 1, b"x");
    let (behind, void) = (own("rule/b", 1, 1, b"x"), users(1, "rule/b", 1, b"x", &few));
    let taken = document::Refused::NameTaken {
        name: "user-1".parse().expect("a name"),
        key: two_names[0].key().clone(),
    };
    let conflict =
        document::Refused::Conflict { key: behind.key().clone(), generation: 1, grants_version: 2 };
    let not_granted = document::Refused::NotGranted(void.key().clone());
    [
        (Some(one), two_of_one, limit(Limit::OfUser, 1)),
        (None, two_grants, limit(Limit::Granted, document::DOCUMENTS_MAX)),
        (None, two_names, taken),
        (None, [raises.clone(), behind], conflict),
        (Some(few), [raises, void], not_granted),
    ]
}

/// Both wait until an earlier write ends, and would be in the next one together.
#[test]
fn of_two_requests_that_exclude_each_other_the_second_meets_what_the_first_wrote() {
    for (held, [first, second], refused) in pairs() {
        let base: Vec<_> = held.iter().collect();
        let mut rig = rig(&base);
        let earlier = own("rule/z", 1, 1, b"x");
        let commands = ask(&mut rig, 1, &earlier);
        let ticket = writes(&commands, &earlier);
        assert!(ask(&mut rig, 2, &first).is_empty() && ask(&mut rig, 3, &second).is_empty());
        let commands = end_write(&mut rig, ticket, Ok(()));
        let ticket = writes(&commands, &first);
        let [.., Command::Answer { id: ControlId(1), result: Ok(Answer::Done) }, _, _] =
            &commands[..]
        else {
            panic!("{commands:?}")
        };
        let commands = end_write(&mut rig, ticket, Ok(()));
        let [
            Command::Link(link::Command::Publish { topic: Topic::Fact, data }),
            Command::Answer { id: ControlId(2), result: Ok(Answer::Done) },
            Command::Answer { id: ControlId(3), result: Err(ControlError::Refused(told)) },
            Command::Changed,
        ] = &commands[..]
        else {
            panic!("{refused}: {commands:?}")
        };
        assert_eq!((data, told), (&message(&first), &Refused::Document(refused)));
        assert!(holds(rig.state.strew(), &first) && !holds(rig.state.strew(), &second));
    }
}

/// What the second one would have met does not come to be.
#[test]
fn of_two_requests_that_exclude_each_other_the_second_is_taken_if_the_first_cannot_be_written() {
    for (held, [first, second], _) in pairs() {
        let base: Vec<_> = held.iter().collect();
        let mut rig = rig(&base);
        let earlier = own("rule/z", 1, 1, b"x");
        let commands = ask(&mut rig, 1, &earlier);
        let ticket = writes(&commands, &earlier);
        assert!(ask(&mut rig, 2, &first).is_empty() && ask(&mut rig, 3, &second).is_empty());
        let commands = end_write(&mut rig, ticket, Ok(()));
        let ticket = writes(&commands, &first);
        rig.give(Event::Persisted { ticket, result: Err(PersistError::Full) });
        assert_eq!(rig.answers, [Err(ControlError::DiskFull)], "the second one waits");
        rig.run(10 * SECOND);
        assert_eq!(rig.answers[1..], [Ok(Answer::Done)]);
        assert!(holds(rig.state.strew(), &second) && !holds(rig.state.strew(), &first));
    }
}

#[test]
fn a_member_counts_once_it_stored_all_and_one_that_comes_back_goes_on() {
    let mut rig = rig(&[]);
    let context = rig.context();
    let all: Vec<_> = (0..40).map(|n| own(&format!("rule/r{n}"), 0, 1, b"x")).collect();
    let all: Vec<_> = all.iter().collect();
    let [here, goes] = others().map(|other| other.principal());
    assert_eq!(rig.control(state(&all, 2)), None, "it waits for two members");
    let mut asked = asked_to_store(&mut rig, here, &context);
    let mut got = BTreeSet::new();
    while !asked.is_empty() {
        assert!(asked.len() <= 16, "so many at once");
        for (id, fact) in std::mem::take(&mut asked) {
            assert!(got.insert(fact), "each once");
            answer_stored(&mut rig, here, id);
        }
        asked = asked_to_store(&mut rig, here, &context);
    }
    assert_eq!(got.len(), 40);
    // The other one stores ten of them, and goes.
    let first = asked_to_store(&mut rig, goes, &context);
    let ten: Vec<_> = first.into_iter().take(10).collect();
    ten.iter().for_each(|(id, _)| answer_stored(&mut rig, goes, *id));
    rig.give(Event::Link(link::Event::Disconnected { peer: goes }));
    rig.run(SECOND);
    assert!(rig.answers.is_empty(), "one is not two: {:?}", rig.answers);
    rig.links.clear();
    rig.connect(goes, true);
    let mut left = 30;
    loop {
        let asked = asked_to_store(&mut rig, goes, &context);
        if asked.is_empty() {
            break;
        }
        for (id, fact) in asked {
            assert!(ten.iter().all(|(_, stored)| *stored != fact), "it has that one");
            assert!(rig.answers.is_empty(), "{left} are left");
            left -= 1;
            answer_stored(&mut rig, goes, id);
        }
    }
    assert_eq!((left, rig.answers.pop()), (0, Some(Ok(Answer::Done))));
}

#[test]
fn who_waits_in_vain_hears_how_many_stored_all() {
    let mut rig = rig(&[]);
    let context = rig.context();
    let all = [&own("rule/a", 0, 1, b"x"), &own("rule/b", 0, 1, b"x")];
    assert_eq!(rig.control(state(&all, 2)), None);
    let [one, half] = others().map(|other| other.principal());
    for (id, _) in asked_to_store(&mut rig, one, &context) {
        answer_stored(&mut rig, one, id);
        answer_stored(&mut rig, one, id);
    }
    let (id, _) = asked_to_store(&mut rig, half, &context)[0];
    answer_stored(&mut rig, half, id);
    rig.run(9 * SECOND);
    let told = rig.answers.pop();
    assert_eq!(told, Some(Err(ControlError::NotStored { got: 1, need: 2 })));
}

/// Whether the node asked a member for its roots, in a way that starts a comparison at once.
fn looks_urgently(rig: &Rig) -> bool {
    let urgent =
        |body: &[u8]| matches!(Request::decode(body), Ok(Request::Roots { urgent: true, .. }));
    rig.links.iter().any(|it| match it {
        link::Command::Request { protocol: Protocol::Sync, body, .. } => urgent(body),
        _ => false,
    })
}

#[test]
fn what_is_too_large_for_gossip_has_others_look_at_once() {
    for (bytes, is_gossiped) in [(1024, true), (GOSSIP_PAYLOAD_MAX, false), (64 * 1024, false)] {
        let mut rig = rig(&[]);
        let document = own("rule/a", 0, 1, &vec![7; bytes]);
        assert_eq!(rig.control(state(&[&document], 0)), Some(Ok(Answer::Done)));
        let data = message(&document);
        let published = rig.links.iter().any(|it| {
            matches!(it, link::Command::Publish { topic: Topic::Fact, data: sent } if *sent == data)
        });
        rig.run(SECOND / 4);
        assert_eq!((published, looks_urgently(&rig)), (is_gossiped, !is_gossiped), "{bytes}");
    }
}

/// One of a thousand keys, two documents under each, of 60 KiB: it may have four keys.
#[test]
fn a_user_that_floods_takes_so_much_memory_and_disk_and_others_go_on() {
    let (flooding, honest) = (grant(1, 1, 1, 4), grant(2, 1, 1, 4));
    let base = [&flooding, &honest];
    let mut rig = rig(&base);
    let floods = |rig: &Rig| {
        let documents = rig.state.strew().documents();
        documents.documents().filter(|it| it.signer() == user(1).principal()).count()
    };
    for (number, rule) in rules(60).iter().rev().enumerate() {
        let generation = u64::try_from(number).expect("small") + 1;
        let one = users(1, rule, generation, &vec![7; 40_000], &flooding);
        let other = users(1, rule, generation, &vec![8; 60_000], &flooding);
        gossip(&mut rig, &one);
        store(&mut rig, &other);
        assert!(floods(&rig) <= 8, "{}", floods(&rig));
        if number % 20 == 0 {
            let wants = users(2, "rule/wanted", generation, b"x", &honest);
            assert_eq!(rig.control(state(&[&wants], 0)), Some(Ok(Answer::Done)));
        }
    }
    assert_eq!(floods(&rig), 8);
    let on_disk = stored(&rig, &base);
    let of = |who: u8| on_disk.iter().filter(|it| it.signer() == user(who).principal()).count();
    assert_eq!((of(1), of(2)), (8, 1));
    assert!(on_disk.iter().all(|it| holds(rig.state.strew(), it)));
}

/// The disk answers late, and a member has one document of a user after the other stored, each of which makes the
/// last one void or displaces it.
#[test]
fn what_waits_for_a_slow_disk_is_bounded_by_what_is_held() {
    let granted = grant(1, 1, 1, 1);
    let base = [&granted];
    let mut rig = rig(&base);
    rig.disk = Disk::Stuck;
    let mut refused = 0;
    for rule in rules(30).iter().rev() {
        for generation in 1..=4 {
            let document = users(1, rule, generation, &[7; 10], &granted);
            let reply = store(&mut rig, &document);
            assert_ne!(reply, Some(Response::encode_stored(true)), "not as long as it waits");
            let not = Response::encode_stored(false);
            let replies = rig
                .links
                .iter()
                .filter(|it| matches!(it, link::Command::Reply { body, .. } if *body == not));
            refused += replies.count();
        }
    }
    assert_eq!(refused, 29 * 4, "who waits for what is displaced hears that it is not there");
    rig.unstick();
    let batch = rig.written.last().expect("a write");
    assert_eq!(batch.facts.iter().filter(|it| it.kind() == Kind::DOCUMENT).count(), 1);
    let mine = |it: &Arc<Document>| it.signer() == user(1).principal();
    assert_eq!(stored(&rig, &base).into_iter().filter(mine).count(), 1);
}

/// Two of a user's documents, for one of which there is a place: the one that a person stated has none any more when
/// it is durable.
#[test]
fn a_document_whose_place_is_taken_while_it_is_written_is_not_acknowledged() {
    let granted = grant(1, 1, 1, 1);
    let base = [&granted];
    let mut rig = rig(&base);
    let rules = rules(2);
    let stated = users(1, &rules[1], 1, b"x", &granted);
    rig.disk = Disk::Stuck;
    assert_eq!(rig.control(state(&[&stated], 0)), None);
    assert_eq!(gossip(&mut rig, &users(1, &rules[0], 1, b"x", &granted)), Verdict::Accept);
    rig.answers.clear();
    rig.unstick();
    assert!(matches!(rig.answers[..], [Err(ControlError::Refused(_))]), "{:?}", rig.answers);
    assert!(!holds(rig.state.strew(), &stated));
    assert!(!stored(&rig, &base).contains(&stated), "the disk drops it");
}

/// The place under a key is dropped while a newer document is being written there, and is there again when the write
/// ends: it is written once more, and then acknowledged.
#[test]
fn what_the_disk_dropped_meanwhile_is_written_again() {
    let (two, one) = (grant(1, 1, 1, 2), grant(1, 1, 2, 1));
    let rules = rules(2);
    let held = [0, 1].map(|n| users(1, &rules[n], 1, b"x", &two));
    let base = [&two, &held[0], &held[1]];
    let mut rig = rig(&base);
    let stated = users(1, &rules[1], 2, b"y", &two);
    rig.disk = Disk::Stuck;
    assert_eq!(rig.control(state(&[&stated], 0)), None);
    assert_eq!(gossip(&mut rig, &one), Verdict::Accept);
    assert!(!holds(rig.state.strew(), &held[1]));
    assert_eq!(gossip(&mut rig, &grant(1, 1, 3, 2)), Verdict::Accept);
    rig.answers.clear();
    rig.unstick();
    assert_eq!(rig.answers, [Ok(Answer::Done)]);
    assert!(holds(rig.state.strew(), &stated));
    assert!(stored(&rig, &base).contains(&stated), "acknowledged, so it is on the disk");
}

#[test]
fn a_full_replica_takes_no_more_of_users_and_all_of_the_operator() {
    let granted = grant(1, 1, 1, 1_000);
    let mut rig = limited(&[&granted], 1 << 20);
    let rules = rules(40);
    let document = |n: usize| users(1, &rules[n], 1, &vec![7; 40_000], &granted);
    let taken = (0..40).find(|n| gossip(&mut rig, &document(*n)) == Verdict::Ignore);
    let taken = taken.expect("it is full");
    assert!((5..25).contains(&taken), "{taken}");
    assert!(rig.state.strew().footprint() <= 1 << 20);
    assert!(rig.notices.iter().any(|it| matches!(it, Notice::ReplicaFull { .. })));
    let written = rig.written.len();
    let answer = rig.control(state(&[&document(39)], 0));
    assert_eq!(answer, Some(Err(ControlError::Refused(Refused::NoRoom))));
    assert_eq!(rig.written.len(), written);
    assert_ne!(store(&mut rig, &document(38)), Some(Response::encode_stored(true)));
    let operators = own("rule/large", 1, 1, &vec![7; 60_000]);
    assert_eq!(rig.control(state(&[&operators], 0)), Some(Ok(Answer::Done)));
    assert_eq!(gossip(&mut rig, &document(0)), Verdict::Accept, "what is held is no news");
}

#[test]
fn what_nobody_may_sign_is_misbehaviour_and_what_is_void_is_not() {
    let granted = grant(1, 1, 1, 4);
    let of_user = users(1, "rule/a", 1, b"x", &granted);
    let content = || Some(b"x".as_slice().into());
    let sealed = Some(granted.sealed().into());
    let body = |at: &str, version, generation| Body::new(key(at), version, generation, content());
    let bad = [
        ("of another flock", {
            let other = Body::new(key("rule/a"), 1, 1, content());
            let other = Document::sign(other, &Digest([8; 32]), &operator(), None);
            message(&Arc::new(other.expect("a document of that flock")))
        }),
        ("a generation beyond", forged(&operator(), body("rule/a", 1, GENERATION_LIMIT))),
        ("a version beyond", forged(&operator(), body("rule/a", GENERATION_LIMIT, 1))),
        ("without a grant", forged(&user(1), body("rule/a", 1, 1))),
        ("a member is no user", forged(&who(2), body("rule/a", 1, 1))),
        ("not covered", forged(&user(1), Body { grant: sealed.clone(), ..body("target/a", 1, 1) })),
        (
            "another's grant",
            forged(&user(2), Body { grant: sealed.clone(), ..body("rule/a", 1, 1) }),
        ),
        (
            "another version",
            forged(&user(1), Body { grant: sealed.clone(), ..body("rule/a", 2, 1) }),
        ),
        ("a setting", forged(&user(1), Body { grant: sealed, ..body("setting/log", 1, 1) })),
        ("another signer", {
            let mut message = message(&of_user);
            message[1] ^= 1;
            message
        }),
        ("cut", message(&of_user)[..300].to_vec()),
        ("with more", [message(&of_user), vec![0]].concat()),
    ];
    let mut rig = rig(&[]);
    for (what, message) in bad {
        rig.notices.clear();
        assert_eq!(rig.gossip(first(), Topic::Fact, message.clone()), Verdict::Reject, "{what}");
        let blamed =
            |it: &Notice| matches!(it, Notice::Misbehaved { peer, .. } if *peer == first());
        assert!(rig.notices.iter().any(blamed), "{what}: {:?}", rig.notices);
        let body = Request::Store(message).encode();
        let reply = rig.request(first(), Protocol::Sync, body);
        assert_eq!(reply, Some(Response::encode_stored(false)), "{what}");
    }
    assert!(rig.state.strew().documents().is_empty());
    // Nobody signs documents of a flock without an operator.
    let mut without =
        Rig::operated(None, Restored { facts: flock(&[]), ..Restored::default() }, 1 << 30);
    without.connect(first(), true);
    assert_eq!(gossip(&mut without, &own("rule/a", 0, 1, b"x")), Verdict::Reject);
    assert!(without.state.strew().documents().is_empty());
    // A revoked user's was valid when it was signed. It is held, so that all replicas agree, and void.
    assert_eq!(gossip(&mut rig, &revoked(1, 2, 1)), Verdict::Accept);
    assert_eq!(gossip(&mut rig, &of_user), Verdict::Accept);
    let documents = rig.state.strew().documents().clone();
    let shelf = documents.get(of_user.key()).expect("it is held");
    assert_eq!(documents.state(shelf), State::Void);
    let again = rig.control(state(&[&users(1, "rule/b", 1, b"x", &granted)], 0));
    let refused = document::Refused::NotGranted(key("rule/b"));
    assert_eq!(again, Some(Err(ControlError::Refused(refused.into()))));
}

/// What was written in whatever way, and dropped, makes the same replica.
#[test]
fn a_restart_from_what_was_written_shows_the_same() {
    let (narrow, wide) = (grant(1, 1, 1, 2), grant(1, 1, 2, 3));
    let base: [&Arc<Document>; 1] = [&narrow];
    let mut rig = rig(&base);
    let rules = rules(5);
    for n in [4, 2, 3] {
        gossip(&mut rig, &users(1, &rules[n], 1, b"x", &narrow));
    }
    // The newer grant comes enclosed in a document only.
    gossip(&mut rig, &users(1, &rules[4], 7, b"x", &wide));
    store(&mut rig, &users(1, &rules[0], 1, b"x", &wide));
    store(&mut rig, &users(1, &rules[1], 1, b"x", &wide));
    gossip(&mut rig, &own(&rules[1], 1, 1, b"rival"));
    assert_eq!(rig.control(state(&[&own("rule/z", 1, 1, b"x")], 0)), Some(Ok(Answer::Done)));
    assert!(rig.register("web", None));
    let held: BTreeSet<_> = rig.state.strew().documents().documents().map(|it| it.id()).collect();
    let on_disk: BTreeSet<_> = stored(&rig, &base).iter().map(|it| it.id()).collect();
    assert_eq!(held, on_disk, "the disk has what is held and nothing else");
    let facts = rig.on_disk(flock(&base));
    let again = Strew::restore(rig.state.me(), Some(operator().principal()), facts);
    assert_eq!(again.digest(), rig.state.strew().digest());
}

/// A crash came between a document and the end of those that it displaced.
#[test]
fn a_disk_that_has_more_than_is_held_drops_it_after_a_start() {
    let narrow = grant(1, 1, 1, 1);
    let rules = rules(3);
    let all = [2, 1, 0].map(|n| users(1, &rules[n], 1, b"x", &narrow));
    let base = [&narrow, &all[0], &all[1], &all[2]];
    let rig = rig(&base);
    let left: Vec<_> = stored(&rig, &base).iter().map(|it| it.id()).collect();
    assert_eq!(left.len(), 2, "the grant and the one with the smallest key");
    assert!(left.contains(&all[2].id()) && holds(rig.state.strew(), &all[2]));
}

/// Answers what the node asks a member over sync, from this replica, until it asks nothing more. Returns how many
/// questions there were.
fn serve(rig: &mut Rig, peer: Principal, theirs: &Strew) -> usize {
    let context = Context { me: peer, ..rig.context() };
    let mut engine = sync::State::new(sync::Config::default(), context, &[1; 32], rig.now);
    let aside = sync::Aside::default();
    let mut questions = 0;
    loop {
        let asked = std::mem::take(&mut rig.links).into_iter().filter_map(|it| match it {
            link::Command::Request { id, peer: of, protocol: Protocol::Sync, body }
                if of == peer =>
            {
                Some((id, body))
            }
            _ => None,
        });
        let asked: Vec<_> = asked.collect();
        if asked.is_empty() {
            return questions;
        }
        for (id, body) in asked {
            questions += 1;
            assert!(questions < 500, "it ends");
            let reply = crux_protocol::link::ReplyId(id.0);
            let me = rig.state.me();
            for output in engine.on_request(me, reply, &body, rig.now, theirs, &aside) {
                if let sync::Output::Reply { body, .. } = output {
                    rig.give(Event::Link(link::Event::Response { id, peer, body }));
                }
            }
        }
    }
}

/// A member compares its replica with the node's, urgently; the node fetches what it lacks.
fn compare(rig: &mut Rig, theirs: &Strew) -> usize {
    let (roots, aside) = (sync::Roots::of(theirs), sync::Aside::default());
    let urgent = Request::Roots { roots, aside, urgent: true }.encode();
    rig.request(first(), Protocol::Sync, urgent);
    serve(rig, first(), theirs)
}

/// The replica of the first member: what the node holds, and these.
fn theirs(rig: &Rig, documents: &[&Arc<Document>]) -> Strew {
    let mine = Kind::KNOWN.iter().flat_map(|kind| rig.state.strew().facts(*kind));
    let more = documents.iter().map(|it| Fact::from((*it).clone()));
    Strew::restore(first(), Some(operator().principal()), mine.chain(more))
}

#[test]
fn a_number_that_is_raised_heals_though_its_documents_were_refused_before() {
    let (first_grant, lowered, raised) = (grant(1, 1, 1, 3), grant(1, 1, 2, 1), grant(1, 1, 3, 3));
    let rules = rules(3);
    let all = [0, 1, 2].map(|n| users(1, &rules[n], 1, b"x", &first_grant));
    let mut rig = rig(&[&lowered, &all[0]]);
    // This member has not heard that the number is lower.
    let other = Strew::restore(
        first(),
        Some(operator().principal()),
        flock(&[&first_grant, &all[0], &all[1], &all[2]]),
    );
    compare(&mut rig, &other);
    assert!(!holds(rig.state.strew(), &all[1]), "one is allowed");
    assert_eq!(gossip(&mut rig, &raised), Verdict::Accept);
    let mut other = other;
    other.merge_fact(raised.into());
    rig.run(SECOND);
    compare(&mut rig, &other);
    assert!(all.iter().all(|it| holds(rig.state.strew(), it)), "what was refused is fetched again");
    assert_eq!(rig.state.strew().index(Kind::DOCUMENT), other.index(Kind::DOCUMENT));
}

#[test]
fn a_number_that_is_raised_comes_in_one_session_with_what_it_allows() {
    let (narrow, wide) = (grant(1, 1, 1, 1), grant(1, 1, 2, 300));
    let rules = rules(300);
    let documents: Vec<_> = rules.iter().map(|rule| users(1, rule, 1, b"x", &narrow)).collect();
    let mut rig = rig(&[&narrow]);
    let all: Vec<_> = documents.iter().chain([&wide]).collect();
    let other = theirs(&rig, &all);
    assert_eq!(other.documents().len(), 301);
    for _ in 0..3 {
        compare(&mut rig, &other);
    }
    assert_eq!(rig.state.strew().index(Kind::DOCUMENT), other.index(Kind::DOCUMENT));
}

/// The grant is the largest of what one answer brings, and comes last in it.
#[test]
fn what_makes_room_is_merged_first() {
    let (narrow, wide) = (grant(1, 1, 1, 1), large_grant(1, 1, 2, 50));
    let documents: Vec<_> = rules(50).iter().map(|rule| users(1, rule, 1, b"x", &narrow)).collect();
    let mut rig = rig(&[&narrow]);
    let all: Vec<_> = documents.iter().chain([&wide]).collect();
    assert!(all.iter().all(|it| it.bytes() <= wide.bytes()));
    let other = theirs(&rig, &all);
    compare(&mut rig, &other);
    assert_eq!(rig.state.strew().index(Kind::DOCUMENT), other.index(Kind::DOCUMENT));
}

/// A member that lies has documents beyond a user's number. They are fetched once.
#[test]
fn what_a_user_may_not_have_is_not_fetched_for_ever() {
    let (narrow, wide) = (grant(1, 1, 2, 2), grant(1, 1, 1, 50));
    let rules = rules(50);
    let documents: Vec<_> = rules.iter().map(|rule| users(1, rule, 1, &[7; 1000], &wide)).collect();
    let all: Vec<_> = documents.iter().chain([&wide]).collect();
    let mut rig = rig(&[&narrow]);
    let lying = Strew::restore(first(), Some(operator().principal()), flock(&all));
    compare(&mut rig, &lying);
    assert_eq!(rig.state.strew().documents().documents().count(), 3);
    let again: Vec<_> = (0..4)
        .map(|_| {
            rig.run(SECOND);
            compare(&mut rig, &lying)
        })
        .collect();
    assert!(again.iter().all(|questions| *questions <= 8), "{again:?}");
}

/// The node leads, and another member is dead.
fn retires_after(documents: &[&Arc<Document>]) -> Option<Duration> {
    let mut rig = rig(documents);
    let lost = others().map(|other| other.principal());
    for peer in lost {
        rig.give(Event::Link(link::Event::Disconnected { peer }));
    }
    let start = rig.now;
    for _ in 0..40 {
        rig.run(10 * SECOND);
        if lost.iter().all(|who| rig.state.strew().membership().departure(who).is_some()) {
            return Some(rig.now.since(start));
        }
    }
    None
}

#[test]
fn the_operator_says_after_how_long_the_dead_are_forgotten() {
    assert_eq!(retires_after(&[]), None, "72 h, unless the node is told otherwise");
    let soon = retires_after(&[&own("setting/forget_after", 1, 1, b"1m")]);
    assert!(soon.is_some_and(|after| (60..180).contains(&after.as_secs())), "{soon:?}");
    // A text that is no duration has no effect, nor has the one before it.
    let [good, bad] = [(1, b"1m".as_slice()), (2, b"soon")]
        .map(|(generation, text)| own("setting/forget_after", 1, generation, text));
    assert_eq!(retires_after(&[&good, &bad]), None);
}
