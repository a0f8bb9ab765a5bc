use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::blob::BlobId;

use super::{Command, RETRY};
use crate::picket::Image;
use crate::time::Instant;

/// The images of what the node is to run. **Invariant**: it remembers only those.
#[derive(Debug, Default)]
pub(super) struct Images(BTreeMap<BlobId, Fetch>);

#[derive(Debug)]
enum Fetch {
    Asked,
    Here(Image),
    /// It is fetched again then.
    Failed(Instant),
}

impl Images {
    /// These are wanted, and no others: those that are missing are fetched.
    pub(super) fn want(&mut self, wanted: &BTreeSet<BlobId>, now: Instant, out: &mut Vec<Command>) {
        self.0.retain(|blob, _| wanted.contains(blob));
        for blob in wanted {
            let is_due = match self.0.get(blob) {
                None => true,
                Some(Fetch::Failed(until)) => *until <= now,
                Some(Fetch::Asked | Fetch::Here(_)) => false,
            };
            if is_due {
                self.0.insert(*blob, Fetch::Asked);
                out.push(Command::Fetch(*blob));
            }
        }
    }

    /// An image that is here.
    pub(super) fn get(&self, blob: &BlobId) -> Option<&Image> {
        match self.0.get(blob) {
            Some(Fetch::Here(image)) => Some(image),
            _ => None,
        }
    }

    pub(super) fn on_fetched(&mut self, image: Image) {
        if let Some(fetch) = self.0.get_mut(&image.blob()) {
            *fetch = Fetch::Here(image);
        }
    }

    pub(super) fn on_failed(&mut self, blob: BlobId, now: Instant) {
        if let Some(fetch @ Fetch::Asked) = self.0.get_mut(&blob) {
            *fetch = Fetch::Failed(now + RETRY);
        }
    }

    /// When the next one is fetched again.
    pub(super) fn deadline(&self) -> Instant {
        let until = |fetch: &Fetch| match fetch {
            Fetch::Failed(until) => Some(*until),
            Fetch::Asked | Fetch::Here(_) => None,
        };
        self.0.values().filter_map(until).min().unwrap_or(Instant::NEVER)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
