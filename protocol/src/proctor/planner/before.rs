use std::collections::BTreeMap;

use crux_crdt::blob::BlobId;
use crux_crdt::document::Target;
use crux_crdt::name::{Label, ServiceName};
use crux_crdt::service::SpecTag;

use super::{Command, RETRY};
use crate::proctor::enactor::verified;
use crate::time::Instant;

/// The versions of the generation before the one that is planned, which services go back to.
///
/// Without them a new leader does not know what a version that fails everywhere has before it; it plans all the same.
/// **Invariant**: they are of bytes that match the blob which the signed document names.
#[derive(Debug, Default)]
pub(super) struct Before(Option<(BlobId, Read)>);

#[derive(Debug)]
enum Read {
    Asked,
    Here(BTreeMap<ServiceName, SpecTag>),
    /// It is fetched again then; never, if it is not a target.
    Failed(Instant),
}

impl Before {
    /// Reads the generation before this target, once.
    pub(super) fn want(&mut self, target: Option<&Target>, now: Instant, out: &mut Vec<Command>) {
        let blob = target.and_then(|target| target.earlier().first()).map(|earlier| earlier.blob);
        let is_due = match &self.0 {
            Some((asked, Read::Failed(until))) if Some(*asked) == blob => *until <= now,
            Some((asked, _)) => Some(*asked) != blob,
            None => true,
        };
        if is_due {
            self.0 = blob.map(|blob| (blob, Read::Asked));
            out.extend(blob.map(Command::Read));
        }
    }

    pub(super) fn on_read(
        &mut self,
        horde: &Label,
        (blob, content): (BlobId, Option<Vec<u8>>),
        now: Instant,
    ) {
        let Some((asked, read @ Read::Asked)) = &mut self.0 else { return };
        if *asked == blob {
            *read = match content.map(|content| verified(horde, blob, &content)) {
                Some(Some(target)) => Read::Here(specs(&target)),
                Some(None) => Read::Failed(Instant::NEVER),
                None => Read::Failed(now + RETRY),
            };
        }
    }

    /// As far as they are known.
    pub(super) fn specs(&self) -> BTreeMap<ServiceName, SpecTag> {
        match &self.0 {
            Some((_, Read::Here(specs))) => specs.clone(),
            _ => BTreeMap::new(),
        }
    }

    /// When it is fetched again.
    pub(super) fn deadline(&self) -> Instant {
        match &self.0 {
            Some((_, Read::Failed(until))) => *until,
            _ => Instant::NEVER,
        }
    }
}

fn specs(target: &Target) -> BTreeMap<ServiceName, SpecTag> {
    let all = target.services().iter();
    all.map(|(name, config)| (name.clone(), config.spec_tag())).collect()
}
