//! What a measurement cost: CPU time and bytes beside each latency.

use std::time::Duration;

use rustix::process::Pid;
use serde::Serialize;

use crate::process::procfs;

/// What one round cost, all nodes together.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Cost {
    /// CPU time per round.
    pub cpu_ms: f64,
    /// Bytes over the loopback interface per round, of whatever ran on this machine.
    pub loopback_bytes: f64,
}

/// Counts CPU time and bytes from its start on.
#[derive(Debug)]
pub struct Meter {
    pids: Vec<Pid>,
    cpu: Duration,
    bytes: u64,
}

impl Meter {
    /// Counts for these processes from now on.
    #[must_use]
    pub fn start(pids: Vec<Pid>) -> Self {
        let cpu = cpu_of(&pids);
        Self { pids, cpu, bytes: procfs::loopback_bytes().unwrap_or_default() }
    }

    /// The cost of each of `rounds` rounds since the start.
    #[must_use]
    pub fn per_round(&self, rounds: usize) -> Cost {
        let cpu = cpu_of(&self.pids).saturating_sub(self.cpu);
        let bytes = procfs::loopback_bytes().unwrap_or_default().saturating_sub(self.bytes);
        let rounds = rounds.max(1) as f64;
        Cost { cpu_ms: cpu.as_secs_f64() * 1000.0 / rounds, loopback_bytes: bytes as f64 / rounds }
    }
}

fn cpu_of(pids: &[Pid]) -> Duration {
    pids.iter().filter_map(|pid| procfs::cpu_time(*pid)).sum()
}
