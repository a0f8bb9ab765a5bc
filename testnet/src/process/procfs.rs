//! The kernel's facts about a process: CPU time and resident memory.

use std::time::Duration;

use rustix::process::Pid;

/// Clock ticks per second in `/proc/PID/stat`: 100 on every architecture that Linux still has.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time the process has used so far, in user and kernel mode, in steps of 10 ms.
///
/// `None` when the process is gone.
#[must_use]
pub fn cpu_time(pid: Pid) -> Option<Duration> {
    cpu_times(pid).map(|times| times.own)
}

/// CPU time in user and kernel mode, in steps of 10 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CpuTimes {
    /// The time that the process used so far.
    pub own: Duration,
    /// The time of those of its children that ended and were reaped.
    pub children: Duration,
}

/// CPU time of the process and of its children that ended; `None` when it is gone.
#[must_use]
pub fn cpu_times(pid: Pid) -> Option<CpuTimes> {
    parse_cpu_ticks(&read(pid, "stat")?).map(|ticks| {
        let [own, children] = ticks.map(|n| Duration::from_millis(n * 1000 / TICKS_PER_SECOND));
        CpuTimes { own, children }
    })
}

/// Address space of the process in bytes, and the most that it ever had; `None` when it is gone.
#[must_use]
pub fn address_space(pid: Pid) -> Option<(u64, u64)> {
    let status = read(pid, "status")?;
    Some((parse_kib(&status, "VmSize:")?, parse_kib(&status, "VmPeak:")?))
}

/// Resident memory of the process in bytes; `None` when it is gone.
#[must_use]
pub fn resident_bytes(pid: Pid) -> Option<u64> {
    parse_kib(&read(pid, "status")?, "VmRSS:")
}

/// Whether a process with this number is there and is not a zombie.
#[must_use]
pub fn is_running(pid: Pid) -> bool {
    read(pid, "stat").and_then(|stat| after_name(&stat).map(|rest| !rest.starts_with('Z')))
        == Some(true)
}

/// The children of a process that run; empty when it is gone. Reads what the kernel says about every process,
/// because not every kernel lists children.
#[must_use]
pub fn children(parent: Pid) -> Vec<Pid> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let pids = numbers.filter_map(Pid::from_raw);
    let mut children: Vec<Pid> = pids
        .filter(|pid| read(*pid, "stat").and_then(|stat| parse_parent(&stat)) == Some(parent))
        .collect();
    children.sort_unstable_by_key(|pid| pid.as_raw_nonzero());
    children
}

/// Private memory of the process in bytes: what its end would give back. `None` when it is gone, or when the
/// kernel does not say.
#[must_use]
pub fn private_bytes(pid: Pid) -> Option<u64> {
    let rollup = read(pid, "smaps_rollup")?;
    let part = |name| parse_kib(&rollup, name);
    Some(part("Private_Clean:")? + part("Private_Dirty:")?)
}

/// Whether a word is among the arguments that a process was started with.
#[must_use]
pub fn is_called_with(pid: Pid, word: &str) -> bool {
    read(pid, "cmdline").is_some_and(|line| line.split('\0').skip(1).any(|arg| arg == word))
}

/// Bytes that went through the loopback interface since the machine started.
#[must_use]
pub fn loopback_bytes() -> Option<u64> {
    parse_loopback(&std::fs::read_to_string("/proc/net/dev").ok()?)
}

fn read(pid: Pid, file: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{}/{file}", pid.as_raw_nonzero())).ok()
}

/// The fields after the name, which may itself hold blanks and parentheses.
fn after_name(stat: &str) -> Option<&str> {
    stat.rsplit_once(") ").map(|(_, rest)| rest)
}

/// The parent, field 4 of the line: the second after the name. A process that is a zombie has ended.
fn parse_parent(stat: &str) -> Option<Pid> {
    let mut fields = after_name(stat)?.split(' ');
    let state = fields.next().filter(|state| *state != "Z");
    state.and(fields.next())?.parse().ok().and_then(Pid::from_raw)
}

/// `utime` and `stime`, fields 14 and 15 of the line: 11 and 12 after the name; then the same of its
/// children.
fn parse_cpu_ticks(stat: &str) -> Option<[u64; 2]> {
    let mut fields = after_name(stat)?.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some([next()? + next()?, next()? + next()?])
}

fn parse_kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn parse_loopback(dev: &str) -> Option<u64> {
    let line = dev.lines().find_map(|line| line.trim_start().strip_prefix("lo:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_ticks_are_found_behind_a_name_with_blanks() {
        let stat = "42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20 0 3 0 100";
        assert_eq!(parse_cpu_ticks(stat), Some([42, 0]));
    }

    #[test]
    fn a_child_is_found_by_its_parent_and_what_it_was_called_with() {
        assert_eq!(parse_parent("42 (a ) b) S 7 2 3"), Pid::from_raw(7));
        assert_eq!(parse_parent("42 (a) Z 7 2 3"), None);
        let mut sleep = std::process::Command::new("sleep").arg("60").spawn().expect("it runs");
        let pid = Pid::from_child(&sleep);
        assert!(children(rustix::process::getpid()).contains(&pid));
        assert!(
            is_called_with(pid, "60") && !is_called_with(pid, "6") && !is_called_with(pid, "sleep")
        );
        sleep.kill().expect("it is ours");
        sleep.wait().expect("it is ours");
        assert!(!children(rustix::process::getpid()).contains(&pid));
    }

    #[test]
    fn resident_memory_is_in_bytes() {
        let status = "VmPeak:\t  9 kB\nVmRSS:\t    12 kB\n";
        assert_eq!(parse_kib(status, "VmRSS:"), Some(12 * 1024));
        assert_eq!(parse_kib(status, "VmPeak:"), Some(9 * 1024));
        assert_eq!(parse_kib("VmPeak:\t 9 kB\n", "VmRSS:"), None);
    }

    #[test]
    fn loopback_bytes_are_the_received_ones() {
        let dev =
            "Inter-|  Receive\n face |bytes\n    lo: 1234 5 0 0 0 0 0 0 1234 5\n  eth0: 9 9\n";
        assert_eq!(parse_loopback(dev), Some(1234));
    }

    #[test]
    fn this_process_runs_and_uses_memory() {
        let me = rustix::process::getpid();
        assert!(is_running(me));
        assert!(resident_bytes(me).is_some_and(|bytes| bytes > 100_000));
        assert!(cpu_time(me).is_some());
        let (private, all) = (private_bytes(me), resident_bytes(me));
        assert!(private > Some(0) && private < all, "{private:?} of {all:?}");
    }
}
