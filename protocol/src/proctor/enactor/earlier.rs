use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::blob::{BlobHasher, BlobId};
use crux_crdt::document::Target;
use crux_crdt::name::{Label, ServiceName};
use crux_crdt::service::{Config, SpecTag};

use super::configs::config_in;
use super::{Command, RETRY};
use crate::time::Instant;

/// Earlier generations of the target, which have the versions that a plan goes back to.
///
/// The document that counts names their blobs, so what matches such an id is as signed as the document itself.
/// **Invariant**: it remembers only generations that the document names, and none while no version is missing.
#[derive(Debug, Default)]
pub(super) struct Earlier(BTreeMap<BlobId, Read>);

#[derive(Debug)]
enum Read {
    Asked,
    Here(Arc<Target>),
    /// It is fetched again then; never, if it is not a target.
    Failed(Instant),
}

impl Earlier {
    /// Looks for these versions, newest generation first. It asks for one generation at a time, and for the next one
    /// only where a version is in none that is here.
    pub(super) fn want(
        &mut self,
        mut missing: BTreeSet<(ServiceName, SpecTag)>,
        current: Option<&Target>,
        now: Instant,
        out: &mut Vec<Command>,
    ) {
        let named = || current.into_iter().flat_map(Target::earlier).map(|earlier| earlier.blob);
        let names: BTreeSet<_> = named().collect();
        self.0.retain(|blob, _| !missing.is_empty() && names.contains(blob));
        for blob in named() {
            missing.retain(|(name, spec)| self.of(&blob, name, *spec).is_none());
            if missing.is_empty() || !self.is_over(blob, now, out) {
                return;
            }
        }
    }

    /// Whether nothing is to be expected of a generation at the moment. One that was not asked for is.
    fn is_over(&mut self, blob: BlobId, now: Instant, out: &mut Vec<Command>) -> bool {
        match self.0.get(&blob) {
            Some(Read::Here(_)) => true,
            Some(Read::Asked) => false,
            Some(Read::Failed(until)) if now < *until => true,
            None | Some(Read::Failed(_)) => {
                self.0.insert(blob, Read::Asked);
                out.push(Command::Read(blob));
                false
            }
        }
    }

    fn of(&self, blob: &BlobId, name: &ServiceName, spec: SpecTag) -> Option<&Config> {
        match self.0.get(blob) {
            Some(Read::Here(target)) => config_in(target, name, spec),
            _ => None,
        }
    }

    /// The config of a version, if one of the generations that are here has it.
    pub(super) fn config(&self, name: &ServiceName, spec: SpecTag) -> Option<&Config> {
        self.0.keys().find_map(|blob| self.of(blob, name, spec))
    }

    /// Takes the bytes of a generation: verified first, then decoded.
    pub(super) fn on_read(
        &mut self,
        horde: &Label,
        (blob, content): (BlobId, Option<Vec<u8>>),
        now: Instant,
    ) {
        let Some(read @ Read::Asked) = self.0.get_mut(&blob) else { return };
        *read = match content.map(|content| verified(horde, blob, &content)) {
            Some(Some(target)) => Read::Here(Arc::new(target)),
            Some(None) => Read::Failed(Instant::NEVER),
            None => Read::Failed(now + RETRY),
        };
    }

    /// When the next one is fetched again.
    pub(super) fn deadline(&self) -> Instant {
        let until = |read: &Read| match read {
            Read::Failed(until) => Some(*until),
            Read::Asked | Read::Here(_) => None,
        };
        self.0.values().filter_map(until).min().unwrap_or(Instant::NEVER)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

fn verified(horde: &Label, blob: BlobId, content: &[u8]) -> Option<Target> {
    let mut hasher = BlobHasher::default();
    hasher.update(content);
    if hasher.finish() == blob { Target::read(horde, content).ok() } else { None }
}
