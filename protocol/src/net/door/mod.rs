//! The door: how long a connection may take until it is encrypted, and how far it is.
//!
//! libp2p puts a connection together out of layers (TCP, negotiation, Noise, negotiation, Yamux),
//! each of which would wait for ever, and tells of a connection that was closed in the middle as of
//! one that speaks another protocol. So two things wrap those layers:
//!
//! ```text
//!   Door       time: a first byte within a second, all within three; made room for: closed
//!     │ Noise, Yamux
//!   Watched    the bytes: the fixed first line, an early end, steps of the handshake
//!     │ TCP
//! ```
//!
//! When the gate closed a connection to make room for another one, the door rests for [`CROWDED_REST`] before it takes in the
//! next one: those that come again at once do not turn over the pending ones faster than a handshake takes.
//!
//! Both share a [`Handshake`], which also tells the gate how a pending connection is getting on.
//!
//! **Invariants.** Every connection is encrypted or closed after [`HANDSHAKE_TIMEOUT`], whatever the
//! peer sends. A handshake advances only when this node answered a whole message, four times at
//! most, so that a peer that sends byte by byte does not look busy. Once it is done nothing here
//! looks at the connection again.
//!
//! [`HANDSHAKE_TIMEOUT`]: super::limits::HANDSHAKE_TIMEOUT
//! [`CROWDED_REST`]: super::limits::CROWDED_REST

mod handshake;
mod knock;
mod watched;

pub(super) use handshake::{Broken, Handshake};
pub(super) use knock::{Door, Doorstep};
pub(super) use watched::Watched;

#[cfg(test)]
use handshake::STEPS_MAX;

#[cfg(test)]
mod door_test;
