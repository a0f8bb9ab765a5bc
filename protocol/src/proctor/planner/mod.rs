//! The decisions of a leader: which instances run where, in which version, and which may start.
//!
//! ```text
//!   replica: records, document ─▶ View, Newest ─┐            ┌─▶ Plan        slots of the leader's record
//!   leader engine ─────────────── Led ──────────┼─▶ State ───┼─▶ Read        the generation before
//!   clock ─────────────────────── Wake ─────────┘     │      └─▶ Outbid, Tell
//!                                                     ▼
//!                                                 pass: pure, also for the command that shows a plan
//! ```
//!
//! | part | decides |
//! |---|---|
//! | [`pass()`] | everything that follows from what a leader sees, and from its times |
//! | [`Deaths`] | which nodes are lost, and when a side of a partition replaces nothing |
//! | [`Rollout`] | which nodes run the new version of a service, and when it failed |
//! | [`stays`] | which instances of nodes that are being drained may end, because their replacements are ready |
//! | [`View::of`] | what of the flock is in its view |
//! | [`preview()`] | for people: what a target would change |
//! | [`follow()`] | for people: how far a target is |
//! | [`explain()`] | for people: why a service runs on a node, or does not |
//! | [`State`] | when to plan, under which number, and when to say nothing |
//!
//! Times are by the leader's own clock. A new leader begins them again: so it is later than the one before, never
//! earlier.
//!
//! **Invariants**
//!
//! 1. *Present* is the greater of what runs and what the newest plan assigns; so nothing is started twice.
//! 2. A new leader continues the newest plan that it sees. It says that plan under its own number once, also where nothing
//!    changes, so that nodes obey its predecessor no more.
//! 3. Where a pass says what the plan in force says, nothing is said. A pass is made at most once in [`LOOK`], and something
//!    is said at most once in [`REST`]; one plan is written at a time.
//! 4. It plans no document that it does not have, and none that it cannot read: then what runs, runs on.
//! 5. Under a plan of a greater fence it plans nothing, because no node would obey: it asks for a greater term.

mod before;
mod command;
mod deaths;
mod drain;
mod event;
mod explain;
mod fingerprint;
mod follow;
mod horde;
mod newest;
mod notes;
mod pass;
mod preview;
mod program;
mod rollout;
mod service;
mod sight;
mod state;
mod step;
mod steps;
mod there;
mod timers;
mod view;

pub use command::{Command, Tell, Trouble};
pub use deaths::{Deaths, is_minority};
pub use drain::{Leaving, stays};
pub use event::Event;
pub use explain::{Explained, ExplainedNode, explain};
pub use follow::{Followed, FollowedService, FollowedVersion, Standing, follow};
pub use newest::Newest;
pub use notes::word as problem_word;
pub use pass::{Input, Pass, pass};
pub use preview::{Preview, preview};
pub use program::{Program, ProgramError, Version};
pub use rollout::{Memory, Place, Places, Rollout, Turn};
pub use sight::Member;
pub use state::State;
pub use step::{Action, Step};
pub use timers::Timers;
pub use view::{Node, View};

use core::time::Duration;

/// The least time between two plans. From the design, page 06.
pub const REST: Duration = Duration::from_secs(1);
/// The least time between two passes. Guess: a pass over 3,000 nodes takes a third of it.
pub const LOOK: Duration = Duration::from_millis(100);
/// How long it waits after a plan was not durable, or a fetch failed. As the author waits for its disk.
pub const RETRY: Duration = Duration::from_secs(5);
