//! The JSON of `desired.json`. Configs are written as people write them; see [`crux_crdt::service`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::name::ServiceName;
use crux_crdt::service::{CONFIG_BYTES_MAX, Config, SERVICES_MAX};
use crux_protocol::picket::{Desired, Image, Version, Wanted};
use serde::{Deserialize, Serialize};

/// The newest format that this build reads and writes. 2 is 1 with what is done.
pub const FORMAT: u64 = 2;
/// The oldest one. It is written where nothing is done, so that the builds before read it.
pub(super) const FORMAT_OLDEST: u64 = 1;
/// The largest file in bytes: each service has at most three configs, and room for the rest.
pub(super) const BYTES_MAX: u64 = SERVICES_MAX as u64 * (3 * CONFIG_BYTES_MAX as u64 + 64 * 1024);

/// The part that is read first: the format of the rest.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) format: u64,
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    format: u64,
    generation: u64,
    services: BTreeMap<ServiceName, Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    run: bool,
    on_trial: bool,
    current: Content,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Content>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<Content>,
    /// The ordinals of the current content that are done.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    done: BTreeSet<u16>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    number: u64,
    image: Stored,
    config: Config,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    blob: BlobId,
    #[serde(with = "root")]
    root: Root,
    size: u64,
    path: String,
}

/// For `#[serde(with)]`: a root as its text.
mod root {
    use crux_crdt::blob::Root;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(root: &Root, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(root)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Root, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl From<&Desired> for File {
    fn from(desired: &Desired) -> Self {
        let services = desired.services.iter().map(|(name, wanted)| (name.clone(), wanted.into()));
        let has_done = desired.services.values().any(|wanted| !wanted.done.is_empty());
        let format = if has_done { FORMAT } else { FORMAT_OLDEST };
        Self { format, generation: desired.generation, services: services.collect() }
    }
}

impl From<&Wanted> for Entry {
    fn from(wanted: &Wanted) -> Self {
        Self {
            run: wanted.run,
            on_trial: wanted.on_trial,
            current: (&*wanted.current).into(),
            previous: wanted.previous.as_deref().map(Content::from),
            refused: wanted.refused.as_deref().map(Content::from),
            done: wanted.done.clone(),
        }
    }
}

impl From<&Version> for Content {
    fn from(version: &Version) -> Self {
        let Image { descriptor: Descriptor { blob, root, size }, path } = version.image.clone();
        let image = Stored { blob, root, size, path };
        Self { number: version.number, image, config: version.config.clone() }
    }
}

impl From<Content> for Arc<Version> {
    fn from(Content { number, image, config }: Content) -> Self {
        let Stored { blob, root, size, path } = image;
        let image = Image { descriptor: Descriptor { blob, root, size }, path };
        Self::new(Version { number, config, image })
    }
}

impl File {
    /// Whether each entry agrees with itself; if not, which does not and why.
    pub(super) fn check(&self) -> Result<(), (String, &'static str)> {
        for (name, entry) in &self.services {
            let contents = [Some(&entry.current), entry.previous.as_ref(), entry.refused.as_ref()];
            for content in contents.into_iter().flatten() {
                let wrong = |reason| Err((name.to_string(), reason));
                if content.config.name != *name {
                    return wrong("its config has another name");
                }
                if content.number > self.generation {
                    return wrong("its number is greater than the generation of the file");
                }
                if !content.image.path.starts_with('/') {
                    return wrong("the path of its image is not absolute");
                }
            }
            if entry.done.iter().any(|ordinal| *ordinal >= entry.current.config.count) {
                return Err((name.to_string(), "an instance is done that is beyond its count"));
            }
            if entry.on_trial && entry.previous.is_none() {
                return Err((name.to_string(), "it is on trial without a previous content"));
            }
        }
        Ok(())
    }

    pub(super) fn services(&self) -> usize {
        self.services.len()
    }

    pub(super) fn into_desired(self) -> Desired {
        let wanted = |entry: Entry| Wanted {
            current: entry.current.into(),
            previous: entry.previous.map(Into::into),
            on_trial: entry.on_trial,
            refused: entry.refused.map(Into::into),
            run: entry.run,
            done: entry.done,
        };
        let services = self.services.into_iter().map(|(name, entry)| (name, wanted(entry)));
        Desired { generation: self.generation, services: services.collect() }
    }
}
