//! The services that the node is to run: the durable part of the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::blob::{BlobId, Descriptor};
use crux_crdt::name::ServiceName;
use crux_crdt::service::{Config, SpecTag};

use super::accepted::Accepted;
use super::owner::Owner;

/// The program of a service, resolved: enough to start it without fulcrum and without peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The file, with the root against which its bytes are compared.
    pub descriptor: Descriptor,
    /// Where the store keeps it. The engine hands it on and reads nothing into it.
    pub path: String,
}

impl Image {
    /// The file.
    pub const fn blob(&self) -> BlobId {
        self.descriptor.blob
    }
}

/// One content of a service: a config with its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Unique on this node: the generation that brought it.
    pub number: u64,
    /// The checked config.
    pub config: Config,
    /// Its image for this machine.
    pub image: Image,
    /// Which version of a target it is; none: a person brought it.
    pub spec: Option<SpecTag>,
}

impl Version {
    /// Whether both are the same content, however it is written.
    pub fn is_same(&self, config: &Config, image: &Image) -> bool {
        self.config.same_content(config) && self.image.descriptor == image.descriptor
    }
}

/// The wanted state of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// On whose word. It stays the same until the service is forgotten.
    pub owner: Owner,
    /// The content that is to run.
    pub current: Arc<Version>,
    /// The content to go back to: the last one that proved itself.
    pub previous: Option<Arc<Version>>,
    /// Whether `current` has not proved itself yet, and `previous` comes back if it does not.
    pub on_trial: bool,
    /// A content that did not prove itself. It is not tried again until a person updates to it, or another target
    /// document wants it.
    pub refused: Option<Arc<Version>>,
    /// Whether it is to run. A stopped service stays in the config. A service of the target is never stopped.
    pub run: bool,
    /// The ordinals of `current` whose programs ended well and are not started again: their config does not say
    /// `always`. Until a person starts it, or it has another content.
    pub done: BTreeSet<u16>,
}

/// The node's service config: `desired.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Desired {
    /// Grows by one with each change; an older one is refused.
    pub generation: u64,
    /// At most [`SERVICES_MAX`](crux_crdt::service::SERVICES_MAX).
    pub services: BTreeMap<ServiceName, Wanted>,
    /// The target's part.
    pub accepted: Accepted,
}

impl Desired {
    /// The images of its services, those to go back to, and those of goals that wait.
    pub fn images(&self) -> BTreeSet<BlobId> {
        let services = self.services.values().flat_map(Wanted::images);
        services.chain(self.accepted.images()).collect()
    }
}

impl Wanted {
    /// Of this content, nothing of which is done.
    pub(super) fn new(owner: Owner, current: Arc<Version>, run: bool) -> Self {
        let (previous, on_trial, refused, done) = (None, false, None, BTreeSet::new());
        Self { owner, current, previous, on_trial, refused, run, done }
    }

    /// The same content with other settings.
    pub(super) fn with_settings(&self, current: Version) -> Self {
        let count = current.config.count;
        let done = self.done.iter().copied().filter(|ordinal| *ordinal < count).collect();
        Self { current: Arc::new(current), done, ..self.clone() }
    }

    /// Its image, and that to go back to.
    pub fn images(&self) -> impl Iterator<Item = BlobId> + '_ {
        let versions = [Some(&self.current), self.previous.as_ref()];
        versions.into_iter().flatten().map(|version| version.image.blob())
    }
}
