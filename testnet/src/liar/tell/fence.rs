//! It commands under the greatest term that can be written down.
//!
//! Every half second it sends every member that it is linked to a fenced command of its own, under a
//! term that no later leader can exceed. A node that stores it for good obeys nobody after it. If it is
//! told to, its record states that term, too.

use std::time::Duration;

use crux_crdt::record::Profile;
use crux_protocol::leader::{Fenced, Request};
use crux_protocol::link::Protocol;
use crux_protocol::time::Instant;

use super::super::filter::{Filter, Scene};
use super::forge::{forged, gossip};
use crate::output::say;

const PERIOD: Duration = Duration::from_millis(500);
const TERM: u64 = (1 << 48) - 1;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Fence {
    stated: bool,
    next: Instant,
    number: u64,
    told: usize,
}

impl Fence {
    /// A liar whose record states its term.
    pub(crate) fn stated() -> Self {
        Self { stated: true, ..Self::default() }
    }
}

impl Filter for Fence {
    fn wake(&mut self, scene: &mut Scene<'_>) {
        self.next = scene.now + PERIOD;
        let lie = |profile: &mut Profile| profile.claim = TERM;
        let Some(record) = forged(scene, self.number, lie) else { return };
        let linked = scene.state.linked();
        if self.stated && !linked.is_empty() {
            self.number += 1;
            scene.out.push(gossip(&record));
        }
        let Some(command) = Fenced::of(&record) else { return };
        let command = Request::Fenced(Box::new(command));
        for peer in &linked {
            scene.request(*peer, Protocol::Call, command.encode());
        }
        if linked.len() > self.told {
            self.told = linked.len();
            say(format_args!("told {} members to obey term {TERM}", self.told));
        }
    }

    fn deadline(&self) -> Instant {
        self.next
    }
}
