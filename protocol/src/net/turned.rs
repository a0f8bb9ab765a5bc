use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::gate::Group;

/// For how long what was counted is reported, at least. Twice that at most.
const WINDOW: Duration = Duration::from_secs(300);
/// How often it is logged at most.
const LOG_REST: Duration = Duration::from_secs(60);

/// Why this node closed a connection of a peer that is not known to be a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Its handshake got nowhere, and another connection came.
    Pending,
    /// It is a stranger that proved nothing, and another one came.
    Strangers,
    /// The system gave this process no descriptor for another connection.
    NoDescriptor,
    /// It sent nothing, or took too long.
    Late,
    /// It does not speak Crux.
    Foreign,
}

/// How many connections were closed for each reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// To make room for other handshakes.
    pub pending: u64,
    /// To make room for other strangers that may want to join.
    pub strangers: u64,
    /// Because the process had no file descriptors left.
    pub no_descriptor: u64,
    /// Because nothing came in time.
    pub late: u64,
    /// Because the peer speaks something else.
    pub foreign: u64,
    /// Where the last one came from; of an IPv6 network its first address.
    pub last: Option<IpAddr>,
}

impl Report {
    /// How many of them were closed because there were too many.
    pub const fn crowded(&self) -> u64 {
        self.pending + self.strangers + self.no_descriptor
    }

    const fn count(&mut self, why: Why) {
        let count = match why {
            Why::Pending => &mut self.pending,
            Why::Strangers => &mut self.strangers,
            Why::NoDescriptor => &mut self.no_descriptor,
            Why::Late => &mut self.late,
            Why::Foreign => &mut self.foreign,
        };
        *count += 1;
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            pending: self.pending + other.pending,
            strangers: self.strangers + other.strangers,
            no_descriptor: self.no_descriptor + other.no_descriptor,
            late: self.late + other.late,
            foreign: self.foreign + other.foreign,
            last: if other.last.is_some() { other.last } else { self.last },
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.pending, "whose handshake got nowhere"),
            (self.strangers, "of strangers that proved no join key"),
            (self.no_descriptor, "for want of file descriptors"),
            (self.late, "that sent nothing in time"),
            (self.foreign, "that do not speak Crux"),
        ];
        let told = counts.iter().filter(|(count, _)| *count > 0);
        let told: Vec<_> = told.map(|(count, what)| format!("{count} {what}")).collect();
        f.write_str(&told.join(", "))?;
        self.last.map_or(Ok(()), |last| write!(f, "; the last from {last}"))
    }
}

#[derive(Debug)]
struct Counts {
    /// When the window began.
    since: Instant,
    now: Report,
    before: Report,
    /// What was not logged yet.
    unsaid: Report,
    logged: Option<Instant>,
    /// When it was logged that no connection can be accepted.
    deaf: Option<Instant>,
}

/// The connections that this node closed before they were members'.
///
/// **Invariant**: a line is logged at most once in `LOG_REST`, however many there are.
#[derive(Debug)]
pub struct Turned(Mutex<Counts>);

impl Default for Turned {
    fn default() -> Self {
        let (now, before, unsaid) = Default::default();
        Self(Mutex::new(Counts {
            since: Instant::now(),
            now,
            before,
            unsaid,
            logged: None,
            deaf: None,
        }))
    }
}

impl Turned {
    fn lock(&self, now: Instant) -> MutexGuard<'_, Counts> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.duration_since(counts.since);
        if passed >= WINDOW {
            let last = std::mem::take(&mut counts.now);
            counts.before = if passed < 2 * WINDOW { last } else { Report::default() };
            counts.since = now;
        }
        counts
    }

    /// How many were closed in the last minutes: five at least, ten at most.
    pub fn lately(&self) -> Report {
        let counts = self.lock(Instant::now());
        counts.before.plus(counts.now)
    }

    /// Counts connections that were closed, by where they came from.
    pub(super) fn count(&self, why: Why, from: impl IntoIterator<Item = Group>) {
        let now = Instant::now();
        for from in from {
            if let Some(report) = self.note(why, from, now) {
                tracing::warn!("closed connections to make room for others: {report}");
            }
        }
    }

    /// Says that a connection could not be accepted, once in `LOG_REST`.
    pub(super) fn deaf(&self, error: &dyn fmt::Display) {
        if self.is_news(Instant::now()) {
            tracing::warn!(
                "a connection could not be accepted: {error}; if that persists, raise the limit of \
                 open files of this process"
            );
        }
    }

    fn is_news(&self, now: Instant) -> bool {
        let mut counts = self.lock(now);
        let rested = counts.deaf.is_none_or(|at| now.duration_since(at) >= LOG_REST);
        if rested {
            counts.deaf = Some(now);
        }
        rested
    }

    /// Counts one. Returns what is to be logged now, if anything is.
    fn note(&self, why: Why, from: Group, now: Instant) -> Option<Report> {
        let mut counts = self.lock(now);
        let counts = &mut *counts;
        for report in [&mut counts.now, &mut counts.unsaid] {
            report.count(why);
            report.last = Some(from.first());
        }
        let rested = counts.logged.is_none_or(|logged| now.duration_since(logged) >= LOG_REST);
        if !rested || counts.unsaid.crowded() == 0 {
            return None;
        }
        counts.logged = Some(now);
        Some(std::mem::take(&mut counts.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nobody_can_connect_is_said_once_a_minute() {
        let (turned, start) = (Turned::default(), Instant::now());
        let told = (0..1000).filter(|n| turned.is_news(start + LOG_REST * *n / 500)).count();
        assert_eq!(told, 2);
    }

    #[test]
    fn a_flood_is_logged_once_a_minute_and_counted() {
        let (turned, start) = (Turned::default(), Instant::now());
        let from = |n| Group::of([192, 0, 2, n].into());
        assert_eq!(turned.note(Why::Foreign, from(1), start), None, "a probe is not worth a line");
        let first = turned.note(Why::Pending, from(2), start).expect("the first");
        assert_eq!((first.pending, first.foreign), (1, 1));
        for n in 0..200 {
            assert_eq!(turned.note(Why::Strangers, from(n), start + LOG_REST / 2), None);
        }
        let next = turned.note(Why::Pending, from(7), start + LOG_REST).expect("the next");
        assert_eq!((next.strangers, next.pending), (200, 1));
        assert_eq!(
            next.to_string(),
            "1 whose handshake got nowhere, 200 of strangers that proved no join key; \
             the last from 192.0.2.7"
        );
        assert_eq!(turned.lately().crowded(), 202);
        assert_eq!(turned.lock(start + WINDOW * 3 / 2).before.crowded(), 202);
        let later = turned.lock(start + 4 * WINDOW);
        assert_eq!(later.before.plus(later.now), Report::default());
    }
}
