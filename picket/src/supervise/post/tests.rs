use super::*;

fn key(name: &str) -> ServiceKey {
    ServiceKey {
        horde: Label::main_horde(),
        service: name.parse().unwrap(),
        rev: "v1".parse().unwrap(),
        ordinal: 0,
    }
}

fn all(list: &[(&str, u16)]) -> BTreeMap<ServiceKey, Entry> {
    let entry = |port: u16| Entry {
        endpoint: format!("127.0.0.1:{port}").parse().unwrap(),
        labels: BTreeMap::new(),
    };
    list.iter().map(|(name, port)| (key(name), entry(*port))).collect()
}

const NOW: Instant = Instant::ORIGIN;

/// The messages that are sent, in words: `+web:1` registers, `-web` withdraws; and the numbers.
fn sent(post: &mut Post, now: Instant) -> (Vec<String>, Vec<u64>) {
    let all: Vec<_> = post.outgoing(now).drain(..).collect();
    let word = |message: &FromPicket| match message {
        FromPicket::Register { seq, key, endpoint, .. } => {
            Some((format!("+{}:{}", key.service, endpoint.port), *seq))
        }
        FromPicket::Withdraw { seq, key } => Some((format!("-{}", key.service), *seq)),
        _ => None,
    };
    all.iter().filter_map(word).unzip()
}

fn write(post: &mut Post) -> bool {
    let ledger = post.take_unwritten(NOW);
    ledger.is_some_and(|ledger| {
        post.written(ledger, Ok(()), NOW);
        true
    })
}

fn done(post: &mut Post, seqs: &[u64]) {
    for seq in seqs {
        assert_eq!(post.take(FromFulcrum::Done { seq: *seq, outcome: Ok(()) }, NOW), None);
    }
}

#[test]
fn a_registration_is_sent_once_its_key_is_on_the_disk() {
    let mut post = Post::default();
    post.attach(true);
    post.publish(1, all(&[("web", 1)]));
    assert_eq!(sent(&mut post, NOW).0, Vec::<String>::new());
    assert!(write(&mut post));
    let (words, seqs) = sent(&mut post, NOW);
    assert_eq!(words, ["+web:1"]);
    assert_eq!(
        (sent(&mut post, NOW).0.len(), post.published()),
        (0, None),
        "once, and not answered yet"
    );
    done(&mut post, &seqs);
    assert_eq!((post.published(), post.published()), (Some(1), None));
    // The same key elsewhere: no write.
    post.publish(2, all(&[("web", 2)]));
    assert!(!write(&mut post));
    assert_eq!(sent(&mut post, NOW).0, ["+web:2"]);
}

#[test]
fn what_is_missing_says_why() {
    let mut post = Post::new([key("web"), key("dns")].into());
    let missing = |post: &Post, name: &str| match post.missing(&key(name)) {
        None => "nothing".to_owned(),
        Some(missing) => format!("{missing:?}"),
    };
    assert_eq!(missing(&post, "web"), "Away");
    post.attach(true);
    post.publish(1, all(&[("web", 1), ("dns", 2)]));
    let (words, seqs) = sent(&mut post, NOW);
    assert_eq!(words, ["+dns:2", "+web:1"]);
    assert_eq!(missing(&post, "web"), "Unanswered");
    done(&mut post, &seqs[1..]);
    refuse(&mut post, seqs[0]);
    assert_eq!(missing(&post, "web"), "nothing");
    assert_eq!(missing(&post, "dns"), "Refused(\"too many\")");
    // Elsewhere: what the fulcrum has is another one.
    post.publish(2, all(&[("web", 9), ("dns", 2)]));
    assert_eq!(missing(&post, "web"), "Unanswered");
    post.attach(false);
    assert_eq!(missing(&post, "web"), "Away");
}

#[test]
fn what_is_not_wanted_is_withdrawn_and_then_forgotten() {
    let mut post = Post::new([key("old")].into());
    post.attach(true);
    post.publish(1, BTreeMap::new());
    let (words, seqs) = sent(&mut post, NOW);
    assert_eq!((&*words, post.published()), (&["-old".to_owned()][..], None));
    done(&mut post, &seqs);
    assert_eq!(post.published(), Some(1));
    assert!(write(&mut post) && post.durable.is_empty());
}

#[test]
fn requests_for_one_key_follow_each_other() {
    let mut post = Post::new([key("web")].into());
    post.attach(true);
    post.publish(1, all(&[("web", 1)]));
    let (_, first) = sent(&mut post, NOW);
    post.publish(2, BTreeMap::new());
    post.publish(3, all(&[("web", 3)]));
    assert_eq!(sent(&mut post, NOW).0.len(), 0);
    done(&mut post, &first);
    let (words, second) = sent(&mut post, NOW);
    assert_eq!(words, ["+web:3"]);
    done(&mut post, &second);
    assert_eq!(post.published(), Some(3), "those before it count too");
}

