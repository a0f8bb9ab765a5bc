//! The leader: a convenience, never necessary for safety.
//!
//! **Invariant**: at quiescence exactly one member per connected component considers itself leader,
//! every member of the component names it, and its term is not below any fence there. A join or a
//! return changes nothing; a crash starts one new term; after a partition heals the greater term wins.
//!
//! A *term* (in the code, a claim) is a number in a node's profile. The leader is the member that this
//! node shows alive, that is eligible and not suspect, with the greatest (term, principal). A new term
//! begins only if no live member holds one: the r-th most senior live eligible member waits
//! r × 300 ms, then publishes one more than the greatest term ever seen. A holder that sees a greater
//! live term clears its own. A node that knows others, or has seed peers, takes no term in its first
//! two seconds, so that a flock that restarts finds its old leader. In these two seconds it does not
//! call itself the leader by the term on its disk either, unless it compared itself with a member and
//! knows of no greater term, of the living or the dead: a leader that crashed has mostly been replaced.
//!
//! **The term is the fencing token**, in the same order. Each command of a leader carries its term. A
//! receiver keeps the greatest term it saw, durably, and refuses lower ones; a term that is still being
//! written counts, unless the disk refuses it. A leader that meets a greater term anywhere (in a dead
//! member's profile, in a refusal), or an equal one of a greater principal, and does not hear its holder
//! for three seconds, takes one more than that: until then the holder may be alive and not heard yet.
//! If only another member met the greater term, because it obeyed a leader that died at once, that
//! member takes the next term, after twice the time and in its turn. A leader commands nothing once it
//! heard, for three seconds, neither any of its live observers nor any member it observes. A node
//! without any leads itself.
//!
//! **A fence is forgotten** when its holder departed (others retired it, or it left), no connection to
//! it is open, and for five seconds no record undid the departure. A live holder that others lie about
//! undoes a departure at once, so such a lie takes nothing from it. Nothing else lowers an accepted
//! fence, and the lowered one is durable, too. So the remedy against a fence that no leader exceeds is
//! to stop its holder and to `forget` it; `doctor` says so.
//!
//! **Numbers must not run out.** They end below 2^48, and any member may sign any of them. So a fenced
//! command carries its sender's signed header and profile, and counts only for the term in it. And each
//! node has a *reach*, which follows the greatest term in the record of any shown member by at most
//! [`CLAIM_STEP`] (2^20) a second. A term that is more than one step above the reach
//!
//! * leads while its holder lives, as any term does: the leader remains a function of the records and of
//!   the live members, or two nodes would name two leaders;
//! * is not obeyed, and no honest node takes a term above it. When its holder dies, the next leader
//!   takes one more than the greatest term that counts, and is obeyed, without any operator.
//!
//! Records merge whatever term they have: a merge that depended on earlier events would not converge. So
//! time limits the steps instead, for all members together: neither more records, nor commands, nor
//! refusals, nor more keys make the reach rise faster. A liar needs 2^28 seconds, eight and a half years
//! in which every node shows its term, and the operator ends that by forgetting it. An honest flock has
//! fewer elections than 2^20 in a second. A newcomer, whose reach begins at zero, obeys the leader of
//! an old flock after as many seconds as its term has steps. A node trusts its own disk with any number
//! below half of the end: builds before call protocol 2 accepted any term, and a node clears its own
//! above that.
//!
//! Leaders chosen by smallest id or by a hash of the live set change on each join; an oldest-member
//! leader changes back on its return. A term that is held until it is exceeded does neither.

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
