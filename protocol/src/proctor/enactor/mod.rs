//! Has a node run its part of the plan: what the greatest plan gives it, from configs that users signed.
//!
//! ```text
//!   replica: target document ─┐              ┌─▶ Fetch, Read    images, earlier generations
//!            plans ───────────┼─▶ State ─────┼─▶ Hand           goals, to the picket
//!   picket:  Owned ───────────┘              └─▶ Say            its list, to the node's record
//! ```
//!
//! A plan says how many instances of which version; the node looks the version up by its tag, has the image fetched,
//! and hands the picket one set. The picket writes that set before it enacts it, and starts from it when it is alone.
//! This engine keeps nothing on a disk: after a start it learns from the picket which order it enacted, and does
//! nothing before.
//!
//! **Invariants**
//!
//! 1. It hands in the part of the plan with the greatest pass among those that count, and nothing while none does: what
//!    runs, runs on.
//! 2. The order never decreases: by the target's marker first, then by the pass. Nor does it exceed the marker of the
//!    document that the node has.
//! 3. It hands in no config but one that it found by its tag in a target document that counted, or in an earlier
//!    generation which one named. The versions that the picket has came from such a one, so they need no config
//!    ([`Goal::Had`]).
//! 4. A service whose image is not here yet stays as it is.
//! 5. Where nothing changes it hands in nothing and says nothing. It says something at most once in [`REST`].
//!
//! Instances that may not start yet are not in the set: the leader releases them. Their images are fetched all the same.
//! A version of which there is no image for this machine is said to have failed, or the leader would wait for it.
//!
//! [`Goal::Had`]: crate::proctor::Goal::Had

mod choose;
mod command;
mod configs;
mod earlier;
mod event;
mod hand;
mod images;
mod parts;
mod say;
mod state;

pub use command::Command;
pub use event::Event;
pub use state::{Footprint, State};

use core::time::Duration;

/// The least time between two statements in the node's record. From the design, page 05.
pub const REST: Duration = Duration::from_secs(1);
/// How long it waits after a fetch failed, or a set or a statement was refused. As the author waits for its disk.
pub const RETRY: Duration = Duration::from_secs(5);
