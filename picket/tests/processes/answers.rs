//! Answers to callers, and the consequences of the fulcrum's messages.

use std::fs;
use std::time::{Duration, Instant};

use crux_client::model::{CheckState, InstanceState};
use crux_client::op::{
    AddService, Goal, InspectService, New, ReadLogs, RemoveService, RestartService, Until,
    UpdateService,
};
use crux_client::socket::Door;
use crux_client::{Client, Error, Kind};
use crux_crdt::name::ServiceName;

use crate::picket::{Picket, is_up, process, until};
use crate::services::{PORTS, SERVER, SLEEPER};
use crate::world::SOON;

pub(crate) const TESTS: &[crate::Test] = &[
    ("answers::a_check_by_command_is_given_what_its_service_has", a_check_is_given_what_it_has),
    ("answers::a_check_may_print_more_than_a_pipe_holds", a_check_may_print_a_lot),
    ("answers::an_image_that_does_not_run_here_is_unusable", an_image_that_does_not_run_here),
    ("answers::nobody_who_does_not_wait_is_told_of_the_old", nobody_is_told_of_the_old),
    ("answers::a_registration_that_is_refused_is_seen", a_refused_registration_is_seen),
    ("answers::the_log_of_a_removed_service_is_read", the_log_of_a_removed_service_is_read),
    ("answers::another_bound_of_a_log_needs_no_other_instance", another_bound_of_a_log),
    ("answers::a_node_that_left_starts_no_program_again", a_node_that_left_starts_no_program),
    ("answers::a_node_that_is_refused_while_it_stops_says_so", refused_while_it_stops),
];

/// With the words of the command, in the order of the config.
fn checks(picket: &Picket, service: &str) -> Vec<CheckState> {
    picket.ask(&InspectService { service: service.parse().unwrap() }).unwrap().checks
}

fn a_check_is_given_what_it_has() {
    let mut picket = Picket::new();
    let more = r#", "ports": {"http": "auto"}, "register": [], "start_timeout": "5s",
        "check": [{"exec": ["test", "${port.http}", "-gt", "0"]}, {"exec": ["test", "-d", "${dir}"]},
                  {"exec": ["sh", "-c", "echo at ${addr}"]}]"#;
    picket.add("web", SLEEPER, more).unwrap();
    let said: Vec<String> = checks(&picket, "web").into_iter().map(|check| check.text).collect();
    assert_eq!(said, ["exit code 0", "exit code 0", "exit code 0: at 127.0.0.1"]);
    picket.stop();
}

fn a_check_may_print_a_lot() {
    let mut picket = Picket::new();
    let more = r#", "start_timeout": "5s",
        "check": [{"exec": ["sh", "-c", "head -c 300000 /dev/zero; echo; echo fine"]}]"#;
    picket.add("web", SLEEPER, more).unwrap();
    assert_eq!(checks(&picket, "web")[0].text, "exit code 0: fine");
    picket.stop();
}

