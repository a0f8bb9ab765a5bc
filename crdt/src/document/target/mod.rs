//! Targets: which services a horde is to run, and where.
//!
//! The content of the document `target/HORDE`: a program of khan, the config of every service that it may name, a
//! note, and the earlier generations by their blobs. All of it is one signed document, so a change is whole or not
//! there. This module knows the services and their bounds; the program is a text to it, which crate `khan` reads.
//!
//! ```text
//!   target/main, generation 7        note, program, services
//!        └─ earlier: 6, 5, 4, …      each the id of a blob: the content of that generation, byte for byte
//! ```
//!
//! **Earlier generations** are named by the blobs that hold their contents, newest first. The id is signed with the
//! rest, so a content that matches it is the one that was signed, from wherever it comes. A new target takes over the
//! list of the one before, with that one in front; the oldest make way, at most [`EARLIER_MAX`] remain, and fewer
//! where the services need the room. The last one stays, so that there is always a generation to go back to.
//!
//! **Services.** A target's config has the horde of the target, and a count of one: the program says how many
//! instances run, and on which nodes. A node finds the version that a plan names by its tag ([`Target::config`]).
//!
//! **Invariant**: what decodes keeps every bound, and has no other encoding. So two nodes with the same document have
//! the same target, and what is not a target is one for nobody.

mod earlier;
mod error;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

pub use earlier::{EARLIER_MAX, Earlier};
pub use error::{Hidden, TargetError};

use super::{CONTENT_MAX, Document, Documents, GENERATION_LIMIT, Key, KeyKind};
use crate::Principal;
use crate::blob::{BlobHasher, BlobId};
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::name::{Label, ServiceName};
use crate::service::{Config, Fields, SpecTag};
use crate::text::is_plain;

/// How many services a target may have: as many as a program may have picks.
pub const TARGET_SERVICES_MAX: usize = 256;
/// How long a note may be, in bytes: a line in a list.
pub const NOTE_BYTES_MAX: usize = 256;

/// The version of the encoding.
const VERSION: u8 = 1;

/// The target of a horde: the content of a document `target/HORDE`, at most [`CONTENT_MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    program: String,
    /// By name. All have one horde, and a count of one.
    services: BTreeMap<ServiceName, Config>,
    note: String,
    /// Newest first; at most [`EARLIER_MAX`].
    earlier: Vec<Earlier>,
}

impl Target {
    /// A target of the horde, which the configs take over where they name none (`main`). Of the earlier generations,
    /// newest first, the oldest are left out that have no room; the first one stays.
    ///
    /// # Errors
    /// [`TargetError`]: nobody could read it.
    pub fn new(
        horde: &Label,
        program: String,
        services: impl IntoIterator<Item = Config>,
        note: String,
        mut earlier: Vec<Earlier>,
    ) -> Result<Self, TargetError> {
        earlier.truncate(EARLIER_MAX);
        let services = services_of(horde, services)?;
        let mut target = Self { program, services, note, earlier };
        target.check_texts()?;
        let mut bytes = target.to_canonical().len();
        while bytes > CONTENT_MAX && target.earlier.len() > 1 {
            bytes -= target.earlier.pop().map_or(0, |oldest| oldest.to_canonical().len());
        }
        if bytes > CONTENT_MAX {
            return Err(TargetError::TooLarge { bytes });
        }
        if !earlier::are_valid(&target.earlier) {
            return Err(TargetError::Earlier);
        }
        Ok(target)
    }

    /// The target that a document has; none if it is deleted.
    ///
    /// # Errors
    /// [`TargetError`]. The signer is at fault, or this build is too old.
    pub fn of(document: &Document) -> Result<Option<Self>, TargetError> {
        let horde = Self::horde(document.key()).ok_or(TargetError::Key)?;
        let Some(content) = document.content() else { return Ok(None) };
        let target = Self::read(&horde, content)?;
        // A later generation under an earlier one's number could not be told from it.
        match target.earlier.first() {
            Some(newest) if newest.generation >= document.generation() => Err(TargetError::Earlier),
            _ => Ok(Some(target)),
        }
    }

    /// Reads the content of a document for this horde, or the blob of an earlier generation.
    ///
    /// # Errors
    /// [`TargetError::TooLarge`], [`TargetError::Content`], [`TargetError::Horde`].
    pub fn read(horde: &Label, content: &[u8]) -> Result<Self, TargetError> {
        let bytes = content.len();
        if bytes > CONTENT_MAX {
            return Err(TargetError::TooLarge { bytes });
        }
        let target = Self::from_canonical(content)?;
        match target.services.values().find(|config| config.horde != *horde) {
            Some(config) => Err(TargetError::horde(config, horde)),
            None => Ok(target),
        }
    }

    /// The horde whose target has this key; none: it is not the key of a target.
    pub fn horde(key: &Key) -> Option<Label> {
        if key.kind() == KeyKind::TARGET { key.name().parse().ok() } else { None }
    }

