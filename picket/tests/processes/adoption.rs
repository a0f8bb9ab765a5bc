//! A picket is killed, and another takes over; or somebody else's process has the ids.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crux_picket::durable::Sync;
use crux_picket::handle::{self, Adoption, Ended, Message};
use crux_picket::record::{self, Record, Token};
use crux_picket::tree::{Killed, Process};
use rustix::process::Signal;

use crate::Test;
use crate::world::{Running, SOON, World, nothing_below_me, soon, with_command};

pub(crate) const TESTS: &[Test] = &[
    ("a_killed_picket_loses_nothing", a_killed_picket_loses_nothing),
    ("an_exit_without_a_picket_is_kept", an_exit_without_a_picket_is_kept),
    ("many_are_adopted_at_once", many_are_adopted_at_once),
    ("a_wrong_token_is_refused", a_wrong_token_is_refused),
    ("a_stopped_keeper_holds_nobody_up", a_stopped_keeper_holds_nobody_up),
    ("a_record_of_another_boot_touches_nobody", a_record_of_another_boot_touches_nobody),
    ("a_recycled_id_is_a_stranger", a_recycled_id_is_a_stranger),
    ("alone_for_too_long_a_keeper_ends_its_tree", alone_for_too_long_a_keeper_ends_its_tree),
    ("a_newer_picket_takes_the_place_of_a_hung_one", a_newer_picket_takes_the_place_of_a_hung_one),
];

/// A picket in another process, with one instance.
struct Other {
    child: Child,
    program: Process,
    instance: PathBuf,
}

