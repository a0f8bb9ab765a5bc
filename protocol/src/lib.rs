//! The flock protocols: pure state machines, and the libp2p that carries them.
//!
//! ```text
//!            flock::Event                        flock::Command
//!  link, disk, person, clock ─▶ flock::State ─▶ link, disk, person
//!                               │
//!     author   this node's own records, durable before published
//!     sync     anti-entropy: the guarantee behind gossip
//!     liveness who is alive
//!     leader   the leader's term, and the fence
//!     join     the handshake that admits
//!     dial     which peers to dial, and when
//!
//! Beside it, with events and commands of their own: [`pastiche`], the blob mover; [`unwell`], the health of this
//! node's services as others see it; [`picket`], the supervisor of services; and [`proctor`], which brings a horde to its
//! target.
//! ```
//!
//! Nothing here but [`net`] does IO, reads a clock or draws randomness of its own: time is an argument
//! and randomness comes from a seed. So the same code runs under libp2p and under a simulator.
//! [`link`] is the seam between the two. Without the feature `net` the crate is the engines alone.

pub mod agreement;
pub mod author;
pub mod context;
pub mod dial;
pub mod fact;
mod flips;
pub mod flock;
pub mod genesis;
pub mod join;
pub mod leader;
pub mod link;
pub mod liveness;
#[cfg(feature = "net")]
pub mod net;
pub mod pastiche;
pub mod picket;
pub mod proctor;
pub mod sync;
pub mod time;
pub mod unwell;
