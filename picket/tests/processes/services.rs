//! A whole picket, asked over its socket, with a fulcrum that only answers.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crux_client::model::{Change, Instance, InstanceState, Settled};
use crux_client::op::{
    AddService, Call, Goal, ListInstances, New, RemoveService, StartService, StopService, Until,
    UpdateService,
};
use crux_client::socket::Door;
use crux_client::{Client, Error, Kind};
use crux_picket::crash;
use crux_picket::tree::{self, Process};
use rustix::process::Signal;

use crate::world::SOON;

pub(crate) const TESTS: &[crate::Test] = &[
    (
        "services::a_program_is_kept_running_and_taken_over",
        a_program_is_kept_running_and_taken_over,
    ),
    ("services::an_update_that_is_bad_goes_back", an_update_that_is_bad_goes_back),
    ("services::a_stop_is_in_order_and_kept", a_stop_is_in_order_and_kept),
    ("services::what_does_not_start_says_why", what_does_not_start_says_why),
    (
        "services::after_a_restart_of_the_machine_nobody_is_signalled",
        after_a_restart_of_the_machine_nobody_is_signalled,
    ),
    ("services::what_a_killed_keeper_leaves_is_killed", what_a_killed_keeper_leaves_is_killed),
    (
        "services::whatever_dies_where_there_is_one_program",
        whatever_dies_where_there_is_one_program,
    ),
];

/// A picket in a process of its own, and its data directory.
pub(crate) struct Picket {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) child: Option<Child>,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl Picket {
    pub(crate) fn new() -> Self {
        let mut picket = Self::not_started();
        picket.start();
        picket
    }

    pub(crate) fn not_started() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("blobs")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { dir, child: None, runtime }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("/proc/self/exe");
        command.args(["run", self.dir.path().to_str().unwrap()]).stdin(Stdio::null());
        command
    }

    pub(crate) fn start(&mut self) {
        self.child = Some(self.command().spawn().unwrap());
        self.until("it answers", |picket| picket.ask(&ListInstances::default()).is_ok());
    }

    pub(crate) fn process(&self) -> Process {
        Process::now(i32::try_from(self.child.as_ref().unwrap().id()).unwrap()).unwrap()
    }

    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM; the fulcrum's exit code says that it was told to stop.
    pub(crate) fn stop(&mut self) {
        self.process().signal(Signal::TERM);
        let begun = Instant::now();
        let status = self.child.take().unwrap().wait().unwrap();
        assert_eq!(status.code(), Some(3));
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    }

    pub(crate) fn ask<C: Call>(&self, op: &C) -> Result<C::Answer, Error> {
        self.runtime.block_on(async {
            let client = Client::connect_at(self.dir.path(), Door::Picket, SOON).await?;
            client.call(op).await
        })
    }

    /// A script that is a blob, and its id.
    pub(crate) fn script(&self, text: &str) -> String {
        let hash = blake3::hash(text.as_bytes()).to_hex().to_string();
        let path = self.path("blobs").join(&hash);
        fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
        hash
    }

    pub(crate) fn add(&self, name: &str, script: &str, more: &str) -> Result<Settled, Error> {
        let image = self.script(script);
        let config = format!(r#"{{"name": "{name}", "image": "{image}", "drain": "0ms"{more}}}"#);
        let config = serde_json::from_str(&config).unwrap();
        self.ask(&AddService { config, until: until(Goal::Up) })
    }

    pub(crate) fn rows(&self) -> Vec<Instance> {
        self.ask(&ListInstances { service: None, all: true }).unwrap()
    }

    pub(crate) fn row(&self) -> Instance {
        let rows = self.rows();
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.into_iter().next().unwrap()
    }

    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < SOON, "{what}: {ended:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn registered(&self) -> String {
        fs::read_to_string(self.path("registered")).unwrap_or_default()
    }
}

impl Drop for Picket {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

pub(crate) fn until(goal: Goal) -> Until {
    Until { goal, within: SOON, generation: None }
}

pub(crate) fn process(row: &Instance) -> Process {
    Process::now(i32::try_from(row.pid.unwrap()).unwrap()).unwrap()
}

pub(crate) const SLEEPER: &str = "echo hello; exec sleep 1000";
pub(crate) const PORTS: &str = r#", "ports": {"http": "auto"}"#;
/// Listens at its port with what every machine has.
pub(crate) const SERVER: &str = "exec python3 -m http.server $PORT";

pub(crate) fn is_up(picket: &Picket) -> bool {
    picket.rows().iter().all(|row| row.state == InstanceState::Up)
}

/// Whether the one instance is up, as another process than before.
pub(crate) fn is_another(picket: &Picket, before: Process) -> bool {
    let row = picket.row();
    let pid = row.pid.and_then(|pid| i32::try_from(pid).ok());
    row.state == InstanceState::Up && pid.is_some_and(|pid| pid != before.pid)
}

fn a_program_is_kept_running_and_taken_over() {
    let mut picket = Picket::new();
    let settled = picket.add("web", SERVER, PORTS).unwrap();
    assert_eq!((settled.state, settled.change), (InstanceState::Up, Change::Added));
    let port = settled.ports["http"];
    let registered = format!("+ web 127.0.0.1:{port}\n");
    picket.until("it is registered", |picket| picket.registered() == registered);
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

/// Where files are written so that they outlive a loss of power; each write has four points.
const WRITTEN: [&str; 6] =
    ["desired", "desired.mark", "events.seq", "node", "record", "registered"];

/// A picket that dies at a named point, or whose keepers do, while a service is added. The next one has exactly one
/// program of it, and no other is left.
fn whatever_dies_where_there_is_one_program() {
    let four = ["write.before", "rename.before", "rename.after", "write.after"];
    let written = WRITTEN.iter().flat_map(|place| four.map(|point| format!("{place}.{point}")));
    let others = crash::POINTS.iter().filter(|point| !point.starts_with("record."));
    let points: Vec<String> = written.chain(others.map(|point| (*point).to_owned())).collect();
    for point in points {
        let mut picket = Picket::not_started();
        let mut command = picket.command();
        command.env(crash::VARIABLE, &point).stderr(Stdio::null());
        picket.child = Some(command.spawn().unwrap());
        let begun = Instant::now();
        let mut ended = false;
        while !ended && begun.elapsed() < Duration::from_millis(700) {
            picket.add_checked(Duration::from_millis(100)).ok();
            ended = picket.child.as_mut().unwrap().try_wait().unwrap().is_some();
        }
        picket.kill();
        picket.start();
        picket.add_checked(SOON).unwrap_or_else(|err| panic!("{point}: {err}"));
        let runs = fs::read_to_string(picket.path("services/web/1/runs")).unwrap();
        let alive =
            |pid: &&str| tree::stat(pid.parse().unwrap()).is_some_and(|stat| stat.is_alive());
        let alive: Vec<&str> = runs.lines().filter(alive).collect();
        assert_eq!(alive, [picket.row().pid.unwrap().to_string()], "{point}: {runs}");
        picket.stop();
    }
}

impl Picket {
    /// Adds a program that says which process it is, and is up at once.
    fn add_checked(&self, within: Duration) -> Result<Settled, Error> {
        let image = self.script("echo $$ >> runs; exec sleep 1000");
        let config = format!(
            r#"{{"name": "web", "image": "{image}", "drain": "0ms", "check": [{{"exec": ["true"]}}]}}"#
        );
        let config = serde_json::from_str(&config).unwrap();
        self.ask(&AddService { config, until: Until { goal: Goal::Up, within, generation: None } })
    }
}
