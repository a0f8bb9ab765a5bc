use std::collections::BTreeMap;

use super::part::PlanPart;
use super::{
    Amount, FAILED_MAX, First, PASS_LIMIT, PLAN_BITS_MAX, PlanHead, PlanTooLarge, index_of, root,
};
use crate::Principal;
use crate::canon::Canonical as _;
use crate::name::ServiceName;
use crate::record::{PlanSlot, SLOT_BYTES_MAX, Slot, SlotKind as _, SlotSet};
use crate::service::SpecTag;

/// Tells the entries of one node apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanKey {
    /// The service.
    pub service: ServiceName,
    /// The version.
    pub spec: SpecTag,
    /// The pass that first assigned it to the node. Instances of one version that were assigned one after the other
    /// are entries of their own, so that those that came last go first.
    pub first: First,
}

/// The entries of a plan, by node.
pub type PlanEntries = BTreeMap<Principal, BTreeMap<PlanKey, Amount>>;

impl PlanHead {
    /// The slots of a plan with this head and these entries: its parts, as few as fit, and the head.
    ///
    /// # Errors
    /// [`PlanTooLarge`].
    pub fn slots(self, entries: &PlanEntries) -> Result<SlotSet, PlanTooLarge> {
        let valid = 1..PASS_LIMIT;
        if !valid.contains(&self.term) || !valid.contains(&self.pass) {
            return Err(PlanTooLarge::Numbers);
        }
        if self.failed.len() > FAILED_MAX {
            return Err(PlanTooLarge::Failed(self.failed.len()));
        }
        let (bits, parts) = fit(entries)?;
        let parts: Vec<_> =
            parts.into_iter().map(|part| PlanSlot::Part(part).into_slot()).collect();
        let ids: Vec<_> = parts.iter().map(Slot::id).collect();
        let head = PlanSlot::Head(self.over(bits, root(ids.iter())));
        let parts = parts.iter().filter_map(|slot| PlanSlot::of(slot).cloned());
        // There are at most 64 parts, each with an index of its own.
        SlotSet::new(parts.chain([head])).map_err(|_| PlanTooLarge::Tables)
    }
}

/// The parts of a plan, and how many bits of a node's hash name one: the fewest with which each fits a slot.
fn fit(entries: &PlanEntries) -> Result<(u8, Vec<PlanPart>), PlanTooLarge> {
    let mut failure = PlanTooLarge::Tables;
    for bits in 0..=PLAN_BITS_MAX {
        let Some(parts) = split(entries, bits) else { continue };
        let bytes = parts.iter().map(|part| 2 + part.to_canonical().len()).max().unwrap_or(0);
        if bytes <= SLOT_BYTES_MAX {
            return Ok((bits, parts));
        }
        failure = PlanTooLarge::Entries { bytes };
    }
    Err(failure)
}

/// The entries in parts; none: one of them has more than its tables can number.
fn split(entries: &PlanEntries, bits: u8) -> Option<Vec<PlanPart>> {
    let mut parts: BTreeMap<u8, Vec<_>> = BTreeMap::new();
    for (node, entries) in entries.iter().filter(|(_, entries)| !entries.is_empty()) {
        parts.entry(index_of(node, bits)).or_default().push((*node, entries));
    }
    parts.into_iter().map(|(index, nodes)| PlanPart::new(bits, index, &nodes)).collect()
}

/// The mistake `MixedPlan`, which the simulator must catch: the parts of the last plan under the head of the next. Without
/// it, and for all other sets, the next set as it is.
#[doc(hidden)]
pub fn mixed_plan(last: Option<&SlotSet>, next: SlotSet) -> SlotSet {
    let Some(last) = last.filter(|_| crate::planted!(MixedPlan)) else { return next };
    let head = next.slots().filter_map(PlanSlot::of).filter(|it| matches!(it, PlanSlot::Head(_)));
    let parts = last.slots().filter_map(PlanSlot::of).filter(|it| matches!(it, PlanSlot::Part(_)));
    let both: Vec<PlanSlot> = head.chain(parts).cloned().collect();
    if both.is_empty() { next } else { SlotSet::new(both).unwrap_or(next) }
}
