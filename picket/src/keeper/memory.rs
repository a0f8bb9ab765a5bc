//! Whether a program was killed because there was no memory.

use std::fs;
use std::path::{Path, PathBuf};

/// The count of kills in the control group of a process, and its value when the watch began.
#[derive(Debug)]
pub(super) struct OomWatch {
    events: PathBuf,
    before: u64,
}

impl OomWatch {
    /// None where no group of the second version counts them.
    pub(super) fn of(pid: i32) -> Option<Self> {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let events = Path::new("/sys/fs/cgroup").join(path).join("memory.events");
        let before = kills(&fs::read_to_string(&events).ok()?)?;
        Some(Self { events, before })
    }

    /// Whether there was one since.
    pub(super) fn saw_one(&self) -> bool {
        let now = fs::read_to_string(&self.events).ok();
        now.and_then(|text| kills(&text)).is_some_and(|now| now > self.before)
    }
}

fn kills(events: &str) -> Option<u64> {
    events.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::kills;

    #[test]
    fn the_count_is_that_of_kills() {
        let events = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n";
        assert_eq!(kills(events), Some(2));
        assert_eq!(kills("low 0\n"), None);
    }
}
