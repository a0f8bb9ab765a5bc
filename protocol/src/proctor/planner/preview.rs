//! What a target would change, without changing it.
//!
//! The same pass as a leader's, on the view and the times of the node that is asked. Nothing is said, and nothing is
//! remembered. **Invariant**: equal inputs, equal previews; and of a target that is as it should be, no step.
//!
//! A leader takes a roll-out step by step. A preview shows every place that gets another version, because a person wants
//! to know where it ends.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::Digest;
use crux_crdt::canon::{Canonical as _, Encoder};
use crux_crdt::document::{Marker, Target};
use crux_crdt::hash::sha3;
use crux_crdt::name::ServiceName;
use crux_crdt::record::Problem;
use crux_khan::world::WorldError;

use super::pass::Drafting;
use super::{Input, Step, Timers};
use crate::time::Instant;

/// The changes that a target would make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The difference to what is present: by service, then services that the target does not place.
    pub steps: Vec<Step>,
    /// Services that are not placed as the program says.
    pub problems: Vec<Problem>,
    /// Whether it is proved that no better placement exists.
    pub is_exact: bool,
    /// The services of which no step changes anything, by name.
    pub unchanged: Vec<ServiceName>,
    /// How many instances the program wants of each service in all; those without a solution are not in it.
    pub wanted: BTreeMap<ServiceName, u32>,
}

/// Plans without effect. Of the times only those of dead nodes count: see [`Timers::of_dead`].
///
/// # Errors
/// [`WorldError`]: the horde is more than the solver takes.
pub fn preview(input: Input<'_>, mut timers: Timers, now: Instant) -> Result<Preview, WorldError> {
    let drafting = Drafting::new(input, &mut timers, now)?;
    let pass = drafting.draft(&mut timers, true);
    let changed: BTreeSet<&ServiceName> = pass.steps.iter().map(|step| &step.service).collect();
    let placed = || drafting.horde.services().map(|(name, _)| name);
    let unchanged = placed().filter(|name| !changed.contains(name)).cloned().collect();
    let wanted = |name: &ServiceName| {
        let pick = input.program.checked.pick_of(name.as_str())?;
        let placement = drafting.solution.of(pick);
        placement.rules.as_ref().and(placement.count).map(|count| (name.clone(), count))
    };
    let wanted = placed().filter_map(wanted).collect();
    let (steps, problems) = (pass.steps, pass.problems);
    Ok(Preview { steps, problems, is_exact: pass.is_exact, unchanged, wanted })
}

impl Preview {
    /// The id of the plan: 16 bytes of a hash of program and services, 8 of the document that they replace, 8 of the
    /// steps. The note, the history and the reasons of steps count for nothing: they change while nothing else does.
    pub fn id(&self, target: &Target, base: Option<Marker>) -> Digest {
        let mut says = Encoder::default();
        says.str(target.program()).count(target.services().len());
        target.services().values().for_each(|config| config.encode(&mut says));
        let base = base.map(|base| base.to_canonical()).unwrap_or_default();
        let mut steps = Encoder::default();
        steps.count(self.steps.len());
        for Step { action, service, node, count, from, to, why: _ } in &self.steps {
            let [from, to] = [from, to].map(|it| it.as_deref().unwrap_or_default());
            steps.str(action.word()).str(service.as_str()).str(node).u32(*count).str(from).str(to);
        }
        let hash = |domain, bytes: &[u8]| sha3(domain, &[bytes]).0;
        let parts = [
            (hash("crux/plan-target/1", &says.finish()), 16),
            (hash("crux/plan-base/1", &base), 8),
            (hash("crux/plan-steps/1", &steps.finish()), 8),
        ];
        let mut id = [0; 32];
        let bytes = parts.iter().flat_map(|(hash, count)| &hash[..*count]);
        id.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Digest(id)
    }
}
