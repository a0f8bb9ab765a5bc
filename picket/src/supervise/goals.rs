//! Goals of a target for this node: from the fulcrum to the engine, and the answer back.
//!
//! The fulcrum resolved all that it needs the flock for: versions to configs, images to files. The engine decides, and
//! what depends on this machine, as a user or limits, shows when an instance is started.
//!
//! **Invariant**: each numbered set is answered once on the link that it came by. A set whose fulcrum ended is taken
//! back if it is not being written yet; the next fulcrum hands in its own.

use std::time::Duration;

use crux_client::{Error, Kind};
use crux_protocol::picket::{Event, Goals, Outcome, Request, RequestId, Requested, Wait};

use super::answer::refused;
use super::shell::Shell;

/// How many sets wait for their answer. A guess: the fulcrum has one under way, and the next by the time it is answered.
const WAITING_MAX: usize = 8;

impl Shell {
    /// The fulcrum hands in a set.
    pub(super) fn on_goals(&mut self, seq: u64, goals: Goals) {
        let busy = || Error::new(Kind::Busy, "too many sets of goals wait for their answer");
        let error = match &self.damage {
            Some(damage) => Some(damage.clone()),
            None => (self.goals.len() >= WAITING_MAX).then(busy),
        };
        if let Some(error) = error {
            return self.post.answer(seq, Err((&error).into()));
        }
        self.requests += 1;
        let id = RequestId(self.requests);
        self.goals.insert(id, seq);
        let request = Request::Goals(Box::new(goals));
        // It is answered once it is durable, however long that takes.
        let (generation, wait, timeout) = (None, Wait::Nothing, Duration::ZERO);
        self.tell(Event::Request(Requested { id, request, generation, wait, timeout }));
    }

    /// The engine's answer to a set. Whether the request was one.
    pub(super) fn answer_goals(&mut self, id: RequestId, outcome: &Outcome) -> bool {
        let Some(seq) = self.goals.remove(&id) else { return false };
        let answer = match outcome {
            Outcome::Refused(refusal) => Err((&refused(refusal, self.disk)).into()),
            _ => Ok(()),
        };
        self.post.answer(seq, answer);
        true
    }

    /// The fulcrum ended.
    pub(super) fn cancel_goals(&mut self) {
        for id in std::mem::take(&mut self.goals).into_keys() {
            self.tell(Event::Cancel { id });
        }
    }
}