#[test]
fn a_new_fulcrum_is_told_everything_and_answers_nothing_of_the_old() {
    let mut post = Post::new([key("web")].into());
    post.attach(true);
    post.pin([BlobId([1; 32])].into());
    post.publish(1, all(&[("web", 1)]));
    let (_, old) = sent(&mut post, NOW);
    assert!(post.ask_image(BlobId([2; 32])));
    assert_eq!(post.attach(false), [BlobId([2; 32])]);
    done(&mut post, &old);
    post.attach(true);
    post.publish(2, all(&[("web", 1)]));
    let pins = post.outgoing(NOW).iter().any(|it| matches!(it, FromPicket::Pins { .. }));
    assert!(pins);
    assert_eq!(sent(&mut post, NOW).0, ["+web:1"]);
}

#[test]
fn a_refusal_holds_nothing_up_and_is_tried_again() {
    let mut post = Post::new([key("web"), key("old")].into());
    post.attach(true);
    post.publish(1, all(&[("web", 1)]));
    let (words, seqs) = sent(&mut post, NOW);
    assert_eq!(words, ["+web:1", "-old"]);
    refuse(&mut post, seqs[0]);
    assert_eq!(post.published(), None, "the other one is under way");
    done(&mut post, &seqs[1..]);
    assert_eq!(post.published(), Some(1));
    assert!(write(&mut post), "the ledger has one key less");
    assert_eq!((sent(&mut post, NOW).0.len(), post.deadline()), (0, NOW + AGAIN));
    let (words, seqs) = sent(&mut post, NOW + AGAIN);
    assert_eq!(
        (&*words, post.complaint(&key("web"))),
        (&["+web:1".to_owned()][..], Some("too many"))
    );
    done(&mut post, &seqs);
    assert_eq!(post.complaint(&key("web")), None);
}

#[test]
fn of_an_update_to_another_revision_one_is_registered_at_any_time() {
    let mut post = updated();
    assert_eq!(sent(&mut post, NOW).0, Vec::<String>::new(), "the new one is not on the disk yet");
    assert!(write(&mut post));
    let (words, new) = sent(&mut post, NOW);
    assert_eq!(words, ["+web:2"]);
    assert_eq!(sent(&mut post, NOW).0.len(), 0, "the new one is under way");
    done(&mut post, &new);
    let (words, old) = sent(&mut post, NOW);
    assert_eq!((&*words, post.published()), (&["-web".to_owned()][..], None));
    done(&mut post, &old);
    assert_eq!(post.published(), Some(2));
}

/// Its instance is about to end, and callers would be sent to it.
#[test]
fn a_registration_that_does_not_come_keeps_no_other() {
    let mut post = updated();
    assert!(write(&mut post));
    let (_, new) = sent(&mut post, NOW);
    refuse(&mut post, new[0]);
    assert_eq!(sent(&mut post, NOW).0, ["-web"]);

    let mut post = updated();
    let ledger = post.take_unwritten(NOW).unwrap();
    post.written(ledger, Err(std::io::ErrorKind::StorageFull.into()), NOW);
    assert_eq!(sent(&mut post, NOW).0, ["-web"]);
}

/// `web` of v1 is registered, and v2 is to be in its place.
fn updated() -> Post {
    let mut post = Post::new([key("web")].into());
    post.attach(true);
    post.publish(1, all(&[("web", 1)]));
    let (_, seqs) = sent(&mut post, NOW);
    done(&mut post, &seqs);
    assert_eq!(post.published(), Some(1));
    let of_v2 = |(key, entry)| (ServiceKey { rev: "v2".parse().unwrap(), ..key }, entry);
    post.publish(2, all(&[("web", 2)]).into_iter().map(of_v2).collect());
    post
}

fn refuse(post: &mut Post, seq: u64) {
    let error = crux_client::Error::new(crux_client::Kind::LimitReached, "too many");
    post.take(FromFulcrum::Done { seq, outcome: Err((&error).into()) }, NOW);
}

#[test]
fn the_ledger_reads_back_and_damage_is_nothing() {
    let ledger = BTreeSet::from([key("web"), key("dns")]);
    assert_eq!(read(&write_ledger(&ledger)), ledger);
    assert_eq!(read(b"[{"), BTreeSet::new());
}

fn write_ledger(ledger: &BTreeSet<ServiceKey>) -> Vec<u8> {
    super::write(ledger).unwrap()
}

#[test]
fn a_report_replaces_one_that_was_not_sent_and_answers_do_not() {
    let mut post = Post::default();
    let report = |generation| Owned {
        order: Some(crate::assignment::testing::order(generation)),
        rows: Vec::new(),
    };
    post.report(report(1));
    post.answer(1, Ok(()));
    assert_eq!(post.outgoing(NOW).len(), 0, "nobody is there");
    post.attach(true);
    post.outgoing(NOW).clear();
    for (generation, seq) in [(1, 1), (2, 2), (3, 3)] {
        post.report(report(generation));
        post.answer(seq, Ok(()));
    }
    let sent: Vec<_> = post.outgoing(NOW).drain(..).collect();
    let done = |seq| FromPicket::Done { seq, outcome: Ok(()) };
    let Owned { order, rows } = report(3);
    let last = FromPicket::Owned { order, rows };
    assert_eq!(sent, [done(1), done(2), last, done(3)]);
    post.report(report(4));
    post.answer(4, Ok(()));
    post.attach(true);
    let is_old = |it: &FromPicket| matches!(it, FromPicket::Owned { .. } | FromPicket::Done { .. });
    assert!(!post.outgoing(NOW).iter().any(is_old), "another fulcrum asked nothing yet");
}
