//! The plan of a horde's leader: which versions of which services run on which nodes, as slots of its record.
//!
//! ```text
//!   head   horde, term, pass, target, view, failed versions, holds, problems,  k, root ──┐
//!   part 0 … 2^k − 1     the entries of the nodes whose hash begins with these k bits  ◀─┘ hash of the ids of all parts
//! ```
//!
//! **One change, one slot.** The entries of a node are in the part that the first k bits of the node's hash name, k
//! the least with which every part fits a slot. So a step on one node changes one part and the head. Parts without an
//! entry are left out.
//!
//! **One header, one plan.** Head and parts are slots of one kind, stated as one set, so that one header makes a pass
//! visible at once. A leader that is at fault may still sign parts of one pass under the head of another. Therefore
//! the head names its parts by the hash of their ids, and [`Plan::of`] refuses a mix. (With the pass in each part the
//! mix would show, too; but then each pass would change every part, and every member would fetch all of them.)
//!
//! **Order.** The head does not name the leader: that is the author of the record, so nobody plans under the term of
//! somebody else. Plans are ordered by (term, leader, pass), and so are those entries between which a node or a leader
//! has to choose: of too many instances those stay that were assigned first.
//!
//! **Versions** are named by service and tag. A node looks the tag up among configs that users signed, and starts
//! nothing else; a plan is an order of what to start when, never a permission.
//!
//! **Failed versions** are in the head, because they outlive the leader: a record remains when its author dies. They
//! hold for the target that the head names, so the next generation begins without them.
//!
//! **Bounds.** 64 parts of 8 KiB hold the plan of 3,000 nodes with four entries each. A plan that does not fit is
//! [`PlanTooLarge`]; nothing is left out but holds and problems, which people read: of them the first 16 are there, and
//! the number of the others.

mod amount;
mod draft;
mod error;
mod failure;
mod head;
mod note;
mod part;
mod pass;

use crate::Principal;
use crate::hash::sha3;

pub use amount::Amount;
pub use draft::{PlanEntries, PlanKey, mixed_plan};
pub use error::{PlanError, PlanTooLarge};
pub use failure::{Failure, LaterFailure};
pub use head::{FAILED_MAX, PlanHead};
pub use note::{
    Hold, LaterProblem, NOTE_TEXT_BYTES_MAX, NOTES_MAX, Notes, PlanText, Problem, ProblemKind,
};
pub use part::{PlanEntry, PlanPart};
pub use pass::{First, PASS_LIMIT, Pass};
pub(super) use pass::{decode_fences, decode_number, encode_fences};

use super::{PlanSlot, Record, SlotKind as _};
use crate::Digest;

/// The most bits of a node's hash that name its part: 64 parts.
pub const PLAN_BITS_MAX: u8 = 6;

/// A plan as a record has it.
///
/// **Invariant**: its parts are those that its head names, so all of it is of one pass.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    leader: Principal,
    head: &'a PlanHead,
    /// By index.
    parts: Vec<&'a PlanPart>,
}

impl<'a> Plan<'a> {
    /// The plan of the author of a record; none: there is none.
    ///
    /// # Errors
    /// [`PlanError::Mixed`]: the author is at fault, and nothing of it counts.
    pub fn of(record: &'a Record) -> Result<Option<Self>, PlanError> {
        let (mut head, mut parts) = (None, Vec::new());
        for (id, slot) in record.slots() {
            match PlanSlot::of(slot) {
                Some(PlanSlot::Head(it)) => head = Some(it),
                Some(PlanSlot::Part(it)) => parts.push((it, id)),
                None => {}
            }
        }
        let Some(head) = head else { return Ok(None) };
        parts.sort_by_key(|(part, _)| part.index());
        let ids = parts.iter().map(|(_, id)| *id);
        let is_whole =
            root(ids) == head.root() && parts.iter().all(|(it, _)| it.bits() == head.bits());
        let parts = parts.iter().map(|(part, _)| *part).collect();
        let plan = Self { leader: record.author(), head, parts };
        if is_whole || crate::planted!(MixedPlan) { Ok(Some(plan)) } else { Err(PlanError::Mixed) }
    }

    /// Its place among all plans.
    pub const fn pass(&self) -> Pass {
        Pass { term: self.head.term, leader: self.leader, pass: self.head.pass }
    }

    /// Everything but the entries.
    pub const fn head(&self) -> &'a PlanHead {
        self.head
    }

    /// The entries of a node, in order.
    pub fn entries_of(&self, node: &Principal) -> impl Iterator<Item = PlanEntry<'a>> + use<'a> {
        let index = index_of(node, self.head.bits());
        let part = self.parts.binary_search_by_key(&index, |part| part.index());
        let part = part.ok().map(|at| self.parts[at]);
        let node = *node;
        part.into_iter().flat_map(move |part| part.entries_of(&node))
    }

    /// All entries, part by part.
    pub fn entries(&self) -> impl Iterator<Item = (Principal, PlanEntry<'a>)> {
        self.parts.iter().flat_map(|part| part.entries())
    }
}

/// The part that has the entries of a node, of 2^`bits` parts.
fn index_of(node: &Principal, bits: u8) -> u8 {
    let [first, ..] = sha3("crux/plan-node/1", &[&node.0]).0;
    first.checked_shr(u32::from(8_u8.saturating_sub(bits))).unwrap_or(0)
}

/// The hash of the ids of a plan's parts, which are in the order of their indexes.
fn root<'a>(ids: impl Iterator<Item = &'a Digest>) -> Digest {
    let ids: Vec<&[u8]> = ids.map(|id| id.0.as_slice()).collect();
    sha3("crux/plan/1", &ids)
}
