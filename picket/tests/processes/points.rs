//! A whole picket, or a keeper or launch step of it, dies at each named point while a service lives through a story.
//! Then a picket that does not die takes over.
//!
//! These must hold, whatever died: never two instances at once (the program itself looks for another), a
//! service that was acknowledged is up again by itself, and after an orderly stop there is no process and no
//! record.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crux_client::model::InstanceState;
use crux_client::op::{AddService, Goal, New, StartService, StopService, Until, UpdateService};
use crux_crdt::name::ServiceName;
use crux_picket::{crash, tree};
use rustix::process::Signal;

use crate::Test;
use crate::picket::Picket;
use crate::world::{SOON, soon, with_command};

pub(crate) const TESTS: &[Test] =
    &[("points::thirty_at_random", thirty_at_random), ("points::all_names_are_known", names)];
pub(crate) const NIGHTLY: &[Test] = &[
    ("points::each_alone", each_alone),
    ("points::each_in_a_pair", each_in_a_pair),
    ("points::sixty_at_random", sixty_at_random),
];

/// How many data directories are in use at once: mostly they wait for processes.
const AT_ONCE: usize = 6;
/// How long one step of the story may take. Those that a point hinders are given up.
const STEP: Duration = Duration::from_millis(600);
/// The points of which a story does not tell whether they were reached, by how they begin: the file of events is made
/// short after five thousand of them; no node leaves its flock; and the end of a keeper that is to end is nobody's event.
const UNSEEN: [&str; 5] =
    ["events.write.", "events.rename.", "ended.", "keeper.kill.", "keeper.gone."];

/// One data directory: points at which one picket after the other dies, each as in [`crash::VARIABLE`].
type Round = Vec<String>;

fn thirty_at_random() {
    // The same ones each time: a gate fails for what was changed.
    run(&random(1, 30));
}

fn sixty_at_random() {
    let seed = std::env::var("POINTS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_secs());
    println!("POINTS_SEED={seed}");
    run(&random(seed, 60));
}

fn each_alone() {
    let fired = run(&crash::points().into_iter().map(|point| vec![point]).collect::<Vec<_>>());
    let points = crash::points();
    let reached = points.iter().filter(|point| !UNSEEN.iter().any(|of| point.starts_with(of)));
    let silent: Vec<_> = reached.filter(|point| !fired.contains(point)).collect();
    assert!(silent.is_empty(), "never reached: {silent:?}");
}

fn each_in_a_pair() {
    let mut points = crash::points();
    shuffle(&mut points, &mut Random(7));
    if points.len() % 2 == 1 {
        points.push(points[0].clone());
    }
    run(&points.chunks(2).map(<[String]>::to_vec).collect::<Vec<_>>());
}

/// A misspelt point would never be reached, and its round would say nothing.
fn names() {
    let known = crash::points();
    for point in random(1, 30).concat() {
        let name = point.split(':').next().unwrap().to_owned();
        assert!(known.contains(&name), "{name}");
    }
}

/// Up to three pickets each, at their first to third time.
fn random(seed: u64, rounds: usize) -> Vec<Round> {
    let points: Vec<_> = crash::points()
        .into_iter()
        .filter(|point| !UNSEEN[..3].iter().any(|of| point.starts_with(of)))
        .collect();
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut one = || {
        let point = &points[random.below(points.len())];
        format!("{point}:{}", 1 + random.below(3))
    };
    (0..rounds).map(|round| (0..1 + round % 3).map(|_| one()).collect()).collect()
}

/// Marsaglia's xorshift: which points is all that is drawn.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}

fn shuffle<T>(all: &mut [T], random: &mut Random) {
    for at in (1..all.len()).rev() {
        all.swap(at, random.below(at + 1));
    }
}

/// Runs rounds, some at once. The points at which a picket itself was seen to die.
fn run(rounds: &[Round]) -> Vec<String> {
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    let (fired, failed) = (Mutex::new(Vec::<String>::new()), Mutex::new(Vec::<String>::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed))
                    && let Some(round) = rounds.get(at)
                {
                    let one = || Story::new(at).run(round);
                    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(one)) {
                        Ok(mut died) => fired.lock().unwrap().append(&mut died),
                        Err(_) => failed.lock().unwrap().push(round.join(" then ")),
                    }
                }
            });
        }
    });
    let (fired, failed) = (fired.into_inner().unwrap(), failed.into_inner().unwrap());
    println!("{} rounds, {} pickets died, {:?}", rounds.len(), fired.len(), begun.elapsed());
    assert!(failed.is_empty(), "{failed:#?}");
    fired
}

struct Story {
    picket: Picket,
    service: ServiceName,
    /// A text that no other process of the machine has in its command line.
    mark: String,
    /// Add was acknowledged, and nobody asked for a stop.
    is_owed: bool,
}

impl Story {
    fn new(number: usize) -> Self {
        let mark = format!("78{}{number:03}", std::process::id());
        let service = "web".parse().unwrap();
        Self { picket: Picket::not_started(), service, mark, is_owed: false }
    }

    /// The whole round; at which points a picket died.
    fn run(mut self, round: &Round) -> Vec<String> {
        let mut fired = Vec::new();
        for point in round {
            let mut command = self.picket.command();
            command.env(crash::VARIABLE, point).stderr(Stdio::null());
            self.picket.child = Some(command.spawn().unwrap());
            self.live();
            let ended = self.end();
            if ended || self.is_said() {
                fired.push(point.split(':').next().unwrap().to_owned());
            }
        }
        self.take_over(round);
        fired
    }

