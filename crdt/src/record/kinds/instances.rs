use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;

use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::hash::sha3;
use crate::name::ServiceName;
use crate::record::plan::{decode_fences, decode_number, encode_fences};
use crate::record::{First, KindFull, Record, SlotValue};
use crate::service::SpecTag;

/// How many lines a statement may have. A node runs at most 128 services, so each may be there in two versions. With
/// [`FENCES_MAX`] they fit a slot.
const LINES_MAX: usize = 256;
/// How many fences of leaders a statement may name.
const FENCES_MAX: usize = 60;
/// The memory that a line takes beside its bytes.
const LINE_COST: usize = 32;

/// A node's statement about what it runs for a target. None: it runs nothing for one.
///
/// Services that people started by hand are not in it. It says which version, how far each instance is, how many there
/// are, and which pass first assigned them: registrations say nothing of versions, of tasks, of services without ports, and of
/// what is not up. It does not say which plan the node enacts, because then each pass would change the record of every
/// node.
///
/// **Invariants**: at least one line, at most 256; ascending, each once; each fence is used. Services and versions are
/// named by tags: with names in it, 70 long ones would fill the slot.
///
/// **Later builds.** A stage that this build does not know is kept, byte for byte: such instances run, and are not
/// ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceReport(Box<[(InstanceKey, u16)]>);

/// Tells the lines of a statement apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceKey {
    /// The service.
    pub service: NameTag,
    /// The version.
    pub spec: SpecTag,
    /// How far the instances are.
    pub stage: Stage,
    /// The pass that first assigned them to the node.
    pub first: First,
}

/// Stands for the name of a service where it would take too much room: the first eight bytes of its hash, in the domain
/// `crux/service-name/1`. It tells the services of one target apart: of 256 two have one tag with a chance of 1 in 2^49.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameTag(pub [u8; 8]);

/// How far an instance is that a target placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// It is assigned or started, and not up yet.
    Starting,
    /// It is up.
    Ready,
    /// It is a task that ended well.
    Done,
    /// It ended too often, or its node went back to another version.
    Failed,
    /// It ran and made no progress.
    Wedged,
    /// It was told to end.
    Stopping,
    /// A person started a service of this name on the node, which has precedence.
    Blocked,
    /// A stage of a later build, by its number, which is not 0 nor another's.
    Later(LaterStage),
}

/// The number of a [`Stage`] that this build does not know. Only decoding makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaterStage(u8);

