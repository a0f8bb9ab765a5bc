//! Processes are killed, stopped, disconnected or lost: nothing runs twice, and nobody else is touched.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crux_client::model::InstanceState;
use crux_picket::tree::{self, Process};
use rustix::process::Signal;

use crate::Test;
use crate::picket::{Picket, is_another, is_up, process};
use crate::world::{SOON, soon, with_command};

pub(crate) const TESTS: &[Test] = &[
    ("losses::an_adopted_keeper_that_is_killed", an_adopted_keeper_that_is_killed),
    ("losses::picket_and_keeper_are_killed_at_once", picket_and_keeper_are_killed_at_once),
    ("losses::a_stopped_keeper_is_let_go_on", a_stopped_keeper_is_let_go_on),
    ("losses::a_node_stops_in_time_whatever_is_stopped", a_node_stops_in_time_whatever_is_stopped),
    ("losses::what_is_no_instance_is_left_alone", what_is_no_instance_is_left_alone),
    ("losses::a_cut_record_holds_up_only_itself", a_cut_record_holds_up_only_itself),
    ("losses::a_removed_socket_is_not_an_end", a_removed_socket_is_not_an_end),
    ("losses::power_is_lost", power_is_lost),
    ("losses::children_from_before_are_not_orphans", children_from_before_are_not_orphans),
    ("losses::a_final_end_while_services_stop", a_final_end_while_services_stop),
];

/// A program whose children are in its session and in others, with and without its environment.
fn family(mark: &str) -> String {
    format!("sleep {mark}1 & setsid sleep {mark}2 & env -i sleep {mark}3 & wait")
}

fn mark(base: u32) -> String {
    format!("{base}{}", std::process::id())
}

fn keeper_of(program: Process) -> Process {
    Process::now(tree::stat(program.pid).unwrap().parent).unwrap()
}

/// The numbers of the family, once all of it runs.
fn members(mark: &str) -> Vec<i32> {
    let all = || with_command(&format!("sleep {mark}"));
    soon("the family runs", || all().len() == 3);
    all()
}

fn all_gone(pids: &[i32], before: &[Process]) -> bool {
    let lives = |pid: i32| before.iter().any(|it| it.pid == pid && it.is_alive());
    !pids.iter().any(|pid| lives(*pid))
}

fn identities(pids: &[i32]) -> Vec<Process> {
    pids.iter().filter_map(|pid| Process::now(*pid)).collect()
}

/// Its orphans fall to nobody that knows them: the picket that started it is gone.
fn an_adopted_keeper_that_is_killed() {
    let mut picket = Picket::new();
    let mark = mark(80);
    picket.add("web", &family(&mark), "").unwrap();
    let first = process(&picket.row());
    let before = members(&mark);
    let identities = identities(&before);
    picket.kill();
    picket.start();
    picket.until("it is taken over", is_up);
    assert_eq!(process(&picket.row()), first);
    keeper_of(first).signal(Signal::KILL);
    picket.until("another one is up", |picket| is_another(picket, first));
    assert!(all_gone(&before, &identities), "before the next one was started");
    assert_eq!(members(&mark).len(), 3);
    picket.stop();
    assert_eq!(with_command(&format!("sleep {mark}")), [0; 0]);
}

fn picket_and_keeper_are_killed_at_once() {
    let mut picket = Picket::new();
    let mark = mark(81);
    picket.add("web", &family(&mark), "").unwrap();
    let first = process(&picket.row());
    let before = members(&mark);
    let identities = identities(&before);
    let keeper = keeper_of(first);
    // Neither may notice the end of the other.
    picket.process().signal(Signal::STOP);
    keeper.signal(Signal::KILL);
    picket.kill();
    picket.start();
    picket.until("another one is up", |picket| is_another(picket, first));
    assert!(all_gone(&before, &identities), "before the next one was started");
    picket.stop();
    assert_eq!(with_command(&format!("sleep {mark}")), [0; 0]);
}

fn a_stopped_keeper_is_let_go_on() {
    let mut picket = Picket::new();
    picket.add("web", "exec sleep 1000", "").unwrap();
    let first = process(&picket.row());
    keeper_of(first).signal(Signal::STOP);
    first.signal(Signal::KILL);
    // Nobody tells of the end until the picket looks.
    picket.until("another one is up", |picket| is_another(picket, first));
    picket.stop();
}