fn an_image_that_does_not_run_here() {
    let mut picket = Picket::new();
    let shell = fs::read("/bin/sh").unwrap();
    let other = if cfg!(target_arch = "aarch64") { 62 } else { 183 };
    let mut other_machine = shell.clone();
    other_machine[18..20].copy_from_slice(&u16::to_le_bytes(other));
    let mut no_loader = shell;
    let at =
        no_loader.windows(7).position(|bytes| bytes == b"/ld-lin" || bytes == b"/ld-mus").unwrap();
    no_loader[at + 1] = b'x';
    let no_interpreter = b"#!/no/such/interpreter\n".to_vec();
    for (name, bytes) in
        [("other", other_machine), ("loader", no_loader), ("script", no_interpreter)]
    {
        let hash = blake3::hash(&bytes).to_hex().to_string();
        fs::write(picket.path("blobs").join(&hash), bytes).unwrap();
        let config = format!(r#"{{"name": "{name}", "image": "{hash}"}}"#);
        let config = serde_json::from_str(&config).unwrap();
        let error = picket.ask(&AddService { config, until: until(Goal::Up) }).unwrap_err();
        assert_eq!(error.kind(), Kind::ImageUnusable, "{name}: {error}");
    }
    picket.stop();
}

fn nobody_is_told_of_the_old() {
    let mut picket = Picket::new();
    let at_once = Until { goal: Goal::None, within: SOON, generation: None };
    let config = |rev: &str| {
        let image = picket.script(SLEEPER);
        let config = format!(r#"{{"name": "web", "rev": "{rev}", "image": "{image}"}}"#);
        serde_json::from_str(&config).unwrap()
    };
    let (v3, v4) = (config("v3"), config("v4"));
    let settled = picket.ask(&AddService { config: v3, until: at_once }).unwrap();
    assert_eq!((settled.rev.as_str(), settled.state), ("v3", InstanceState::Pending));
    picket.until("it is up", is_up);
    let service: ServiceName = "web".parse().unwrap();
    let new = New::Config(Box::new(v4));
    let update = UpdateService { service: service.clone(), new, until: at_once };
    let settled = picket.ask(&update).unwrap();
    assert_eq!((settled.rev.as_str(), settled.pid), ("v4", None));
    let restart = RestartService { service: service.clone(), until: until(Goal::Up) };
    let settled = picket.ask(&restart).unwrap();
    let running = picket.rows().into_iter().find(|row| row.state == InstanceState::Up).unwrap();
    assert_eq!((settled.rev.as_str(), settled.pid), ("v4", running.pid));
    let settled = picket.ask(&RemoveService { service, until: until(Goal::Up) }).unwrap();
    assert_eq!((settled.rev.as_str(), settled.state), ("v4", InstanceState::Stopped));
    picket.stop();
}

fn a_refused_registration_is_seen() {
    let mut picket = Picket::new();
    fs::write(picket.path("full"), "web\n").unwrap();
    picket.add("web", SERVER, PORTS).unwrap();
    let reason = "not registered: too many registrations";
    picket.until("it is said", |picket| picket.row().reason.as_deref() == Some(reason));
    fs::remove_file(picket.path("full")).unwrap();
    picket.until("it is tried again", |picket| picket.row().reason.is_none());
    assert!(picket.registered().starts_with("+ web "));
    picket.stop();
}

fn the_log_of_a_removed_service_is_read() {
    let mut picket = Picket::new();
    picket.add("web", SLEEPER, "").unwrap();
    let service: ServiceName = "web".parse().unwrap();
    picket.ask(&RemoveService { service: service.clone(), until: until(Goal::Up) }).unwrap();
    let texts = |picket: &Picket| -> Vec<String> { picket.lines(&logs_of(&service)).unwrap() };
    // To its end, although it is followed.
    assert_eq!(texts(&picket), ["hello"]);
    picket.stop();
    picket.start();
    assert_eq!(texts(&picket), ["hello"]);
    let none = logs_of(&"none".parse().unwrap());
    assert_eq!(picket.lines(&none).unwrap_err().kind(), Kind::NotFound);
    picket.stop();
}

fn another_bound_of_a_log() {
    let mut picket = Picket::new();
    // A fifth of the usual bound is 8 MiB, which takes longer than this test at the usual rate.
    let script = "while :; do head -c 60000 /dev/zero | tr '\\0' x | fold -w 999; sleep 0.1; done";
    picket.add("web", script, "").unwrap();
    let first = process(&picket.row());
    picket.add("web", script, r#", "log_max": "1MiB""#).unwrap();
    let old = picket.path("logs/web/1");
    picket.until("another file is begun", |_| old.exists());
    assert!(fs::metadata(&old).unwrap().len() < 1 << 20);
    assert_eq!(process(&picket.row()), first);
    picket.stop();
}

/// All lines of a service, followed.
fn logs_of(service: &ServiceName) -> ReadLogs {
    let service = service.clone();
    ReadLogs { service, follow: true, tail: None, since: None, until_exit: false, stream: None }
}

/// A program that counts its starts.
const COUNTER: &str = "echo $$ >> starts; exec sleep 1000";

fn starts(picket: &Picket) -> usize {
    let text = fs::read_to_string(picket.path("services/web/1/starts"));
    text.unwrap_or_default().lines().count()
}

fn a_node_that_left_starts_no_program() {
    let mut picket = Picket::new();
    picket.add("web", COUNTER, "").unwrap();
    picket.stop();
    fs::write(picket.path("refuse"), "").unwrap();
    // Its services are started, because nobody knows it yet; and stopped, when the fulcrum says so.
    assert_eq!(picket.runs_to_its_end(), Some(5));
    let before = starts(&picket);
    for _ in 0..3 {
        assert_eq!(picket.runs_to_its_end(), Some(5));
        assert_eq!(starts(&picket), before);
    }
    // It is a member again.
    fs::remove_file(picket.path("refuse")).unwrap();
    picket.start();
    picket.until("it is up", is_up);
    // It is up as soon as it is executed.
    picket.until("it is started", |picket| starts(picket) > before);
    assert_eq!(starts(&picket), before + 1);
    picket.stop();
    picket.start();
    picket.until("it is up at once", is_up);
    assert!(!picket.path("picket/ended").exists());
    picket.stop();
}

fn refused_while_it_stops() {
    let mut picket = Picket::new();
    picket.add("web", &format!("trap '' TERM; {SERVER}"), PORTS).unwrap();
    picket.until("it is registered", |picket| !picket.registered().is_empty());
    fs::write(picket.path("refuse"), "").unwrap();
    picket.process().signal(rustix::process::Signal::TERM);
    let begun = Instant::now();
    let status = picket.child.take().unwrap().wait().unwrap();
    assert_eq!(status.code(), Some(5));
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    assert!(picket.path("picket/ended").exists());
}

impl Picket {
    /// The texts of a log, until its end.
    fn lines(&self, op: &ReadLogs) -> Result<Vec<String>, Error> {
        self.runtime.block_on(async {
            let client = Client::connect_at(self.dir.path(), Door::Picket, SOON).await?;
            let mut lines = client.logs(op).await?;
            let mut texts = Vec::new();
            while let Some(line) = lines.next().await? {
                texts.push(line.text);
            }
            Ok(texts)
        })
    }

    /// Starts it, and waits for its exit code.
    fn runs_to_its_end(&mut self) -> Option<i32> {
        self.command().spawn().unwrap().wait().unwrap().code()
    }
}