    /// The key of the target of a horde.
    pub fn key(horde: &Label) -> Key {
        Key::of_label(KeyKind::TARGET, horde)
    }

    /// The program: which services run on which nodes.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The services, by name.
    pub const fn services(&self) -> &BTreeMap<ServiceName, Config> {
        &self.services
    }

    /// The version with this tag, if one of its services has it.
    pub fn config(&self, spec: SpecTag) -> Option<&Config> {
        self.services.values().find(|config| config.spec_tag() == spec)
    }

    /// The note that people read in the history; perhaps empty.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// The earlier generations, newest first.
    pub fn earlier(&self) -> &[Earlier] {
        &self.earlier
    }

    /// The id of the blob that has this content.
    pub fn blob(&self) -> BlobId {
        let mut hasher = BlobHasher::default();
        hasher.update(&self.to_canonical());
        hasher.finish()
    }

    /// The earlier generations of the target that replaces this one: this one, then its own.
    pub fn history(&self, generation: u64, by: Principal) -> Vec<Earlier> {
        let this = Earlier { generation, by, note: self.note.clone(), blob: self.blob() };
        let own = self.earlier.iter().cloned();
        core::iter::once(this).chain(own).take(EARLIER_MAX).collect()
    }

    fn check_texts(&self) -> Result<(), TargetError> {
        if let Some(place) = error::hidden(&self.program) {
            return Err(TargetError::Program(place));
        }
        let len = self.note.len();
        if len > NOTE_BYTES_MAX || !self.note.chars().all(is_plain) {
            return Err(TargetError::Note { len });
        }
        Ok(())
    }
}

impl Documents {
    /// The document that says what a horde is to run, if it counts: the winner under its key, deleted or not. See
    /// [`Target::of`]. Targets are ordered by their markers, and a node never goes back to a smaller one.
    pub fn target(&self, horde: &Label) -> Option<&Document> {
        let winner = self.get(&Target::key(horde))?.winner();
        self.counts(winner).then_some(&**winner)
    }
}

impl Canonical for Target {
    fn encode(&self, out: &mut Encoder) {
        out.u8(VERSION).str(&self.program).count(self.services.len());
        self.services.values().for_each(|config| config.encode(out));
        out.str(&self.note).count(self.earlier.len());
        self.earlier.iter().for_each(|earlier| earlier.encode(out));
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let before = input.remaining();
        input.version("version of a target", VERSION)?;
        let program = input.str(CONTENT_MAX, "program of a target")?.to_owned();
        let services = decode_services(input)?;
        let note = input.text(NOTE_BYTES_MAX, "note of a target")?.to_owned();
        let count = input.count(EARLIER_MAX, "earlier generations")?;
        let earlier = (0..count).map(|_| Earlier::decode(input)).collect::<Result<Vec<_>, _>>()?;
        if error::hidden(&program).is_some() {
            return Err(DecodeError::Invalid("program of a target"));
        }
        if !earlier::is_in_order(&earlier) {
            return Err(DecodeError::Invalid("order of earlier generations"));
        }
        let (found, limit) = (before - input.remaining(), CONTENT_MAX);
        if found > limit {
            return Err(DecodeError::TooLarge { what: "bytes of a target", found, limit });
        }
        Ok(Self { program, services, note, earlier })
    }
}

/// The services by name, each with the horde of the target.
fn services_of(
    horde: &Label,
    configs: impl IntoIterator<Item = Config>,
) -> Result<BTreeMap<ServiceName, Config>, TargetError> {
    let mut services = BTreeMap::new();
    for mut config in configs {
        if config.count != 1 {
            return Err(TargetError::Count(config.name.clone()));
        }
        if config.horde == Label::main_horde() {
            let fields = Fields { horde: horde.clone(), ..config.into_fields() };
            config = fields.try_into().map_err(TargetError::Config)?;
        } else if config.horde != *horde {
            return Err(TargetError::horde(&config, horde));
        }
        match services.entry(config.name.clone()) {
            Entry::Occupied(_) => return Err(TargetError::Twice(config.name.clone())),
            Entry::Vacant(place) => _ = place.insert(config),
        }
    }
    match services.len() {
        len if len > TARGET_SERVICES_MAX => Err(TargetError::Services(len)),
        _ => Ok(services),
    }
}

fn decode_services(input: &mut Decoder<'_>) -> Result<BTreeMap<ServiceName, Config>, DecodeError> {
    let count = input.count(TARGET_SERVICES_MAX, "services of a target")?;
    let mut services: BTreeMap<ServiceName, Config> = BTreeMap::new();
    for _ in 0..count {
        let config = Config::decode(input)?;
        if config.count != 1 {
            return Err(DecodeError::Invalid("count in the config of a target's service"));
        }
        if let Some((last, other)) = services.last_key_value() {
            if *last >= config.name {
                return Err(DecodeError::Invalid("order of a target's services"));
            }
            if other.horde != config.horde {
                return Err(DecodeError::Invalid("horde of a target's service"));
            }
        }
        services.insert(config.name.clone(), config);
    }
    Ok(services)
}
