//! The views of `ps` and `inspect`.

use crux_crdt::service::{Check, Fields, Image, Probe, Register, RegisterAs};
use crux_protocol::picket::{Event, InstanceId, RunState};

use super::rig::{Rig, config, image, secs, update, with_port};

fn checked(fields: &mut Fields<Image>) {
    with_port(fields);
    let (path, port) = ("/healthz".to_owned(), "http".parse().unwrap());
    fields.check = vec![Check::new(Probe::Http { path, port })];
}

fn fails(_: &InstanceId, _: usize) -> Result<(), String> {
    Err("status 500".to_owned())
}

#[test]
fn the_text_of_a_failure_is_that_of_the_last_run_only() {
    let mut rig = Rig::new();
    let web = config("web", 1, checked);
    rig.up(&web, 1);
    let text = |rig: &Rig| rig.state.inspect(&web.name).unwrap().checks[0].text.clone();
    rig.pass_with(secs(10), fails);
    assert_eq!(text(&rig), "status 500");
    rig.pass(secs(10));
    assert_eq!(text(&rig), "");
}

#[test]
fn one_that_flips_is_up_and_held() {
    let mut rig = Rig::new();
    rig.tell(Event::FulcrumAttached { restarted: false });
    let web = config("web", 1, |fields| {
        checked(fields);
        fields.period = secs(1);
    });
    rig.up(&web, 1);
    assert!(!rig.only(&"web").is_held);
    for _ in 0..2 {
        rig.pass_with(secs(1), fails);
        rig.pass(secs(1));
    }
    let row = rig.only(&"web");
    assert_eq!((row.state, row.is_held), (RunState::Up, true));
    rig.pass(secs(60));
    assert!(!rig.only(&"web").is_held);
}

#[test]
fn a_row_says_which_content_it_is_of() {
    let mut rig = Rig::new();
    let web = |number| config("web", number, with_port);
    rig.up(&web(1), 1);
    let first = rig.only(&"web").version;
    rig.ask(update(&web(2), 2), crux_protocol::picket::Wait::Started);
    rig.pass(secs(1));
    let mut versions: Vec<u64> = rig.rows("web").iter().map(|row| row.version).collect();
    versions.sort_unstable();
    let wanted = rig.state.wanted_of(&web(2).name).unwrap().current.number;
    assert_eq!(versions, [first, wanted]);
    assert!(first < wanted);
}

#[test]
fn a_content_is_the_same_however_it_is_written() {
    let mut rig = Rig::new();
    let short = config("web", 1, with_port);
    rig.up(&short, 1);
    let long = config("web", 1, |fields| {
        with_port(fields);
        let (service, rev) = (fields.name.clone(), fields.rev.clone());
        let port = "http".parse().unwrap();
        let own = RegisterAs { service, rev, port, labels: Default::default() };
        fields.register = Register::List(vec![own]);
    });
    assert_ne!(short, long);
    let current = &rig.state.wanted_of(&short.name).unwrap().current;
    assert!(current.is_same(&long, &image(1)));
    assert!(!current.is_same(&long, &image(2)));
}
