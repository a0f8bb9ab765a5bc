//! Who leads: a convenience, never necessary for safety.
//!
//! **Invariant**: at quiescence exactly one member per connected component considers itself leader,
//! every member of the component names it, and its claim is not below any fence there. A join or a
//! return changes nothing; a crash makes one new claim; a heal leaves the greater.
//!
//! A *claim* n is a field of a node's profile. The leader is the member that is alive to me, eligible
//! and not suspect, with the greatest (n, principal). Claiming: only if no live member holds a claim;
//! the r-th most senior live eligible member waits r × 300 ms, then publishes one more than the
//! greatest claim ever seen. Who holds a claim and sees a greater live one clears its own. A node
//! that knows others, or was told where to find some, claims nothing in its first two seconds, so
//! that a flock that restarts finds its old leader.
//!
//! **The claim is the fence**, in the same order. Every command that came from a leader carries it; a
//! receiver keeps the greatest it saw, durably, and refuses lower ones; one that is still being
//! written counts. A leader that meets a greater claim anywhere (a dead member's profile, a refusal),
//! though it be an equal number of a greater principal, and does not hear its holder for three seconds
//! claims one more than that: until then that one may be alive and not heard yet. Where only another
//! member met it, having obeyed one who died at once, that one does, twice as long later, in its turn.
//! A leader commands nothing
//! while it heard for three seconds neither any of its live observers nor any of those it observes; a
//! node without any leads itself.
//!
//! Leaders by smallest id or by a hash of the live set flap on join; an oldest-member leader flaps
//! back on return. The standing claim does neither.

mod config;
mod message;
mod state;

pub use config::Config;
pub use message::{Pinged, Request, Response};
pub use state::{Candidate, Claim, State};
