use std::fmt;
use std::time::Duration;

use super::check::{Violation, check};
use super::history::{Asked, History, Outcome};
use super::run::Ran;
use crate::proxy::Stats;

/// How many violations are told. What went wrong once is often seen a thousand times.
const TOLD_MAX: usize = 30;

/// A run, judged.
#[derive(Debug)]
pub struct Report {
    /// What does not hold.
    pub violations: Vec<Violation>,
    calls: Counts,
    registered: usize,
    reads: usize,
    blobs: usize,
    faults: usize,
    shown: Option<usize>,
    leaders: usize,
    stats: Stats,
    settled: Option<Duration>,
    took: Duration,
}

/// How calls ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    done: usize,
    failed: usize,
    unknown: usize,
}

impl Report {
    /// Judges a run.
    #[must_use]
    pub fn new(ran: &Ran) -> Self {
        let history = &ran.history;
        let mut violations: Vec<_> = ran.unmet.iter().cloned().map(Violation::Unmet).collect();
        violations.extend(match &ran.finale {
            Ok(finale) => check(history, finale),
            Err(why) => vec![Violation::Disagreed(why.clone())],
        });
        let shown = ran.finale.as_ref().ok().and_then(|finale| finale.shown.first()?.as_ref());
        Self {
            violations,
            calls: counts(history),
            registered: count(history, |asked| {
                matches!(asked, Asked::Register(..) | Asked::RegisterSynced(..))
            }),
            reads: count(history, |asked| matches!(asked, Asked::Query(_))),
            blobs: history.puts.len(),
            faults: history.spans.len(),
            shown: shown.map(std::collections::BTreeMap::len),
            leaders: leaders(history),
            stats: ran.stats,
            settled: ran.settled,
            took: ran.took,
        }
    }
}

fn counts(history: &History) -> Counts {
    let mut counts = Counts::default();
    for call in &history.calls {
        match call.outcome {
            Outcome::Done => counts.done += 1,
            Outcome::Failed(_) | Outcome::Absent => counts.failed += 1,
            Outcome::Unknown(_) => counts.unknown += 1,
        }
    }
    counts
}

fn count(history: &History, what: impl Fn(&Asked) -> bool) -> usize {
    let done = history.calls.iter().filter(|call| call.outcome == Outcome::Done);
    done.filter(|call| what(&call.asked)).count()
}

/// How many claims anybody was seen to follow.
fn leaders(history: &History) -> usize {
    let looks = history.samples.iter().filter_map(|sample| sample.look.as_ref());
    looks.filter_map(|look| look.leader.clone()).collect::<std::collections::BTreeSet<_>>().len()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { done, failed, unknown } = self.calls;
        let all = done + failed + unknown;
        writeln!(f, "{} faults in {:.0?}; {} claims led", self.faults, self.took, self.leaders)?;
        writeln!(f, "{all} calls: {done} done, {failed} failed, {unknown} unknown")?;
        writeln!(
            f,
            "{} registrations acknowledged, {} queries answered",
            self.registered, self.reads
        )?;
        writeln!(f, "{} blobs acknowledged", self.blobs)?;
        let Stats { connections, resets, bytes } = self.stats;
        let mib = bytes >> 20;
        writeln!(f, "{connections} connections between nodes, {resets} reset, {mib} MiB carried")?;
        if let (Some(settled), Some(shown)) = (self.settled, self.shown) {
            writeln!(f, "one flock {settled:.2?} after the heal, with {shown} registrations")?;
        }
        match self.violations.len() {
            0 => write!(f, "nothing lost, nothing invented, fences kept: 0 violations"),
            count => {
                write!(f, "{count} violations:")?;
                let told = self.violations.iter().take(TOLD_MAX);
                told.clone().try_for_each(|violation| write!(f, "\n  {violation}"))?;
                if count > TOLD_MAX { write!(f, "\n  …") } else { Ok(()) }
            }
        }
    }
}