fn a_node_stops_in_time_whatever_is_stopped() {
    let mut picket = Picket::new();
    let mark = mark(82);
    // It does not end when it is asked to.
    let script = format!("trap '' TERM; sleep {mark} & while :; do sleep 1; done");
    picket.add("web", &script, r#", "quit_timeout": "100ms""#).unwrap();
    let program = process(&picket.row());
    let keeper = keeper_of(program);
    keeper.signal(Signal::STOP);
    // The fulcrum was told in time, or its code would be another one.
    picket.stop();
    soon("nothing is left", || !program.is_alive() && !keeper.is_alive());
    assert_eq!(with_command(&format!("sleep {mark}")), [0; 0]);
}

fn what_is_no_instance_is_left_alone() {
    let mut picket = Picket::new();
    picket.add("web", "exec sleep 1000", "").unwrap();
    let first = process(&picket.row());
    picket.kill();
    let stray = picket.path("picket/i/stray");
    fs::write(&stray, "mine").unwrap();
    let fifo = picket.path("picket/i/fifo");
    fs::create_dir(&fifo).unwrap();
    Command::new("mkfifo").arg(fifo.join("instance.json")).status().unwrap();
    let begun = Instant::now();
    picket.start();
    picket.until("it is taken over", is_up);
    assert_eq!(process(&picket.row()), first);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    // And it is watched, and others are started.
    picket.add("api", "exec sleep 1000", "").unwrap();
    assert_eq!(fs::read_to_string(stray).unwrap(), "mine");
    picket.stop();
}

fn record_of(picket: &Picket, service: &str) -> PathBuf {
    let dirs = fs::read_dir(picket.path("picket/i")).unwrap().flatten();
    let mut dirs = dirs.filter(|dir| dir.file_name().to_str().unwrap().starts_with(service));
    dirs.next().unwrap().path().join("instance.json")
}

fn a_cut_record_holds_up_only_itself() {
    let mut picket = Picket::new();
    picket.add("web", "exec sleep 1000", "").unwrap();
    let web = process(&picket.row());
    picket.add("api", "echo one; exec sleep 1000", "").unwrap();
    let rows = picket.rows();
    let api = process(rows.iter().find(|row| row.service.as_str() == "api").unwrap());
    picket.kill();
    let record = record_of(&picket, "web");
    let bytes = fs::read(&record).unwrap();
    fs::write(&record, &bytes[..bytes.len() / 2]).unwrap();
    picket.start();
    let of = |picket: &Picket, name: &str| {
        picket.rows().into_iter().filter(|row| row.service.as_str() == name).collect::<Vec<_>>()
    };
    picket.until("the other one is taken over", |picket| {
        of(picket, "api").iter().any(|row| row.state == InstanceState::Up)
    });
    // It is watched: its end is seen while the cut one is waited for. Nothing is started beside that.
    api.signal(Signal::KILL);
    picket
        .until("its end is seen", |picket| !of(picket, "api").iter().any(|row| row.pid.is_some()));
    assert!(web.is_alive() && of(&picket, "web").iter().all(|row| row.pid.is_none()));
    // Its keeper ends it after 30 s, or somebody does.
    keeper_of(web).signal(Signal::KILL);
    soon("the cut one ends", || !web.is_alive());
    picket.until("both are up", |picket| picket.rows().len() == 2 && is_up(picket));
    picket.stop();
}

fn a_removed_socket_is_not_an_end() {
    let mut picket = Picket::new();
    let mark = mark(83);
    picket.add("web", &format!("exec sleep {mark}"), "").unwrap();
    let first = process(&picket.row());
    picket.kill();
    fs::remove_file(record_of(&picket, "web").with_file_name("keeper.sock")).unwrap();
    picket.start();
    picket.until("another one is up", |picket| is_another(picket, first));
    assert_eq!(with_command(&format!("sleep {mark}")).len(), 1, "never two");
    picket.stop();
}

/// Somebody else's processes, one of them the leader of a session.
struct Strangers(Vec<Child>);

impl Strangers {
    fn new() -> Self {
        let one = |args: &[&str]| {
            let mut command = Command::new(args[0]);
            command.args(&args[1..]).stdin(Stdio::null()).spawn().unwrap()
        };
        Self(vec![one(&["sleep", "1000"]), one(&["setsid", "sleep", "1000"])])
    }

    fn processes(&self) -> Vec<Process> {
        let of = |child: &Child| Process::now(i32::try_from(child.id()).unwrap()).unwrap();
        self.0.iter().map(of).collect()
    }

    fn end(mut self) {
        for child in &mut self.0 {
            assert!(child.try_wait().unwrap().is_none(), "a stranger was ended");
            let state = tree::stat(i32::try_from(child.id()).unwrap()).unwrap().state;
            assert!(state != 'T', "a stranger was stopped");
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// Everything is killed, the records are those of another boot, and their process ids are those of strangers.
fn power_is_lost() {
    let mut picket = Picket::new();
    let scripts =
        [("web", "exec sleep 1000"), ("api", "sleep 1000 & wait"), ("dns", "exec sleep 999")];
    for (name, script) in scripts {
        picket.add(name, script, "").unwrap();
    }
    let programs: Vec<Process> = picket.rows().iter().map(process).collect();
    let keepers: Vec<Process> = programs.iter().map(|it| keeper_of(*it)).collect();
    picket.kill();
    for process in keepers.iter().chain(&programs) {
        tree::kill_below(*process, SOON);
    }
    let strangers = Strangers::new();
    let records: Vec<PathBuf> = scripts.iter().map(|(name, _)| record_of(&picket, name)).collect();
    for (at, record) in records.iter().enumerate() {
        let mut value: serde_json::Value =
            serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
        let stranger = strangers.processes()[at % 2];
        let process = serde_json::json!({ "pid": stranger.pid, "started": stranger.started });
        assert!(value["program"].is_object(), "{value}");
        (value["keeper"], value["program"]) = (process.clone(), process);
        value["boot"] = "11111111-2222-3333-4444-555555555555".into();
        fs::write(record, value.to_string()).unwrap();
    }
    // Nor is there a node yet that could be asked for anything.
    fs::write(picket.path("no-fulcrum"), "").unwrap();
    picket.start();
    picket.until("all are up again, as others", |picket| {
        let rows = picket.rows();
        rows.len() == 3 && is_up(picket) && rows.iter().all(|row| !programs.contains(&process(row)))
    });
    fs::remove_file(picket.path("no-fulcrum")).unwrap();
    picket.until("the node is there", |picket| {
        picket.ask(&crux_client::op::GetPicket).unwrap().fulcrum_pid.is_some()
    });
    assert!(records.iter().all(|record| !record.exists()), "the old records are gone");
    picket.stop();
    strangers.end();
}

/// A shell that executes the node may have started something before.
fn children_from_before_are_not_orphans() {
    let mut picket = Picket::not_started();
    let mark = mark(84);
    let (exe, dir) = (std::env::current_exe().unwrap(), picket.path(""));
    let script = format!("sleep {mark} & exec {} run {}", exe.display(), dir.display());
    picket.child =
        Some(Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).spawn().unwrap());
    picket.until("it answers", Picket::answers);
    picket.add("web", "(setsid sleep 1000 &); exec sleep 1000", "").unwrap();
    let first = process(&picket.row());
    keeper_of(first).signal(Signal::KILL);
    picket.until("another one is up", |picket| is_another(picket, first));
    let stranger = with_command(&format!("sleep {mark}"));
    assert_eq!(stranger.len(), 1, "it lives on");
    picket.stop();
    identities(&stranger)[0].signal(Signal::KILL);
}

fn a_final_end_while_services_stop() {
    let mut picket = Picket::new();
    // It takes a second to end.
    let script = "trap 'sleep 1; exit' TERM; touch ready; while :; do sleep 0.05; done";
    picket.add("web", script, "").unwrap();
    soon("it is ready", || picket.path("services/web/1/ready").exists());
    picket.process().signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(200));
    // The node is evicted meanwhile.
    picket.end_fulcrum("refused");
    let status = picket.child.take().unwrap().wait().unwrap();
    assert_eq!(status.code(), Some(5));
}