    /// The text that its child has in its command line.
    fn child(&self) -> String {
        format!("{}7", self.mark)
    }

    fn is_alive(&mut self) -> bool {
        self.picket.child.as_mut().unwrap().try_wait().unwrap().is_none()
    }

    fn config(&self, version: u32) -> crux_crdt::service::Config {
        let mark = &self.mark;
        // The one that comes second sees the other one, and its child.
        let child = self.child();
        let hidden = format!("[{}]{}", &child[..1], &child[1..]);
        let script = format!(
            "echo $$ >>runs\n\
             for p in $(cat runs); do [ $p = $$ ] || ! grep -qsa {mark} /proc/$p/cmdline || echo $p >>two; done\n\
             grep -lsa '{hidden}' /proc/[0-9]*/cmdline >>two\n\
             sleep {child} & wait # {version}"
        );
        let image = self.picket.script(&script);
        let config = serde_json::json!({
            "name": "web", "image": image, "args": [mark], "update": "replace", "drain": "0ms",
            "quit_timeout": "200ms", "ports": { "http": "auto" }, "check": [{ "exec": ["true"] }],
        });
        serde_json::from_value(config).unwrap()
    }

    /// Everything that reaches a point, as far as it gets.
    fn live(&mut self) {
        let until = Until { goal: Goal::Up, within: STEP, generation: None };
        let begun = Instant::now();
        // The picket needs a moment until it answers.
        while self.is_alive() && !self.is_owed && begun.elapsed() < 2 * STEP {
            let add = AddService { config: self.config(1), until };
            // The same again changes nothing, also where an earlier stop was half done.
            self.is_owed = self.picket.ask(&add).is_ok_and(|it| it.state == InstanceState::Up);
            std::thread::sleep(Duration::from_millis(5));
        }
        if let Some(pid) = self.picket.pid_of_one().filter(|_| self.is_alive()) {
            pid.signal(Signal::KILL);
            let another = |this: &Self| this.picket.pid_of_one().is_some_and(|it| it != pid);
            let begun = Instant::now();
            while self.is_alive() && begun.elapsed() < STEP && !another(self) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        if self.is_alive() {
            let new = New::Config(Box::new(self.config(2)));
            let service = self.service.clone();
            self.picket.ask(&UpdateService { service, new, until }).ok();
        }
        if self.is_alive() {
            self.is_owed = false;
            let (service, until) = (self.service.clone(), until);
            self.picket.ask(&StopService { service, until }).ok();
        }
        if self.is_alive() {
            let (service, until) = (self.service.clone(), until);
            let started = self.picket.ask(&StartService { service, until });
            self.is_owed = started.is_ok_and(|it| it.state == InstanceState::Up);
        }
        if self.is_alive() {
            self.picket.process().signal(Signal::TERM);
            let begun = Instant::now();
            while self.is_alive() && begun.elapsed() < 2 * STEP {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Whether an event says that a keeper or a launch step died.
    fn is_said(&self) -> bool {
        let events = fs::read_to_string(self.picket.path("picket/events")).unwrap_or_default();
        ["its keeper died", "exited: signal 6"].iter().any(|text| events.contains(text))
    }

    /// No picket is left. Whether this one died at its point.
    fn end(&mut self) -> bool {
        let mut child = self.picket.child.take().unwrap();
        child.kill().ok();
        child.wait().unwrap().signal() == Some(Signal::ABORT.as_raw())
    }

    fn take_over(mut self, round: &Round) {
        let what = round.join(" then ");
        self.picket.start();
        if self.is_owed {
            let since = Instant::now();
            self.picket.until(&format!("{what}: up again by itself"), |it| {
                let rows = it.rows();
                assert!(since.elapsed() < SOON * 3 / 4, "{what}: not up again by itself: {rows:?}");
                rows.len() == 1 && rows[0].state == InstanceState::Up
            });
        }
        let until = || Until { goal: Goal::Up, within: SOON, generation: None };
        let (service, config) = (self.service.clone(), Box::new(self.config(2)));
        let new = New::Config(config.clone());
        let update = UpdateService { service: service.clone(), new, until: until() };
        if self.picket.ask(&update).is_err() {
            let add = AddService { config: *config, until: until() };
            self.picket.ask(&add).unwrap_or_else(|err| panic!("{what}: {err}"));
        }
        let start = StartService { service, until: until() };
        self.picket.ask(&start).unwrap_or_else(|err| panic!("{what}: {err}"));
        // It is up before it has done all of its own.
        soon(&format!("{what}: it runs"), || !with_command(&self.child()).is_empty());
        let row = self.picket.row();
        let pids = with_command(&self.child());
        let parent = |pid: &i32| tree::stat(*pid).map(|stat| stat.parent.to_string());
        let parents: Vec<_> = pids.iter().filter_map(parent).collect();
        assert_eq!(parents, [row.pid.unwrap().to_string()], "{what}: {row:?}");
        let two = fs::read_to_string(self.picket.path("services/web/1/two")).unwrap();
        assert_eq!(two, "", "{what}: two at once");
        self.picket.stop();
        assert_eq!(with_command(&self.mark), [0; 0], "{what}: it left a process");
        let left = fs::read_dir(self.picket.path("picket/i")).unwrap().count();
        assert_eq!(left, 0, "{what}: it left a record");
    }
}
