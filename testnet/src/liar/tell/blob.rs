//! It signs a false tree for every blob.
//!
//! Asked what it holds, it says "all of it", under a root whose bytes win every tie and of a size that
//! suits it; it signs that, and offers it in the registry for every blob that another member offers.
//! Asked for a piece, it says nothing until the asker gives up.

use std::collections::BTreeSet;
use std::time::Duration;

use crux_crdt::blob::{BlobId, Descriptor, PieceSet, Root};
use crux_crdt::record::{Offer, SlotKind as _, SlotSet};
use crux_crdt::sign::Signed;
use crux_protocol::flock::Control;
use crux_protocol::link::{Command, Event, Protocol};
use crux_protocol::pastiche::{Holding, Request, Response};
use crux_protocol::time::Instant;

use super::super::filter::{Filter, Scene};
use crate::output::say;

/// How often it looks for blobs that others offer.
const PERIOD: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Debug)]
pub(crate) struct Blob {
    size: u64,
    next: Instant,
    offered: BTreeSet<BlobId>,
    asked: BTreeSet<BlobId>,
}

impl Blob {
    /// A liar that says that blobs have this size.
    pub(crate) fn new(size: u64) -> Self {
        let next = Instant::default();
        Self { size, next, offered: BTreeSet::new(), asked: BTreeSet::new() }
    }

    const fn tree(&self, blob: BlobId) -> Descriptor {
        Descriptor { blob, root: Root([0xff; 32]), size: self.size }
    }

    fn claim(&self, blob: BlobId, scene: &Scene<'_>) -> Response {
        let tree = self.tree(blob);
        let pieces = PieceSet::all(tree.size);
        Response::Have {
            holding: Holding { root: tree.root, size: tree.size, pieces },
            descriptors: vec![Signed::sign(tree, &scene.context.flock, scene.identity)],
            others: Vec::new(),
        }
    }
}

impl Filter for Blob {
    fn hear(&mut self, event: Event, scene: &mut Scene<'_>) -> Option<Event> {
        let Event::Request { id, protocol: Protocol::Pastiche, body, .. } = &event else {
            return Some(event);
        };
        if let Ok(Request::Have { blob, .. }) = Request::decode(body) {
            if self.asked.insert(blob) {
                say(format_args!("claimed that {} has {} bytes", blob.short(), self.size));
            }
            scene.out.push(Command::Reply { id: *id, body: self.claim(blob, scene).encode() });
        }
        None
    }

    fn wake(&mut self, scene: &mut Scene<'_>) {
        self.next = scene.now + PERIOD;
        let strew = scene.state.strew();
        let others = strew.shown().filter(|record| record.author() != scene.context.me);
        let offered: BTreeSet<_> =
            others.flat_map(|record| record.of::<Offer>()).map(|offer| offer.0.blob).collect();
        if offered != self.offered {
            let trees = offered.iter().map(|blob| Offer(self.tree(*blob)));
            let set = SlotSet::new(trees.take(Offer::ROW.most)).expect("as many as there may be");
            self.offered = offered;
            scene.controls.push(Control::Set(set));
        }
    }

    fn deadline(&self) -> Instant {
        self.next
    }
}
