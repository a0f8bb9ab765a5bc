use std::collections::BTreeMap;

use crux_crdt::Digest;
use crux_crdt::document::Marker;
use crux_crdt::name::Label;
use crux_crdt::record::{
    Failure, Hold, Notes, Pass, Plan, PlanEntries, PlanHead, PlanKey, PlanTooLarge, Problem,
    Record, SlotSet,
};
use crux_crdt::service::SpecTag;

use crate::proctor::Reach;

/// The greatest plan of a horde that counts: what the next one continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// Its place among all plans.
    pub pass: Pass,
    /// The document that it plans.
    pub target: Marker,
    /// The versions of that document that failed.
    pub failed: BTreeMap<SpecTag, Failure>,
    /// Everything that it assigns.
    pub entries: PlanEntries,
    /// Services of which something waits.
    pub holds: Notes<Hold>,
    /// Services that are not placed as the program says.
    pub problems: Notes<Problem>,
}

impl Newest {
    /// A plan, if it is of this horde.
    pub fn of(plan: &Plan<'_>, horde: &Label) -> Option<Self> {
        let head = plan.head();
        let mut entries = PlanEntries::new();
        for (node, it) in plan.entries() {
            let key = PlanKey { service: it.service.clone(), spec: it.spec, first: it.first };
            entries.entry(node).or_default().insert(key, it.amount);
        }
        let failed = Some(&head.failed).filter(|_| !crux_crdt::planted!(FailureForgotten));
        let newest = || Self {
            pass: plan.pass(),
            target: head.target,
            failed: failed.cloned().unwrap_or_default(),
            entries,
            holds: head.holds.clone(),
            problems: head.problems.clone(),
        };
        (head.horde == *horde).then(newest)
    }

    /// The greatest of the plans in these records that count: those that are whole, of this horde, of a term within
    /// reach, and of no later document than `held`. The last rule is the one of nodes: with the marker of a document
    /// that nobody signed, a member at fault would have the horde planned no more.
    pub fn among<'a>(
        records: impl IntoIterator<Item = &'a Record>,
        horde: &Label,
        reach: Reach,
        held: Marker,
    ) -> Option<Self> {
        let plans = records.into_iter().filter_map(|record| Plan::of(record).ok().flatten());
        let counts = |plan: &Plan<'_>| {
            let head = plan.head();
            head.horde == *horde && head.target <= held && reach.covers(head.term)
        };
        let greatest = plans.filter(counts).max_by_key(Plan::pass)?;
        Self::of(&greatest, horde)
    }

    /// Whether it says the same, whatever the pass.
    pub fn says(&self, other: &Self) -> bool {
        Self { pass: other.pass, ..self.clone() } == *other
    }

    /// The slots that say it in the record of its leader. `view` is the hash of all that it was made of.
    ///
    /// # Errors
    /// [`PlanTooLarge`].
    pub fn slots(&self, horde: &Label, view: Digest) -> Result<SlotSet, PlanTooLarge> {
        let Pass { term, pass, .. } = self.pass;
        let mut head = PlanHead::new(horde.clone(), term, pass, self.target, view);
        head.failed.clone_from(&self.failed);
        head.holds.clone_from(&self.holds);
        head.problems.clone_from(&self.problems);
        head.slots(&self.entries)
    }
}
