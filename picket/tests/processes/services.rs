//! A whole picket, asked over its socket, with a fulcrum that only answers.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use crux_client::Kind;
use crux_client::model::{Change, InstanceState, Settled};
use crux_client::op::{
    AddService, GetPicket, Goal, New, RemoveService, StartService, StopService, UpdateService,
};
use crux_picket::crash;
use crux_picket::tree::{self, Process};
use rustix::process::Signal;

use crate::picket::{Picket, is_another, is_up, process, until};
use crate::world::SOON;

pub(crate) const TESTS: &[crate::Test] = &[
    (
        "services::a_program_is_kept_running_and_taken_over",
        a_program_is_kept_running_and_taken_over,
    ),
    (
        "services::up_is_answered_once_others_find_it_and_otherwise_says_so",
        up_is_answered_once_others_find_it_and_otherwise_says_so,
    ),
    ("services::an_update_that_is_bad_goes_back", an_update_that_is_bad_goes_back),
    ("services::a_job_that_is_done_is_not_run_again", a_job_that_is_done_is_not_run_again),
    ("services::a_stop_is_in_order_and_kept", a_stop_is_in_order_and_kept),
    ("services::what_does_not_start_says_why", what_does_not_start_says_why),
    (
        "services::after_a_restart_of_the_machine_nobody_is_signalled",
        after_a_restart_of_the_machine_nobody_is_signalled,
    ),
    ("services::what_a_killed_keeper_leaves_is_killed", what_a_killed_keeper_leaves_is_killed),
];

pub(crate) const SLEEPER: &str = "echo hello; exec sleep 1000";
pub(crate) const PORTS: &str = r#", "ports": {"http": "auto"}"#;
/// Listens at its port with what every machine has.
pub(crate) const SERVER: &str = "exec python3 -m http.server $PORT";

fn a_program_is_kept_running_and_taken_over() {
    let mut picket = Picket::new();
    let settled = picket.add("web", SERVER, PORTS).unwrap();
    assert_eq!((settled.state, settled.change), (InstanceState::Up, Change::Added));
    let port = settled.ports["http"];
    assert_eq!(picket.registered(), format!("+ web 127.0.0.1:{port}\n"), "and registered");
    assert_eq!(picket.add("web", SERVER, PORTS).unwrap().change, Change::Unchanged);

    let first = process(&picket.row());
    first.signal(Signal::KILL);
    picket.until("another one is up", |picket| is_another(picket, first));
    let second = process(&picket.row());

    picket.kill();
    assert!(second.is_alive());
    picket.start();
    picket.until("it is taken over", is_up);
    let row = picket.row();
    assert_eq!((process(&row), row.restarts), (second, 0));
    // And it is still watched.
    second.signal(Signal::KILL);
    picket.until("another one is up", |picket| is_another(picket, second));
    picket.ask(&RemoveService { service: "web".parse().unwrap(), until: until(Goal::Up) }).unwrap();
    assert_eq!(picket.rows(), []);
    assert!(picket.registered().ends_with("- web\n"), "{}", picket.registered());
    picket.until("no record is left", |picket| {
        fs::read_dir(picket.path("picket/i")).unwrap().count() == 0
    });
    picket.stop();
}

