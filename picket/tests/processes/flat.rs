//! A picket that goes on for long has no more than one that has just begun; and nothing of the node's reaches a program.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use crux_client::op::{Goal, RemoveService, RestartService};
use crux_picket::tree::{self, Process};

use crate::Test;
use crate::picket::{Picket, process, until};
use crate::world::soon;

pub(crate) const TESTS: &[Test] = &[
    ("flat::a_hundred_restarts", a_hundred_restarts),
    ("flat::services_that_come_and_go", services_that_come_and_go),
    ("flat::no_secret_reaches_a_program", no_secret_reaches_a_program),
    ("flat::a_static_program_is_a_service", a_static_program_is_a_service),
];
pub(crate) const NIGHTLY: &[Test] = &[("flat::a_thousand_restarts", a_thousand_restarts)];

/// The sizes that grow where something is forgotten.
#[derive(Debug, Clone, Copy)]
struct Size {
    descriptors: usize,
    threads: u64,
    kib: u64,
}

fn size(process: Process) -> Size {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap();
    let number = |key: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let descriptors = fs::read_dir(format!("/proc/{}/fd", process.pid)).unwrap().count();
    Size { descriptors, threads: number("Threads:"), kib: number("VmRSS:") }
}

const SCRIPT: &str = "echo started; exec sleep 1000";
const CHECKED: &str =
    r#", "update": "replace", "ports": {"http": "auto"}, "check": [{"exec": ["true"]}]"#;

fn a_hundred_restarts() {
    restarts(100);
}

fn a_thousand_restarts() {
    restarts(1000);
}

fn restarts(count: u32) {
    let mut picket = Picket::new();
    picket.add("web", SCRIPT, CHECKED).unwrap();
    let restart = RestartService { service: "web".parse().unwrap(), until: until(Goal::Up) };
    let mut seen = BTreeSet::new();
    let mut before = None;
    // The first ones fill what is kept of the last exits and the like.
    for n in 0..count + 30 {
        picket.ask(&restart).unwrap();
        assert!(seen.insert(process(&picket.row())), "it was started again");
        if n == 29 {
            before = Some(size(picket.process()));
        }
    }
    let (before, after) = (before.unwrap(), size(picket.process()));
    println!("{count} restarts: {before:?} to {after:?}");
    assert!(after.descriptors <= before.descriptors + 2, "{before:?} {after:?}");
    // Threads of the pool end by themselves after ten seconds.
    assert!(after.threads <= before.threads.max(16), "{before:?} {after:?}");
    assert!(after.kib <= before.kib + 2048, "{before:?} {after:?}");
    // One keeper, one record, no zombie.
    let me = picket.process().pid;
    let zombies = || {
        let all = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let stat = tree::stat(entry.file_name().to_str()?.parse().ok()?)?;
            (stat.parent == me && stat.state == 'Z').then_some(stat.process)
        });
        all.count()
    };
    // The keeper of the last check may have ended just now.
    soon("all that ended is reaped", || zombies() == 0);
    assert_eq!(fs::read_dir(picket.path("picket/i")).unwrap().count(), 1);
    picket.stop();
}

fn services_that_come_and_go() {
    let mut picket = Picket::new();
    let mut before = None;
    for n in 0..40 {
        let name = format!("web{n}");
        picket.add(&name, SCRIPT, CHECKED).unwrap();
        let remove = RemoveService { service: name.parse().unwrap(), until: until(Goal::Up) };
        assert_eq!(picket.ask(&remove).unwrap().service.as_str(), name);
        if n == 14 {
            before = Some(size(picket.process()));
        }
    }
    let before = before.unwrap();
    picket.until("logs are closed and removed", |picket| {
        let logs = fs::read_dir(picket.path("logs")).unwrap().count();
        let descriptors = size(picket.process()).descriptors;
        logs <= crux_picket::logs::REMOVED_MAX && descriptors <= before.descriptors + 2
    });
    assert!(picket.path("logs/web39/current").exists(), "the last ones stay");
    picket.stop();
}

/// A secret in the settings of the node, however it is given.
const SECRET: &str = "crux1-precious-end";

fn no_secret_reaches_a_program() {
    let mut picket = Picket::not_started();
    let file = picket.path("secret");
    fs::write(&file, SECRET).unwrap();
    // In its environment, in its command line, and in a file that it has open.
    let (exe, dir) = (std::env::current_exe().unwrap(), picket.path(""));
    let script = format!(
        "exec 9<{} 8>{}; exec {} run {}",
        file.display(),
        picket.path("open").display(),
        exe.display(),
        dir.display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).stdin(Stdio::null()).env("CRUX_SECRET", SECRET);
    picket.child = Some(command.env("CRUX_BLOB_KEY", SECRET).spawn().unwrap());
    picket.until("it answers", Picket::answers);
    let shows = "env; cat /proc/self/environ | tr '\\0' '\\n'; ls -l /proc/$$/fd\n\
                 for fd in 3 4 5 6 7 8 9 10 11 12 13 14 15 100; do [ ! -f /proc/$$/fd/$fd ] || head -c 99 /proc/$$/fd/$fd; done\n\
                 echo shown >shown; exec sleep 1000";
    // And in a check.
    let check =
        r#", "check": [{"exec": ["sh", "-c", "env >checked; ls -l /proc/$$/fd >>checked"]}]"#;
    picket.add("web", shows, check).unwrap();
    picket.until("all is shown", |picket| picket.path("services/web/1/shown").exists());
    let program = process(&picket.row());
    let keeper = tree::stat(program.pid).unwrap().parent;
    let keeper = Process::now(keeper).unwrap();
    // Of a keeper nobody but root sees anything.
    let is_root = rustix::process::geteuid().is_root();
    for process in [Some(program), Some(keeper).filter(|_| is_root)].into_iter().flatten() {
        for what in ["environ", "cmdline"] {
            let bytes = fs::read(format!("/proc/{}/{what}", process.pid)).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains("precious"), "{what} of {process:?}");
        }
        for entry in fs::read_dir(format!("/proc/{}/fd", process.pid)).unwrap().flatten() {
            let at = fs::read_link(entry.path()).unwrap_or_default();
            assert!(at != file && at != picket.path("open"), "{process:?} has {at:?}");
        }
    }
    picket.stop();
    let checked = fs::read_to_string(picket.path("services/web/1/checked")).unwrap();
    let log = fs::read_to_string(picket.path("logs/web/current")).unwrap();
    let events = fs::read_to_string(picket.path("picket/events")).unwrap();
    assert!(checked.contains("CRUX_SERVICE=web") && log.contains("CRUX_SERVICE=web"), "{log}");
    for text in [checked, log, events] {
        assert!(!text.contains("precious"), "{text}");
    }
}

fn a_static_program_is_a_service() {
    let mut picket = Picket::new();
    let image = "ef".repeat(32);
    fs::write(picket.path("blobs").join(&image), crate::images::waiting()).unwrap();
    let config = format!(r#"{{"name": "static", "image": "{image}", "drain": "0ms"}}"#);
    let config = serde_json::from_str(&config).unwrap();
    let add = crux_client::op::AddService { config, until: until(Goal::Up) };
    picket.ask(&add).unwrap();
    let row = picket.row();
    assert!(row.sealed, "{row:?}");
    let program = process(&row);
    picket.stop();
    assert!(!program.is_alive());
}
