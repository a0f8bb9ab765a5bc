//! Processes that a program left behind whose keeper is dead.
//!
//! While the keeper lives, everything below it is its to end. When it is killed, its program has a death signal, and
//! what that one had started has none: it falls to the keeper's nearest subreaper, which for a keeper of an earlier
//! picket is the machine's first process. From there no parent leads back. So it is found by what a process has from
//! its start:
//!
//! 1. its environment, where `CRUX_INSTANCE` names the instance, with a random tail that no other has;
//! 2. its session, if the program began that one: for programs that overwrite or empty their environment. The number of
//!    a session is given to no other process while one of it lives, so where the program's own number belongs to a
//!    process that started at another time, the session is a stranger's.
//!
//! It does not find a process that has both another environment and another session.

use std::fs;
use std::time::{Duration, Instant};

use super::{Killed, Process, Snapshot, Stat, count, stop_and_kill};

/// The variable that every program of an instance has.
pub(crate) const INSTANCE: &str = "CRUX_INSTANCE";
/// How much of an environment is read. The node's own variables come first where nobody put others before them; a
/// service's config has 256 KiB.
const ENVIRONMENT_MAX: u64 = 1 << 20;
/// How often the end of killed processes is checked.
const PAUSE: Duration = Duration::from_micros(500);

/// The mark that the processes of an instance have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    variable: String,
    program: Option<Process>,
}

impl Mark {
    /// That of an instance, and of the session of its program as far as that is known.
    #[must_use]
    pub fn new(instance: &str, program: Option<Process>) -> Self {
        Self { variable: format!("{INSTANCE}={instance}"), program }
    }

    fn is_on(&self, stat: &Stat, all: &Snapshot, environment: &[u8]) -> bool {
        let mut variables = environment.split(|byte| *byte == 0);
        variables.any(|variable| variable == self.variable.as_bytes())
            || self.program.is_some_and(|program| {
                let leader = all.get(program.pid);
                stat.session == program.pid && leader.is_none_or(|it| it.process == program)
            })
    }
}

/// Kills all processes that have one of these marks. Returns when none is left, or after `within`.
pub fn kill_marked(marks: &[Mark], within: Duration) -> Killed {
    let end = Instant::now() + within;
    let mut killed = Killed::default();
    loop {
        let found = marked(marks);
        killed.left = u32::try_from(found.len()).unwrap_or(u32::MAX);
        if found.is_empty() || Instant::now() >= end {
            return killed;
        }
        killed.rounds += 1;
        killed.processes += count(&stop_and_kill(|| marked(marks)));
        std::thread::sleep(PAUSE);
    }
}

fn marked(marks: &[Mark]) -> Vec<Process> {
    let all = Snapshot::take();
    let has_one = |stat: &&Stat| {
        let environment = environment(stat.process.pid);
        marks.iter().any(|mark| mark.is_on(stat, &all, &environment))
    };
    all.alive().filter(has_one).map(|stat| stat.process).collect()
}

/// Empty for a process of another user, and for one that just ended.
fn environment(pid: i32) -> Vec<u8> {
    use std::io::Read as _;

    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(format!("/proc/{pid}/environ")) {
        // The bytes that were read before an error are a part of it.
        file.take(ENVIRONMENT_MAX).read_to_end(&mut bytes).ok();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(pid: i32, session: i32) -> Stat {
        let process = Process { pid, started: 7 };
        Stat { process, parent: 1, session, state: 'S', threads: 1, ticks: 0, pages: 0 }
    }

    #[test]
    fn a_mark_is_a_whole_variable_or_the_session_of_the_program_itself() {
        let mark = Mark::new("web-v1-1-a", Some(Process { pid: 40, started: 7 }));
        let none = Snapshot::default();
        let is_on =
            |session, environment: &[u8]| mark.is_on(&stat(50, session), &none, environment);
        assert!(is_on(9, b"A=b\0CRUX_INSTANCE=web-v1-1-a\0"));
        assert!(
            !is_on(9, b"CRUX_INSTANCE=web-v1-1-ab\0") && !is_on(9, b"XCRUX_INSTANCE=web-v1-1-a\0")
        );
        assert!(is_on(40, b"") && !is_on(9, b""));
        // The number is another process's by now: nobody of that session is ours.
        let mut recycled = Snapshot::default();
        let mut leader = stat(40, 40);
        leader.process.started = 8;
        recycled.all.insert(40, leader);
        assert!(!mark.is_on(&stat(50, 40), &recycled, b""));
    }
}
