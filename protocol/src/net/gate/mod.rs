//! The gate: members get the real handlers, anyone else gets none.
//!
//! libp2p fixes the handlers of a connection when it is established, and the behaviours behind the
//! gate take whoever they are shown for a peer of theirs (gossipsub sends it its subscriptions at
//! once). So the gate decides at establishment, remembers its decision per connection, and shows
//! the inner behaviour a world in which the other connections do not exist:
//!
//! ```text
//!                    swarm
//!      established, closed, address changed          notify, dial
//!                      │                                  ▲
//!                      ▼                                  │
//!   Gated   is the gate open on it? no ─▶ ∎               │
//!                      │ yes                              │
//!                      ▼                                  │
//!           counts of other connections        Any ─▶ one with an open gate
//!           rewritten to open ones             none ─▶ ∎
//!                      │                       dial ─▶ a member, if wanted now
//!                      ▼                                  │
//!                    inner ───────────────────────────────┘
//! ```
//!
//! Before that a connection waits in the [lobby], and it may be closed again so that others find room:
//! pending ones there, those of strangers in the [table]; and there, beyond a bound that an honest flock
//! does not reach, those of members.
//!
//! Invariants. A handler of the inner behaviour exists exactly on the connections that the inner
//! behaviour was shown. What a decision was does not depend on what [`Gated::admit`] is told later.

mod behaviour;
mod gated;
mod group;
mod lobby;
mod table;

pub(super) use gated::Gated;
pub(super) use group::Group;
pub(super) use table::Refusal;

#[cfg(test)]
mod gate_test;
