//! Readers of events.

use std::fs::File;

use super::event::Event;
use super::glob::matches;

/// Which events a reader wants, and from where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Only events after this number. Without one: all that are kept.
    pub after: Option<u64>,
    /// Only events from this time on, in milliseconds of Unix time.
    pub since_ms: Option<u64>,
    /// Only kinds that match this pattern; see [`matches()`].
    pub kind: Option<String>,
    /// Only events about this service.
    pub service: Option<String>,
}

impl EventQuery {
    pub(super) fn wants(&self, event: &Event) -> bool {
        self.since_ms.is_none_or(|since| since <= event.at)
            && self.kind.as_deref().is_none_or(|kind| matches(kind, &event.kind))
            && self.service.as_deref().is_none_or(|service| event.service() == Some(service))
    }
}

/// An item for a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An event.
    Event(Event),
    /// Events with numbers after `after`, up to `until`, may be missing, whatever was asked for.
    Gap {
        /// The last number before it.
        after: u64,
        /// The last number of it.
        until: u64,
    },
}

/// Where a reader is. Reading on from it gives what came since.
#[derive(Debug)]
pub struct Cursor {
    pub(super) query: EventQuery,
    /// The last number that was read.
    pub(super) after: u64,
    /// Whether a gap at the beginning is the reader's: it named the number from which it wants to go on.
    pub(super) tells_gap: bool,
    /// A gap to tell first.
    pub(super) first: Option<Item>,
    /// The file, which of its generations, and how far it was read.
    pub(super) at: Option<At>,
}

/// A place in one generation of the file.
#[derive(Debug)]
pub(super) struct At {
    pub(super) file: File,
    pub(super) generation: u64,
    pub(super) offset: u64,
}

impl Cursor {
    /// The last number that was read: the one to go on from.
    pub const fn after(&self) -> u64 {
        self.after
    }
}
