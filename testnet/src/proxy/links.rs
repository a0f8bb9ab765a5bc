use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Rule;

/// What a connection watches: the rule, and how often connections were broken by hand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) rule: Rule,
    /// Connections that began under a smaller number are reset.
    pub(super) resets: u64,
    /// Those are half-open: the first node of the pair believes in them.
    pub(super) half_opens: u64,
}

/// One directed pair.
#[derive(Debug, Default)]
struct Link {
    seen: watch::Sender<Seen>,
    /// When the bytes that were let through so far will have passed.
    free_at: Mutex<Option<Instant>>,
}

/// The rules of all directed pairs.
#[derive(Debug)]
pub(super) struct Links {
    nodes: usize,
    links: Vec<Link>,
    pub(super) counters: Counters,
}

/// What passed.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) connections: AtomicU64,
    pub(super) resets: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// What passed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Connections accepted from nodes.
    pub connections: u64,
    /// Those of them that the proxy reset or refused.
    pub resets: u64,
    /// Bytes delivered.
    pub bytes: u64,
}

impl Links {
    pub(super) fn new(nodes: usize) -> Self {
        let links = std::iter::repeat_with(Link::default).take(nodes * nodes).collect();
        Self { nodes, links, counters: Counters::default() }
    }

    pub(super) const fn nodes(&self) -> usize {
        self.nodes
    }

    fn link(&self, from: usize, to: usize) -> &Link {
        &self.links[from * self.nodes + to]
    }

    pub(super) fn watch(&self, from: usize, to: usize) -> watch::Receiver<Seen> {
        self.link(from, to).seen.subscribe()
    }

    pub(super) fn change(&self, from: usize, to: usize, change: impl FnOnce(&mut Seen)) {
        self.link(from, to).seen.send_modify(change);
    }

    /// Takes the link for so many bytes; returns when they will have passed.
    pub(super) fn pass(&self, from: usize, to: usize, bytes: usize, now: Instant) -> Instant {
        let link = self.link(from, to);
        let Some(rate) = link.seen.borrow().rule.bytes_per_second else { return now };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let takes = Duration::from_secs(1).mul_f64(f64::from(bytes) / f64::from(rate.get()));
        let mut free_at = link.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let done = free_at.map_or(now, |at| at.max(now)) + takes;
        *free_at = Some(done);
        done
    }

    pub(super) fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            connections: read(&self.counters.connections),
            resets: read(&self.counters.resets),
            bytes: read(&self.counters.bytes),
        }
    }
}
