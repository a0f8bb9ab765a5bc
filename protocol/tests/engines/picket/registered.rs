//! Callers who wait for a service to be up, and the fulcrum's word that others find it.

use crux_crdt::service::{Fields, Image, Register};
use crux_protocol::picket::{Command, Event, Outcome, RequestId, Requested, RunState, Wait};

use super::rig::{Rig, add, config, millis, secs, update, with_port};

/// With a fulcrum that takes statements and says nothing.
fn silent() -> Rig {
    let mut rig = Rig::new();
    rig.tell(Event::FulcrumAttached { restarted: false });
    rig.stores = false;
    rig
}

/// The statement that was made last.
fn last_seq(rig: &Rig) -> u64 {
    let mut seqs = rig.log.iter().filter_map(|command| match command {
        Command::Publish { seq, .. } => Some(*seq),
        _ => None,
    });
    seqs.next_back().expect("something is stated")
}

fn is_done(rig: &Rig, id: RequestId) -> bool {
    match rig.answers.get(&id) {
        None => false,
        Some(Outcome::Done(_)) => true,
        Some(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_caller_is_answered_with_the_word_that_the_registration_is_stored() {
    let mut rig = silent();
    let id = rig.ask(add(&config("web", 1, with_port), 1), Wait::Up);
    let seq = last_seq(&rig);
    assert_eq!(rig.states("web"), [RunState::Up]);
    for before in 0..seq {
        assert_eq!(rig.tell(Event::Published { seq: before }), [], "the word on an older list");
    }
    let outcome = Outcome::Done(rig.rows("web"));
    let answer = Command::Answer { request: id, outcome };
    assert_eq!(rig.tell(Event::Published { seq }), [answer]);
    // The same again has nothing to wait for.
    let again = rig.ask(add(&config("web", 1, with_port), 1), Wait::Up);
    assert!(is_done(&rig, again));
}

#[test]
fn a_fulcrum_that_does_not_answer_is_waited_for_five_seconds() {
    let mut rig = silent();
    let id = rig.ask(add(&config("web", 1, with_port), 1), Wait::Up);
    rig.pass(secs(5) - millis(1));
    assert!(!is_done(&rig, id));
    rig.pass(millis(1));
    assert!(is_done(&rig, id), "it is up all the same");
    // Each caller for itself.
    let later = rig.ask(add(&config("web", 1, with_port), 1), Wait::Up);
    rig.pass(secs(5) - millis(1));
    assert!(!is_done(&rig, later));
    rig.pass(millis(1));
    assert!(is_done(&rig, later));
}

#[test]
fn a_fulcrum_that_is_away_is_not_waited_for() {
    let mut rig = silent();
    let id = rig.ask(add(&config("web", 1, with_port), 1), Wait::Up);
    assert!(!is_done(&rig, id));
    let outcome = Outcome::Done(rig.rows("web"));
    assert_eq!(rig.tell(Event::FulcrumAway), [Command::Answer { request: id, outcome }]);
    let while_away = rig.ask(add(&config("api", 2, with_port), 2), Wait::Up);
    assert!(is_done(&rig, while_away));
    // The next one is told everything, and the word on it is another one.
    let commands = rig.tell(Event::FulcrumAttached { restarted: true });
    rig.obey(commands);
    let same = rig.ask(add(&config("web", 1, with_port), 1), Wait::Up);
    assert!(!is_done(&rig, same));
    let commands = rig.tell(Event::Published { seq: last_seq(&rig) });
    rig.obey(commands);
    assert!(is_done(&rig, same));
}

#[test]
fn a_caller_with_less_time_hears_at_its_end_that_it_is_up() {
    let mut rig = silent();
    let (id, wait, timeout) = (RequestId(77), Wait::Up, secs(3));
    let request = add(&config("web", 1, with_port), 1);
    let requested = Requested { id, request, generation: None, wait, timeout };
    let commands = rig.tell(Event::Request(requested));
    rig.obey(commands);
    rig.pass(secs(3) - millis(1));
    assert!(!is_done(&rig, id));
    rig.pass(millis(1));
    assert!(is_done(&rig, id), "and not that it is still tried");
}

#[test]
fn no_word_is_waited_for_where_nothing_is_registered() {
    let mut rig = silent();
    let quiet = |fields: &mut Fields<Image>| {
        with_port(fields);
        fields.register = Register::List(Vec::new());
    };
    let id = rig.ask(add(&config("web", 1, quiet), 1), Wait::Up);
    assert!(is_done(&rig, id));
    let id = rig.ask(add(&config("job", 2, |_| ()), 2), Wait::Up);
    rig.pass(secs(1));
    assert!(is_done(&rig, id));
    let id = rig.ask(add(&config("api", 3, with_port), 3), Wait::Started);
    assert!(is_done(&rig, id), "a caller who waits for the start");
}

/// The second registers under another name, and starts nothing.
#[test]
fn other_registrations_of_the_same_instance_are_waited_for() {
    let mut rig = Rig::new();
    rig.tell(Event::FulcrumAttached { restarted: false });
    let labelled = config("web", 1, |fields| {
        with_port(fields);
        let (service, rev) = (fields.name.clone(), fields.rev.clone());
        let port = "http".parse().unwrap();
        let labels = [("team".to_owned(), "shop".to_owned())].into();
        let own = crux_crdt::service::RegisterAs { service, rev, port, labels };
        fields.register = Register::List(vec![own]);
    });
    let before = rig.up(&config("web", 1, with_port), 1);
    rig.stores = false;
    let id = rig.ask(add(&labelled, 1), Wait::Up);
    assert_eq!(rig.only(&"web").instance, Some(before));
    assert!(!is_done(&rig, id));
    let commands = rig.tell(Event::Published { seq: last_seq(&rig) });
    rig.obey(commands);
    assert!(is_done(&rig, id));
}

#[test]
fn an_update_is_waited_for_until_the_new_one_is_registered() {
    let mut rig = Rig::new();
    rig.tell(Event::FulcrumAttached { restarted: false });
    rig.up(&config("web", 1, with_port), 1);
    rig.stores = false;
    let id = rig.ask(update(&config("web", 2, with_port), 2), Wait::Up);
    rig.pass(secs(5));
    let seq = last_seq(&rig);
    assert!(!is_done(&rig, id), "it has taken over, and others do not know");
    let commands = rig.tell(Event::Published { seq });
    rig.obey(commands);
    assert!(is_done(&rig, id));
}
