//! Real processes: keepers, launch steps and programs, started, killed and adopted.
//!
//! This test has no harness of the standard library, because its own program is executed as keeper and
//! as launch step, as `crux-node` is. Each test runs in a process of its own, with a deadline; and when
//! it ended, nothing that it started may be left: this process is a subreaper, and looks.

#![expect(clippy::print_stdout, reason = "a test tells how it went")]
#![expect(clippy::unwrap_used, reason = "a test that cannot do its part fails")]

mod adoption;
mod answers;
mod crashes;
mod flat;
mod goals;
mod images;
mod inputs;
mod losses;
mod picket;
mod points;
mod programs;
mod roles;
mod services;
mod trees;
mod world;

use std::io::Read as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crux_picket::tree::{self, Snapshot};
use crux_picket::{keeper, launch, orphans};

/// A test by name.
type Test = (&'static str, fn());

/// How many run at once: mostly they wait for processes.
const AT_ONCE: usize = 4;
/// How long one may take. The slowest needs some seconds; CI's machines are slower, and busy.
const DEADLINE: Duration = Duration::from_secs(120);
/// The same for those that `cargo test` leaves to the nightly run.
const DEADLINE_NIGHTLY: Duration = Duration::from_secs(1800);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match *args.as_slice() {
        [keeper::VERB] => keeper::main(),
        [launch::VERB] => launch::main(),
        ["plugin", ref how @ ..] => roles::plugin(how),
        ["picket", ref how @ ..] => roles::picket(how),
        ["run", ref how @ ..] => roles::run(how),
        ["fulcrum", ref how @ ..] => roles::fulcrum(how),
        ["one", name] => one(name),
        ["apart", name] => {
            orphans::prepare().unwrap();
            match apart(name) {
                Ok(()) => ExitCode::SUCCESS,
                Err(why) => {
                    println!("{why}");
                    ExitCode::FAILURE
                }
            }
        }
        _ => all(&args),
    }
}

fn tests() -> Vec<Test> {
    [
        programs::TESTS,
        images::TESTS,
        trees::TESTS,
        adoption::TESTS,
        crashes::TESTS,
        services::TESTS,
        goals::TESTS,
        answers::TESTS,
        points::TESTS,
        losses::TESTS,
        inputs::TESTS,
        flat::TESTS,
    ]
    .concat()
}

/// Those that run with `--ignored` only.
fn nightly() -> Vec<Test> {
    [points::NIGHTLY, images::NIGHTLY, flat::NIGHTLY].concat()
}

/// Runs one test in this process.
fn one(name: &str) -> ExitCode {
    let all = [tests(), nightly()].concat();
    let Some((_, test)) = all.into_iter().find(|(of, _)| *of == name) else {
        return ExitCode::FAILURE;
    };
    test();
    ExitCode::SUCCESS
}

/// Runs those that the arguments name, some at once, and prints what cargo's own harness prints.
fn all(args: &[&str]) -> ExitCode {
    let exact = args.contains(&"--exact");
    let words: Vec<&&str> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let all = match (args.contains(&"--ignored"), args.contains(&"--include-ignored")) {
        (true, _) => nightly(),
        (_, true) => [tests(), nightly()].concat(),
        _ => tests(),
    };
    let ignored = [tests(), nightly()].concat().len() - all.len();
    let named = |name: &str| {
        words.is_empty()
            || words.iter().any(|&&word| if exact { name == word } else { name.contains(word) })
    };
    let chosen: Vec<Test> = all.iter().copied().filter(|(name, _)| named(name)).collect();
    if args.contains(&"--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", chosen.len());
    let began = Instant::now();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((name, _)) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let since = Instant::now();
                    let (passed, text) = beside(name);
                    let took = since.elapsed().as_millis();
                    let word = if passed { "ok" } else { "FAILED" };
                    println!("{text}test {name} ... {word} ({took} ms)");
                    if !passed {
                        failed.lock().unwrap().push(*name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    let verdict = if failed.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {} passed; {} failed; {ignored} ignored; 0 measured; {} filtered out; \
         finished in {:.2}s\n",
        chosen.len() - failed.len(),
        failed.len(),
        all.len() - chosen.len(),
        began.elapsed().as_secs_f64(),
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one beside others: whether it passed, and what it printed. Its orphans fall to a process of its own.
fn beside(name: &str) -> (bool, String) {
    let mut command = Command::new("/proc/self/exe");
    let output = command.args(["apart", name]).stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Runs one in a process of its own; what it printed if it failed.
fn apart(name: &str) -> Result<(), String> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["one", name]).stdin(Stdio::null());
    let mut printed = tempfile::tempfile().unwrap();
    command.stdout(printed.try_clone().unwrap()).stderr(printed.try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    let is_nightly = nightly().iter().any(|(of, _)| *of == name);
    let deadline = if is_nightly { DEADLINE_NIGHTLY } else { DEADLINE };
    let end = Instant::now() + deadline;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() > end {
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    // A keeper says that it ends, and then it does.
    let end = Instant::now() + Duration::from_secs(5);
    let left = loop {
        let left = describe_children();
        if left.is_empty() || Instant::now() > end {
            break left;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    tree::kill_children(Duration::from_secs(10), |_, _| {});
    let mut text = String::new();
    std::io::Seek::rewind(&mut printed).unwrap();
    printed.read_to_string(&mut text).unwrap();
    match status {
        None => Err(format!("{text}\nnot done after {deadline:?}; running: {left:?}")),
        Some(status) if !status.success() => Err(format!("{text}\n{status}")),
        Some(_) if !left.is_empty() => Err(format!("{text}\nit left processes: {left:?}")),
        Some(_) => {
            print!("{text}");
            Ok(())
        }
    }
}

fn describe_children() -> Vec<String> {
    let me = i32::try_from(std::process::id()).unwrap();
    let command = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
    let below = Snapshot::take();
    let below = below.below(me).into_iter();
    below
        .map(|stat| {
            let command = command(stat.process.pid).unwrap_or_default().replace('\0', " ");
            format!("{} {} {command}", stat.process.pid, stat.state)
        })
        .collect()
}
