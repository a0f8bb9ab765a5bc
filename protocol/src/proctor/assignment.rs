use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::name::Label;
use crux_crdt::record::{Amount, Plan, PlanKey, Record};

use super::goals::Order;

/// The part of a plan that is for one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Its place among all of them.
    pub order: Order,
    /// The entries of the node; perhaps none.
    pub entries: BTreeMap<PlanKey, Amount>,
}

impl Assignment {
    /// The part of a plan for a node; none: it is the plan of another horde.
    pub fn of(plan: &Plan<'_>, horde: &Label, node: &Principal) -> Option<Self> {
        let head = plan.head();
        let entry = |it: crux_crdt::record::PlanEntry<'_>| {
            let (service, spec, first) = (it.service.clone(), it.spec, it.first);
            (PlanKey { service, spec, first }, it.amount)
        };
        let entries = plan.entries_of(node).map(entry).collect();
        let order = Order { target: head.target, pass: plan.pass() };
        (head.horde == *horde).then_some(Self { order, entries })
    }

    /// The parts for a node in the plans of all these records that are whole, of this horde. A mixed plan counts for
    /// nothing.
    pub fn all<'a>(
        records: impl IntoIterator<Item = &'a Record>,
        horde: &Label,
        node: &Principal,
    ) -> Vec<Self> {
        let plans = records.into_iter().filter_map(|record| Plan::of(record).ok().flatten());
        plans.filter_map(|plan| Self::of(&plan, horde, node)).collect()
    }
}
