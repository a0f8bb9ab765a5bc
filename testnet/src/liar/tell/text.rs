//! It states labels and a version that a terminal would obey.
//!
//! An honest engine refuses to sign such a profile; so the liar signs one itself, above its honest
//! record, and gossips that.

use std::time::Duration;

use crux_crdt::record::Profile;
use crux_protocol::time::Instant;

use super::super::filter::{Filter, Scene};
use super::forge::{forged, gossip};
use crate::output::say;

/// How often it says so.
const PERIOD: Duration = Duration::from_millis(500);
/// Clears the screen, renames the window, forges a row, and turns round what follows.
const VALUE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\nn9 alive \u{9b}31m\u{202e}";
/// The same within the bounds of a version.
const VERSION: &str = "\u{1b}[2J\r\nn9 alive \u{9b}31m\u{202e}";

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Text {
    next: Instant,
    number: u64,
}

impl Filter for Text {
    fn wake(&mut self, scene: &mut Scene<'_>) {
        self.next = scene.now + PERIOD;
        if scene.state.linked().is_empty() {
            return;
        }
        let lie = |profile: &mut Profile| {
            profile.labels = [("zone".to_owned(), VALUE.to_owned())].into();
            profile.version = VERSION.to_owned();
        };
        let Some(record) = forged(scene, self.number, lie) else { return };
        scene.out.push(gossip(&record));
        self.number += 1;
        if self.number == 3 {
            say("stated labels that a terminal would obey");
        }
    }

    fn deadline(&self) -> Instant {
        self.next
    }
}