/// The last note of an answer says why others do not find it.
fn up_is_answered_once_others_find_it_and_otherwise_says_so() {
    let mut picket = Picket::new();
    let note = |settled: &Settled| {
        assert_eq!(settled.state, InstanceState::Up);
        settled.notes.iter().find(|note| note.starts_with("not registered")).cloned()
    };
    let added = |picket: &Picket, name: &str| picket.add(name, SERVER, PORTS).unwrap();
    assert_eq!(note(&added(&picket, "first")), None);

    // A fulcrum that takes its time is waited for, and no longer than the caller wants.
    fs::write(picket.path("slow"), "").unwrap();
    let begun = Instant::now();
    let said = note(&added(&picket, "web")).unwrap();
    assert!(said.contains("has not answered"), "{said}");
    assert!(begun.elapsed() >= Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(!picket.registered().contains("web"), "{}", picket.registered());
    fs::remove_file(picket.path("slow")).unwrap();
    assert_eq!(note(&added(&picket, "web")), None, "the same again waits for it");
    assert!(picket.registered().contains("+ web "), "{}", picket.registered());

    // One that the node refuses is not waited for.
    fs::write(picket.path("full"), "much").unwrap();
    let said = note(&added(&picket, "much"));
    assert_eq!(said.as_deref(), Some("not registered: too many registrations"));

    // Nor is a fulcrum that is away.
    fs::write(picket.path("no-fulcrum"), "").unwrap();
    picket.end_fulcrum("io");
    picket.until("it is away", |picket| picket.ask(&GetPicket).unwrap().fulcrum_pid.is_none());
    let begun = Instant::now();
    let said = note(&added(&picket, "api")).unwrap();
    assert!(said.contains("the fulcrum is away"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    fs::remove_file(picket.path("no-fulcrum")).unwrap();
    picket.until("it is registered", |picket| picket.registered().contains("+ api "));
    picket.stop();
}

fn an_update_that_is_bad_goes_back() {
    let mut picket = Picket::new();
    picket.add("web", SERVER, PORTS).unwrap();
    let first = process(&picket.row());
    let blob = picket.script("echo broken; exit 1").parse().unwrap();
    let new = New::Image { blob, argv0: None, rev: None };
    let update = UpdateService { service: "web".parse().unwrap(), new, until: until(Goal::Up) };
    let error = picket.ask(&update).unwrap_err();
    assert_eq!(error.kind(), Kind::RolledBack, "{error}");
    assert!(error.log().any(|line| line == "broken"), "{error:?}");
    assert!(first.is_alive() && process(&picket.row()) == first, "the old one never stopped");
    picket.stop();
    assert!(!first.is_alive());
}

/// Whenever the picket dies: once it is done, and at each step of writing that it is.
fn a_job_that_is_done_is_not_run_again() {
    const NEVER: &str = r#", "restart": "never""#;
    let mut points = vec![None];
    // The first write of what is wanted is that of the job itself.
    points.extend(crash::WRITE.iter().map(|step| Some(format!("desired.{step}:2"))));
    for point in points {
        let mut picket = Picket::not_started();
        let mut command = picket.command();
        command.envs(point.iter().map(|point| (crash::VARIABLE, point)));
        picket.child = Some(command.spawn().unwrap());
        picket.until("it answers", Picket::answers);
        let begun = picket.add("job", "echo ran >>ran; sleep 0.2", NEVER);
        if point.is_some() {
            let mut child = picket.child.take().unwrap();
            let ended = child.wait().unwrap();
            assert_eq!(ended.signal(), Some(Signal::ABORT.as_raw()), "{point:?}: {begun:?}");
        } else {
            assert_eq!(begun.unwrap().state, InstanceState::Done);
            picket.kill();
        }
        picket.start();
        let is_done = |picket: &Picket| picket.row().state == InstanceState::Done;
        picket.until("it is done", is_done);
        // All that starts at once has started before this one is up.
        picket.add("other", SLEEPER, "").unwrap();
        let rows = picket.rows();
        assert_eq!(rows[0].state, InstanceState::Done, "{point:?}: {rows:?}");
        let ran = fs::read_to_string(picket.path("services/job/1/ran")).unwrap();
        assert_eq!(ran, "ran\n", "{point:?}");
        // A person may have it run again.
        let service = "job".parse().unwrap();
        let started = picket.ask(&StartService { service, until: until(Goal::Up) }).unwrap();
        assert_eq!(started.state, InstanceState::Done);
        let ran = fs::read_to_string(picket.path("services/job/1/ran")).unwrap();
        assert_eq!(ran, "ran\nran\n", "{point:?}");
        picket.stop();
    }
}

fn a_stop_is_in_order_and_kept() {
    let mut picket = Picket::new();
    // It ends by itself when it is told, and says so.
    let script = "trap 'echo told > told; exit 0' TERM; while :; do sleep 0.05; done";
    picket.add("web", script, "").unwrap();
    let told = picket.path("services/web/1/told");
    let service: crux_crdt::name::ServiceName = "web".parse().unwrap();
    picket.ask(&StopService { service: service.clone(), until: until(Goal::Up) }).unwrap();
    assert_eq!(fs::read_to_string(&told).unwrap(), "told\n");
    assert_eq!(picket.row().state, InstanceState::Stopped);
    picket.stop();
    picket.start();
    assert_eq!(picket.row().state, InstanceState::Stopped, "over restarts of the node");
    picket.ask(&StartService { service, until: until(Goal::Up) }).unwrap();
    let running = process(&picket.row());
    fs::remove_file(&told).unwrap();
    picket.stop();
    assert!(!running.is_alive() && told.exists(), "the node's stop tells it as well");
    picket.start();
    picket.until("it is wanted still", is_up);
    picket.stop();
}

fn what_does_not_start_says_why() {
    let mut picket = Picket::new();
    let error = picket.add("bad", "echo first; echo 'no such table' >&2; exit 3", "").unwrap_err();
    assert_eq!(error.kind(), Kind::StartFailed, "{error}");
    assert!(error.log().any(|line| line == "no such table"), "{error:?}");
    let config = format!(r#"{{"name": "none", "image": "{}"}}"#, "ab".repeat(32));
    let config = serde_json::from_str(&config).unwrap();
    let error = picket.ask(&AddService { config, until: until(Goal::Up) }).unwrap_err();
    assert!(error.to_string().contains("fetching a blob"), "{error}");
    assert_eq!(picket.rows().len(), 1, "nothing was changed");
    // A program that is not one, and one for nobody.
    fs::write(picket.path("blobs").join("cd".repeat(32)), "just text").unwrap();
    let config = format!(r#"{{"name": "text", "image": "{}"}}"#, "cd".repeat(32));
    let config = serde_json::from_str(&config).unwrap();
    let error = picket.ask(&AddService { config, until: until(Goal::Up) }).unwrap_err();
    assert_eq!(error.kind(), Kind::ImageUnusable, "{error}");
    picket.stop();
}

/// Everything is killed, the record is that of another boot, and its process ids are those of strangers.
fn after_a_restart_of_the_machine_nobody_is_signalled() {
    let mut picket = Picket::new();
    picket.add("web", SLEEPER, "").unwrap();
    let program = process(&picket.row());
    picket.kill();
    let dir = fs::read_dir(picket.path("picket/i")).unwrap().next().unwrap().unwrap().path();
    let record = dir.join("instance.json");
    let mut value: serde_json::Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    let keeper = i32::try_from(value["keeper"]["pid"].as_i64().unwrap()).unwrap();
    Process::now(keeper).unwrap().signal(Signal::KILL);
    let begun = Instant::now();
    while program.is_alive() {
        assert!(begun.elapsed() < SOON);
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut stranger = Command::new("sleep").arg("1000").spawn().unwrap();
    let process_of = Process::now(i32::try_from(stranger.id()).unwrap()).unwrap();
    value["boot"] = "another".into();
    value["keeper"] = serde_json::json!({ "pid": process_of.pid, "started": process_of.started });
    fs::write(&record, value.to_string()).unwrap();
    picket.start();
    picket.until("it is up again", is_up);
    assert!(process_of.is_alive(), "nobody else's process is touched");
    assert!(!dir.exists(), "the old record is gone");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    picket.stop();
}

fn what_a_killed_keeper_leaves_is_killed() {
    let mut picket = Picket::new();
    // Its own directory is where it runs.
    let file = picket.path("services/web/1/daemon");
    picket.add("web", "(setsid sleep 1000 & echo $! > daemon) ; exec sleep 1000", "").unwrap();
    let program = process(&picket.row());
    let daemon = fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    let daemon = Process::now(daemon).unwrap();
    let keeper = tree::stat(program.pid).unwrap().parent;
    Process::now(keeper).unwrap().signal(Signal::KILL);
    picket.until("another one is up", |picket| is_another(picket, program));
    let begun = Instant::now();
    while daemon.is_alive() || program.is_alive() {
        assert!(begun.elapsed() < SOON, "{daemon:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    picket.stop();
}
