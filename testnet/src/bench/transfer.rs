use std::time::Duration;

use serde::Serialize;

use super::Spread;

/// Bytes of a GiB.
pub(super) const GIB: f64 = (1u64 << 30) as f64;
const MIB: f64 = (1u64 << 20) as f64;

/// How fast something moved from one process to another.
#[derive(Debug, Clone, Serialize)]
pub struct Transfer {
    /// `crux`, the peer, or `floor`.
    pub system: &'static str,
    /// What was timed.
    pub what: String,
    /// How often.
    pub rounds: usize,
    /// How long it took.
    pub seconds: Spread,
    /// How much that is a second.
    pub mib_per_s: Spread,
    /// How many files that is a second; `None`: it was one.
    pub files_per_s: Option<Spread>,
    /// CPU seconds that the giving side took: for each GiB, or of many files for each 1,000.
    pub cpu_from: Option<Spread>,
    /// The same of the taking side.
    pub cpu_to: Option<Spread>,
}

/// Rounds of one transfer.
#[derive(Debug)]
pub(super) struct Rounds {
    bytes: u64,
    files: usize,
    took: Vec<Duration>,
    from: Vec<Duration>,
    to: Vec<Duration>,
}

impl Rounds {
    /// Of one file.
    pub(super) const fn of_bytes(bytes: u64) -> Self {
        Self::of_files(1, bytes)
    }

    /// Of so many files that have so many bytes together.
    pub(super) const fn of_files(files: usize, bytes: u64) -> Self {
        Self { bytes, files, took: Vec::new(), from: Vec::new(), to: Vec::new() }
    }

    /// One round more.
    pub(super) fn took(&mut self, took: Duration) {
        self.took.push(took);
    }

    /// What the round cost the two sides.
    pub(super) fn cost(&mut self, from: Duration, to: Duration) {
        self.from.push(from);
        self.to.push(to);
    }

    /// The figures; `None`: there was no round.
    pub(super) fn figure(&self, system: &'static str, what: &str) -> Option<Transfer> {
        let of = |rounds: &[Duration], figure: &dyn Fn(f64) -> f64| {
            Spread::of(rounds.iter().map(|took| figure(took.as_secs_f64())).collect())
        };
        let per = if self.files > 1 { self.files as f64 / 1000.0 } else { self.bytes as f64 / GIB };
        let cpu = |rounds: &[Duration]| of(rounds, &|seconds| seconds / per);
        let files_per_s = of(&self.took, &|seconds| self.files as f64 / seconds);
        Some(Transfer {
            system,
            what: what.to_owned(),
            rounds: self.took.len(),
            seconds: of(&self.took, &|seconds| seconds)?,
            mib_per_s: of(&self.took, &|seconds| self.bytes as f64 / MIB / seconds)?,
            files_per_s: files_per_s.filter(|_| self.files > 1),
            cpu_from: cpu(&self.from),
            cpu_to: cpu(&self.to),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_rates_and_costs() {
        let mut rounds = Rounds::of_bytes(1 << 29);
        for seconds in [1, 2, 4] {
            rounds.took(Duration::from_secs(seconds));
            rounds.cost(Duration::from_secs(1), Duration::from_secs(2));
        }
        let figure = rounds.figure("crux", "sealed").expect("three rounds");
        assert_eq!(figure.seconds, Spread { median: 2.0, min: 1.0, max: 4.0 });
        assert_eq!(figure.mib_per_s, Spread { median: 256.0, min: 128.0, max: 512.0 });
        assert_eq!(figure.cpu_from.map(|cpu| cpu.median), Some(2.0), "for each GiB");
        assert_eq!((figure.cpu_to.map(|cpu| cpu.max), figure.files_per_s), (Some(4.0), None));
    }

    #[test]
    fn of_many_files_the_cost_is_for_each_thousand() {
        let mut rounds = Rounds::of_files(2000, 2000 * 4096);
        rounds.took(Duration::from_secs(1));
        rounds.cost(Duration::from_secs(1), Duration::from_secs(1));
        let figure = rounds.figure("crux", "put").expect("a round");
        assert_eq!(figure.files_per_s.map(|files| files.median), Some(2000.0));
        assert_eq!(figure.cpu_from.map(|cpu| cpu.median), Some(0.5));
        assert!(Rounds::of_bytes(1).figure("crux", "none").is_none());
    }
}
