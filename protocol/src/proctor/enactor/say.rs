use std::collections::BTreeMap;

use crux_crdt::record::{InstanceKey, InstanceReport, SlotSet};

use super::{Command, REST, RETRY};
use crate::time::Instant;

/// How many instances there are of each key.
pub(super) type Said = BTreeMap<InstanceKey, u16>;

/// The statement about the target's instances in the node's record: the whole list, on change, at most once in [`REST`].
#[derive(Debug, Default)]
pub(super) struct Say {
    /// The content of the record's slot; none: unknown, after a start.
    said: Option<Said>,
    /// The content that is being written.
    flight: Option<Said>,
    /// From when on the next statement may go out.
    rests_until: Instant,
}

impl Say {
    /// The statement is durable, or it is not.
    pub(super) fn on_said(&mut self, durable: bool, now: Instant) {
        let written = self.flight.take();
        if durable {
            self.said = written;
        } else {
            // Nobody knows what is on the disk.
            (self.said, self.rests_until) = (None, now + RETRY);
        }
    }

    /// Says this, if the record does not say it and it may; else when to try again.
    pub(super) fn speak(&mut self, due: Said, now: Instant, out: &mut Vec<Command>) -> Instant {
        if self.flight.is_some() || self.said.as_ref() == Some(&due) {
            return Instant::NEVER;
        }
        if now < self.rests_until {
            return self.rests_until;
        }
        self.rests_until = now + REST;
        match InstanceReport::new(due.clone()).and_then(SlotSet::new) {
            Ok(set) => {
                self.flight = Some(due);
                out.push(Command::Say(set));
            }
            Err(full) => {
                // It tries again when the list is another one.
                self.said = Some(due);
                out.push(Command::Full(full));
            }
        }
        Instant::NEVER
    }
}
