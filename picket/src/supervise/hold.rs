//! Whether services are started at once, or only when the fulcrum serves.
//!
//! Services start without a fulcrum: after a loss of power a node alone has them. But a node that left its flock, was
//! evicted, or runs elsewhere must not start them again at each boot, and only its fulcrum finds out. So how `run`
//! ended is kept where that was the reason, in a file. While it is there, services wait.
//!
//! | at the start | services |
//! |---|---|
//! | no file | start once it is known what ran before |
//! | a file | start when a fulcrum is ready as well, which removes the file |
//!
//! **Invariant**: the engine is told that adoption is over once, and not before both are so. A stop needs neither.

use std::io;

use crux_protocol::picket::Event;
use tracing::{info, warn};

use super::shell::Shell;
use super::work::Done;
use crate::crash::Write;
use crate::durable::{self, Sync};

/// The conditions that have to hold before services start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    /// It is not known yet what ran before.
    adopts: bool,
    /// How `run` ended is kept, and no fulcrum was ready since.
    is_kept: bool,
    /// The engine was told.
    told: bool,
}

impl Hold {
    /// `is_kept`: how `run` ended is kept.
    pub(super) const fn new(is_kept: bool) -> Self {
        Self { adopts: true, is_kept, told: false }
    }

    /// Whether it is not known yet what ran before.
    pub(super) const fn adopts(self) -> bool {
        self.adopts
    }

    /// Whether the engine is to be told now.
    const fn take(&mut self, stops: bool) -> bool {
        let is_free = !self.adopts && (stops || !self.is_kept) && !self.told;
        self.told |= is_free;
        is_free
    }
}

impl Shell {
    /// It is known what ran before.
    pub(super) fn adopted(&mut self) {
        self.hold.adopts = false;
        if self.hold.is_kept {
            info!(
                "this node left its flock or was refused when it ran last; services start when it serves"
            );
        }
        self.let_go();
    }

    /// A fulcrum serves.
    pub(super) fn serves(&mut self) {
        if std::mem::take(&mut self.hold.is_kept) {
            let path = self.places.ended();
            self.tasks.spawn_blocking(move || {
                match std::fs::remove_file(&path) {
                    Err(err) if err.kind() != io::ErrorKind::NotFound => {
                        warn!(path = %path.display(), error = %err, "services wait for the fulcrum at the next start too");
                    }
                    _ => {}
                }
                Done::Nothing
            });
        }
        self.let_go();
    }

    /// Starts services if nothing holds them.
    pub(super) fn let_go(&mut self) {
        if self.damage.is_none() && self.hold.take(self.is_stopping) {
            self.tell(Event::AdoptionOver);
        }
    }

    /// Keeps with which code `run` ends, because the node is not to serve again by itself. Waits for the disk: the
    /// process ends.
    pub(crate) fn keep_end(&self, code: u8) {
        let (path, text) = (self.places.ended(), format!("{code}\n"));
        if let Err(error) = durable::write(Write::Ended, &path, text.as_bytes(), Sync::Disk) {
            warn!(%error, "the next start of this node starts its services before it finds out that it is refused");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_start_once_both_are_so_and_once_only() {
        for is_kept in [false, true] {
            let mut hold = Hold::new(is_kept);
            assert!(!hold.take(false) && !hold.take(true), "nothing is known of what ran before");
            hold.adopts = false;
            assert_eq!(hold.take(false), !is_kept);
            hold.is_kept = false;
            assert_eq!(hold.take(false), is_kept);
            assert!(!hold.take(false) && !hold.take(true));
        }
        let mut hold = Hold { adopts: false, ..Hold::new(true) };
        assert!(hold.take(true), "a stop waits for nothing");
    }
}
