//! The place of one instance of a service, by its ordinal.

use std::collections::{BTreeSet, VecDeque};

use super::backoff::{Next, Tries};
use super::record::Exit;
use super::rules::EXITS_MAX;
use super::view::ExitRow;
use crate::time::Instant;

/// When the place is filled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Rest {
    /// Now.
    #[default]
    Ready,
    /// Then, after a failure.
    Backoff(Instant),
    /// Then, after a crash loop; never, if the config says that it is not restarted.
    Failed(Instant),
    /// No more: it ended well.
    Done,
}

impl From<Next> for Rest {
    fn from(next: Next) -> Self {
        match next {
            Next::At(at) => Self::Backoff(at),
            Next::Failed(at) => Self::Failed(at),
        }
    }
}

/// The memory of one ordinal while its instances come and go.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) tries: Tries,
    pub(super) rest: Rest,
    /// Since when nothing runs there.
    pub(super) since: Instant,
    /// Why, for people.
    pub(super) reason: String,
    /// How often it was started again by itself.
    pub(super) restarts: u64,
    /// The next start follows a failure.
    pub(super) again: bool,
    /// How often its ports were found taken, and which.
    pub(super) port_tries: u32,
    pub(super) avoid: BTreeSet<u16>,
    /// At most [`EXITS_MAX`].
    pub(super) exits: VecDeque<ExitRow>,
}

impl Slot {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            tries: Tries::default(),
            rest: Rest::Ready,
            since: now,
            reason: String::new(),
            restarts: 0,
            again: false,
            port_tries: 0,
            avoid: BTreeSet::new(),
            exits: VecDeque::new(),
        }
    }

    /// One whose program ended well under an earlier picket.
    pub(super) fn done(now: Instant) -> Self {
        let reason = Exit::Code(0).to_string();
        Self { rest: Rest::Done, reason, ..Self::new(now) }
    }

    /// Whether it may be filled now.
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        match self.rest {
            Rest::Ready => true,
            Rest::Backoff(at) | Rest::Failed(at) => now >= at,
            Rest::Done => false,
        }
    }

    /// A person has it tried, or it has another content.
    pub(super) fn forgive(&mut self) {
        self.tries.forgive();
        self.rest = Rest::Ready;
        self.again = false;
        self.reason.clear();
        self.port_tries = 0;
        self.avoid.clear();
    }

    /// Keeps an end for `inspect`.
    pub(super) fn note_exit(&mut self, exit: ExitRow) {
        if self.exits.len() == EXITS_MAX {
            self.exits.pop_front();
        }
        self.reason.clone_from(&exit.reason);
        self.since = exit.at;
        self.exits.push_back(exit);
    }

    pub(super) const fn deadline(&self) -> Instant {
        match self.rest {
            Rest::Backoff(at) | Rest::Failed(at) => at,
            Rest::Ready | Rest::Done => Instant::NEVER,
        }
    }

    /// How much is kept.
    pub(super) fn footprint(&self) -> usize {
        self.tries.footprint() + self.exits.len() + self.avoid.len()
    }
}
