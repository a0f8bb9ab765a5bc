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
//! written counts, until the disk refuses it. A leader that meets a greater claim anywhere (a dead member's profile, a refusal),
//! though it be an equal number of a greater principal, and does not hear its holder for three seconds
//! claims one more than that: until then that one may be alive and not heard yet. Where only another
//! member met it, having obeyed one who died at once, that one does, twice as long later, in its turn.
//! A leader commands nothing
//! while it heard for three seconds neither any of its live observers nor any of those it observes; a
//! node without any leads itself.
//!
//! **A fence is forgotten** when its holder is gone: it departed (others retired it, or it left), no
//! link to it is open, and for five seconds no record undid the departure. A live holder that others
//! lie about undoes that at once, so a lie about it robs it of nothing. This is the one way in which an
//! accepted fence decreases, and it is durable like the fence itself. So the remedy against a fence that
//! no leader exceeds is to stop its holder and to `forget` it; `doctor` says so.
//!
//! **Numbers must not run out.** They end below 2^48, and any member may sign any of them. A fenced
//! command carries its sender's signed header and profile and counts only for the claim in it. And each
//! node has a *reach*, which follows the greatest claim in the record of any member that is shown, by at
//! most [`CLAIM_STEP`] (2^20) in a second. A claim that is more than one step above the reach
//!
//! * leads while its holder lives, as any claim does: who leads remains a function of the records and of
//!   who lives, or two nodes would name two leaders;
//! * is not obeyed, and no honest node claims above it. When its holder dies, the next leader claims one
//!   more than the greatest that counts, and is obeyed, without a word of the operator.
//!
//! Records merge whatever they claim: a merge that depended on what came before would not converge. So
//! the chain of steps is limited by time instead, and one for all: neither more records, nor commands,
//! nor refusals, nor more keys make the reach rise faster. A liar needs 2^28 seconds, which are eight and
//! a half years in which its claim is shown, and the operator ends that by forgetting it. An honest flock
//! has fewer elections than 2^20 in a second. A newcomer, whose reach begins at zero, obeys the leader of
//! an old flock after as many seconds as its number has steps. A disk is trusted with any number below
//! half of the end: builds before call protocol 2 accepted any, and what such a build claimed itself
//! above that is cleared.
//!
//! Leaders by smallest id or by a hash of the live set flap on join; an oldest-member leader flaps
//! back on return. The standing claim does neither.

mod config;
mod fenced;
mod message;
mod reach;
mod state;

pub use config::Config;
pub use fenced::Fenced;
pub use message::{Pinged, Request, Response};
pub use reach::{CLAIM_LIMIT, CLAIM_STEP};
pub use state::{Candidate, Claim, Refused, State};