impl Other {
    fn new(world: &World, orphan_ms: u32, script: &str) -> Self {
        let mut command = Command::new("/proc/self/exe");
        command.arg("picket").arg(&world.dir).args([&orphan_ms.to_string(), script]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let program = Process::now(line.trim().parse().unwrap()).unwrap();
        Self { child, program, instance: world.path("i").join("one") }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn record(&self) -> Record {
        Record::read(&self.instance).unwrap()
    }

    fn adopt(&self, within: Duration) -> Adoption {
        let records = [(self.instance.clone(), self.record())];
        handle::adopt(&records, within).unwrap().remove(0)
    }

    /// Adopts it, which works.
    fn take_over(&self, world: &World) -> (Running, Option<Process>, Option<Ended>) {
        let Adoption::Adopted(keeper, message) = self.adopt(SOON) else { panic!("not adopted") };
        let Message::Adopted { program, started, ending, exit, output } = message else {
            panic!("{message:?}")
        };
        assert!(started && !ending);
        let mut running = world.running(self.instance.clone(), keeper);
        running.take(Some(output));
        (running, program, exit.map(|exit| exit.ended))
    }
}

fn a_killed_picket_loses_nothing() {
    let world = World::new();
    let script = "echo one; echo bad >&2; while [ ! -e $D/go ]; do sleep 0.01; done; echo two; exec sleep 1000";
    let mut other = Other::new(&world, 30_000, script);
    other.kill();
    let since = Instant::now();
    let (mut running, program, exit) = other.take_over(&world);
    println!("adopted after {:?}", since.elapsed());
    assert_eq!((program, exit), (Some(other.program), None));
    running.prints("one\n");
    fs::write(world.path("go"), "").unwrap();
    running.prints("one\ntwo\n");
    running.until("the error", |this| this.err == "bad\n");
    assert!(other.program.is_alive());
    running.keeper.term();
    assert_eq!(running.exited().ended, Ended::Signal(15));
    running.kill();
    nothing_below_me();
}

fn an_exit_without_a_picket_is_kept() {
    let world = World::new();
    let script = "while [ ! -e $D/go ]; do sleep 0.01; done; echo last words; exit 9";
    let mut other = Other::new(&world, 30_000, script);
    other.kill();
    fs::write(world.path("go"), "").unwrap();
    soon("it exits", || !other.program.is_alive());
    let (mut running, _, exit) = other.take_over(&world);
    assert_eq!(exit, Some(Ended::Code(9)));
    running.prints("last words\n");
    running.kill();
}

fn many_are_adopted_at_once() {
    let world = World::new();
    let image = world.script("exec sleep 1000");
    let mut all: Vec<Running> =
        (0..20).map(|number| world.start(&format!("n{number}"), &image, world.spec(&[]))).collect();
    let programs: Vec<Process> = all.iter_mut().map(Running::started).collect();
    // As if this picket had ended.
    let dirs: Vec<PathBuf> = all.into_iter().map(|running| running.dir.clone()).collect();
    let records: Vec<_> =
        dirs.iter().map(|dir| (dir.clone(), Record::read(dir).unwrap())).collect();
    let since = Instant::now();
    let adopted = handle::adopt(&records, SOON).unwrap();
    println!("{} adopted after {:?}", adopted.len(), since.elapsed());
    for ((adoption, program), dir) in adopted.into_iter().zip(programs).zip(dirs) {
        let Adoption::Adopted(keeper, _) = adoption else { panic!("{adoption:?}") };
        assert_eq!(keeper.program(), Some(program));
        let mut running = world.running(dir, keeper);
        running.kill();
    }
    nothing_below_me();
}

fn a_wrong_token_is_refused() {
    let world = World::new();
    let mut running = world.start("one", &world.script("exec sleep 1000"), world.spec(&[]));
    running.started();
    let mut record = Record::read(&running.dir).unwrap();
    record.token = Token::random().unwrap();
    let refused = handle::adopt(&[(running.dir.clone(), record)], SOON).unwrap().remove(0);
    assert!(matches!(refused, Adoption::Refused), "{refused:?}");
    assert!(handle::is_held(&running.dir));
    // Its own picket is not disturbed.
    running.keeper.term();
    running.exited();
    running.kill();
    assert!(!handle::is_held(&running.dir));
}

fn a_stopped_keeper_holds_nobody_up() {
    let world = World::new();
    let mark = format!("74{}", std::process::id());
    let script = format!("(setsid sleep {mark} &); exec sleep {mark}");
    let mut other = Other::new(&world, 30_000, &script);
    // Its picket has the script in its command line.
    other.kill();
    soon("both run", || with_command(&mark).len() == 2);
    let record = other.record();
    let keeper = record.keeper.unwrap();
    keeper.signal(Signal::STOP);
    let since = Instant::now();
    assert!(matches!(other.adopt(Duration::from_millis(200)), Adoption::Silent));
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    // Nobody may start another instance.
    assert!(handle::is_held(&other.instance));
    keeper.signal(Signal::CONT);
    let (running, ..) = other.take_over(&world);
    drop(running);
    keeper.signal(Signal::STOP);
    assert!(matches!(other.adopt(Duration::from_millis(50)), Adoption::Silent));
    let killed = handle::end_by_force(&record, SOON).unwrap();
    assert_eq!((killed.processes, killed.left), (3, 0), "{killed:?}");
    assert!(!handle::is_held(&other.instance) && with_command(&mark).is_empty());
    assert!(matches!(other.adopt(SOON), Adoption::Nobody));
    world.children.borrow_mut().sweep();
}

/// Somebody else's process, with a child.
struct Stranger(Child);

impl Stranger {
    fn new() -> Self {
        let mut sh = Command::new("/bin/sh");
        Self(sh.args(["-c", "sleep 1000; true"]).stdin(Stdio::null()).spawn().unwrap())
    }

    fn process(&self) -> Process {
        Process::now(i32::try_from(self.0.id()).unwrap()).unwrap()
    }

    fn lives(&mut self) {
        assert!(self.0.try_wait().unwrap().is_none() && self.process().is_alive());
        let state = crux_picket::tree::stat(self.process().pid).unwrap().state;
        assert!(state != 'T', "stopped");
    }

    fn end(mut self) {
        crux_picket::tree::kill_below(self.process(), SOON);
        self.0.wait().unwrap();
    }
}

fn a_record_of_another_boot_touches_nobody() {
    let world = World::new();
    let mut stranger = Stranger::new();
    let dir = world.path("i").join("one");
    fs::create_dir_all(&dir).unwrap();
    let mut record = Record::new("one", serde_json::Value::Null).unwrap();
    record.keeper = Some(stranger.process());
    record.boot = "00000000-0000-0000-0000-000000000000".to_owned();
    record.write(&dir, Sync::Disk).unwrap();
    let found = record::all(&world.path("i")).unwrap();
    let records: Vec<_> = found.into_iter().map(|(dir, read)| (dir, read.unwrap())).collect();
    let adoption = handle::adopt(&records, SOON).unwrap().remove(0);
    assert!(matches!(adoption, Adoption::OtherBoot), "{adoption:?}");
    assert_eq!(handle::end_by_force(&records[0].1, SOON).unwrap(), Killed::default());
    stranger.lives();
    stranger.end();
}

fn a_recycled_id_is_a_stranger() {
    let world = World::new();
    let mut stranger = Stranger::new();
    let dir = world.path("i").join("one");
    fs::create_dir_all(&dir).unwrap();
    let mut record = Record::new("one", serde_json::Value::Null).unwrap();
    let process = stranger.process();
    record.keeper = Some(Process { started: process.started - 1, ..process });
    record.write(&dir, Sync::Disk).unwrap();
    let adoption = handle::adopt(&[(dir, record.clone())], SOON).unwrap().remove(0);
    assert!(matches!(adoption, Adoption::Nobody), "{adoption:?}");
    assert_eq!(handle::end_by_force(&record, SOON).unwrap(), Killed::default());
    stranger.lives();
    stranger.end();
}

fn alone_for_too_long_a_keeper_ends_its_tree() {
    let world = World::new();
    let mark = format!("75{}", std::process::id());
    // It does not end when it is asked to.
    let script = format!(
        "(setsid sleep {mark} &); trap 'echo asked >$D/asked' TERM; while :; do sleep 0.01; done # {mark}"
    );
    let mut other = Other::new(&world, 200, &script);
    let record = other.record();
    other.kill();
    let keeper = record.keeper.unwrap();
    soon("the keeper ends", || !keeper.is_alive());
    assert!(!other.program.is_alive() && with_command(&format!("sleep {mark}")).is_empty());
    assert!(world.path("asked").exists());
    assert!(!handle::is_held(&other.instance));
    world.children.borrow_mut().sweep();
}

fn a_newer_picket_takes_the_place_of_a_hung_one() {
    let world = World::new();
    let mut other = Other::new(&world, 200, "exec sleep 1000");
    let picket = Process::now(i32::try_from(other.child.id()).unwrap()).unwrap();
    picket.signal(Signal::STOP);
    let (mut running, program, _) = other.take_over(&world);
    assert_eq!(program, Some(other.program));
    other.kill();
    running.keeper.term();
    running.exited();
    running.kill();
}
