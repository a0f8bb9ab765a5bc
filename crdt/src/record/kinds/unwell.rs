use std::collections::BTreeMap;

use super::{Registration, ServiceTag};
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::record::{KindFull, SlotKind as _, SlotValue};

/// How many registrations one statement may name: as many as a node may have. With them a slot has 2.3 KiB.
const UNWELL_MAX: usize = Registration::ROW.most;

/// A node's statement about those of its registrations that are not *up*; the others are.
///
/// **Invariants**: at least one entry and at most as many as a node has registrations, each tag once, ascending. A
/// node of which all registrations are up has no such slot, so that health costs nothing while all is well.
///
/// It names registrations by their tags: with names in it, 40 long ones would fill the slot. A tag of no
/// registration counts for nothing.
///
/// **Later builds.** A condition that this build does not know is kept, byte for byte, and read as
/// *not known to be up*: see [`Condition::Later`]. So one can be added without a new kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwell(Box<[(ServiceTag, Condition)]>);

/// How a registration is that is not *up*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// It serves, and a check failed.
    Degraded,
    /// It does not serve.
    Down,
    /// Its node does not know.
    Unknown,
    /// A condition of a later build, by its number, which is not 0 nor another's. Counts as unknown here.
    Later(LaterCondition),
}

/// The number of a [`Condition`] that this build does not know. Only decoding makes one: a node never signs a
/// condition that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaterCondition(u8);

impl Condition {
    const fn number(self) -> u8 {
        match self {
            Self::Degraded => 1,
            Self::Down => 2,
            Self::Unknown => 3,
            Self::Later(LaterCondition(number)) => number,
        }
    }

    const fn of(number: u8) -> Option<Self> {
        match number {
            // It would say of a registration that it is up, which is said by leaving it out.
            0 => None,
            1 => Some(Self::Degraded),
            2 => Some(Self::Down),
            3 => Some(Self::Unknown),
            later => Some(Self::Later(LaterCondition(later))),
        }
    }
}

impl Unwell {
    /// The statement about these registrations; none if there are none of them. Of two with one tag the later
    /// one counts.
    ///
    /// # Errors
    /// [`KindFull`]: there are more than a node may have registrations. None is left out in silence.
    pub fn new(
        all: impl IntoIterator<Item = (ServiceTag, Condition)>,
    ) -> Result<Option<Self>, KindFull> {
        let all: BTreeMap<_, _> = all.into_iter().collect();
        if all.len() > UNWELL_MAX {
            return Err(KindFull { name: "registrations that are not up", most: UNWELL_MAX });
        }
        Ok((!all.is_empty()).then(|| Self(all.into_iter().collect())))
    }

    /// How the registration is that has this tag; `None`: it is up.
    pub fn of(&self, tag: ServiceTag) -> Option<Condition> {
        let at = self.0.binary_search_by_key(&tag, |(tag, _)| *tag).ok()?;
        Some(self.0[at].1)
    }
}

impl SlotValue for Unwell {
    type Key = ();

    fn key(&self) {}
}

impl Canonical for Unwell {
    fn encode(&self, out: &mut Encoder) {
        out.count(self.0.len());
        for (tag, condition) in &self.0 {
            out.fixed(&tag.0).u8(condition.number());
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = input.count(UNWELL_MAX, "registrations that are not up")?;
        if count == 0 {
            return Err(DecodeError::Invalid("list of no registration that is not up"));
        }
        let mut all: Vec<(ServiceTag, Condition)> = Vec::with_capacity(count);
        for _ in 0..count {
            let tag = ServiceTag(input.array("tag of a registration")?);
            let condition = Condition::of(input.u8("condition")?);
            let condition = condition.ok_or(DecodeError::Invalid("condition"))?;
            if all.last().is_some_and(|(last, _)| *last >= tag) {
                return Err(DecodeError::Invalid("order of registrations that are not up"));
            }
            all.push((tag, condition));
        }
        Ok(Self(all.into()))
    }
}