impl NameTag {
    /// Of this service.
    pub fn of(service: &ServiceName) -> Self {
        let [a, b, c, d, e, f, g, h, ..] =
            sha3("crux/service-name/1", &[service.as_str().as_bytes()]).0;
        Self([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for NameTag {
    /// Its digits, where nobody knows the name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&HEXLOWER.encode(&self.0))
    }
}

impl Stage {
    /// Whether a process of it may be there.
    pub const fn is_running(self) -> bool {
        !matches!(self, Self::Done | Self::Failed | Self::Blocked)
    }

    const fn number(self) -> u8 {
        match self {
            Self::Starting => 1,
            Self::Ready => 2,
            Self::Done => 3,
            Self::Failed => 4,
            Self::Wedged => 5,
            Self::Stopping => 6,
            Self::Blocked => 7,
            Self::Later(LaterStage(number)) => number,
        }
    }

    const fn of(number: u8) -> Option<Self> {
        Some(match number {
            0 => return None,
            1 => Self::Starting,
            2 => Self::Ready,
            3 => Self::Done,
            4 => Self::Failed,
            5 => Self::Wedged,
            6 => Self::Stopping,
            7 => Self::Blocked,
            later => Self::Later(LaterStage(later)),
        })
    }
}

impl InstanceReport {
    /// The statement about these; none if there are none. Counts of 0 are left out. Where more than 60 leaders first
    /// assigned them, the oldest fences count as one: they order what goes first, and nothing else.
    ///
    /// # Errors
    /// [`KindFull`]: there are more lines than fit. None is left out in silence.
    pub fn new(all: BTreeMap<InstanceKey, u16>) -> Result<Option<Self>, KindFull> {
        let fences: BTreeSet<_> = all.keys().map(|key| key.first.fence()).collect();
        let oldest = fences.iter().nth_back(FENCES_MAX - 1).copied();
        let mut lines: BTreeMap<InstanceKey, u16> = BTreeMap::new();
        for (mut key, count) in all.into_iter().filter(|(_, count)| *count > 0) {
            if let Some((term, leader)) = oldest.filter(|oldest| key.first.fence() < *oldest) {
                key.first = First { term, leader, pass: 0 };
            }
            let sum = lines.entry(key).or_default();
            *sum = sum.saturating_add(count);
        }
        if lines.len() > LINES_MAX {
            return Err(KindFull { name: "groups of a target's instances", most: LINES_MAX });
        }
        Ok((!lines.is_empty()).then(|| Self(lines.into_iter().collect())))
    }

    /// The lines, ascending: how many instances there are of each key; at least one.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = (InstanceKey, u16)> {
        self.0.iter().copied()
    }

    /// The fences of all leaders in it, ascending.
    fn fences(&self) -> Vec<(u64, [u8; 8])> {
        let fences: BTreeSet<_> = self.0.iter().map(|(key, _)| key.first.fence()).collect();
        fences.into_iter().collect()
    }
}

impl Record {
    /// The instances that its author reports, as [`InstanceReport::lines`]; none if it reports none.
    pub fn instances(&self) -> impl Iterator<Item = (InstanceKey, u16)> {
        self.of::<InstanceReport>().take(1).flat_map(InstanceReport::lines)
    }
}

impl SlotValue for InstanceReport {
    type Key = ();

    fn key(&self) {}

    fn overhead(&self) -> usize {
        self.0.len() * LINE_COST
    }
}

impl Canonical for InstanceReport {
    fn encode(&self, out: &mut Encoder) {
        let fences = self.fences();
        encode_fences(&fences, out);
        out.count(self.0.len());
        for (InstanceKey { service, spec, stage, first }, count) in &self.0 {
            // Every fence has its place among at most 60.
            let fence = fences.binary_search(&first.fence()).unwrap_or(0);
            out.fixed(&service.0).fixed(&spec.0).u8(stage.number());
            out.u8(u8::try_from(fence).unwrap_or(u8::MAX)).u64(first.pass);
            out.fixed(&count.to_be_bytes());
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let fences = decode_fences(input, FENCES_MAX)?;
        let count = input.count(LINES_MAX, "groups of a target's instances")?;
        let mut lines: Vec<(InstanceKey, u16)> = Vec::new();
        for _ in 0..count {
            let line = decode_line(input, &fences)?;
            if lines.last().is_some_and(|last| last.0 >= line.0) {
                return Err(DecodeError::Invalid("order of a target's instances"));
            }
            lines.push(line);
        }
        let all = Self(lines.into());
        if all.0.is_empty() || all.fences() != fences {
            return Err(DecodeError::Invalid("list of a target's instances"));
        }
        Ok(all)
    }
}

fn decode_line(
    input: &mut Decoder<'_>,
    fences: &[(u64, [u8; 8])],
) -> Result<(InstanceKey, u16), DecodeError> {
    let service = NameTag(input.array("tag of a service")?);
    let spec = SpecTag(input.array("tag of a version")?);
    let stage = Stage::of(input.u8("stage of an instance")?);
    let stage = stage.ok_or(DecodeError::Invalid("stage of an instance"))?;
    let fence = fences.get(usize::from(input.u8("fence of an instance")?));
    let (term, leader) = *fence.ok_or(DecodeError::Invalid("fence of an instance"))?;
    let first = First { term, leader, pass: decode_number(input, "pass of an instance")? };
    let count = u16::from_be_bytes(input.array("number of instances")?);
    if count == 0 {
        return Err(DecodeError::Invalid("number of instances"));
    }
    Ok((InstanceKey { service, spec, stage, first }, count))
}
