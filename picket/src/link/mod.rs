//! The messages between the picket and the fulcrum, its child.
//!
//! ```text
//!   picket  Link<FromFulcrum, FromPicket>  ◀── one socket pair ──▶  Link<FromPicket, FromFulcrum>  fulcrum
//!                                               (its stdin)
//!   Hello ──▶                    ◀── Hello                      versions are compared, both ways
//!                                ◀── Ready                      it serves
//!   Register, Withdraw, Image ──▶ ◀── Done, ImageReady, …       one answer for each number
//!   Health, Pins, Owned ──▶                                     whole lists; the last one holds
//!   Done ──▶                     ◀── Goals                      one answer for each number
//!   Reload, Stop ──▶                                            what signals mean to a node alone
//!                                ◀── Ends                       why it ends by itself; the last message
//! ```
//!
//! Possession authorises: the pair is made by the picket, and nobody else has an end of it. Both ends are the
//! same program, so the version protects against an upgrade half done, and not against old releases.
//!
//! A frame is the length of its body in four bytes, the highest first, and the body: one message as JSON.
//!
//! **Invariants**
//!
//! * A body has at most [`FRAME_BYTES_MAX`]; a longer one ends the link before anything of it is read.
//! * The queue of messages to be written has at most [`QUEUE_BYTES_MAX`]. Beyond that [`Link::send`]
//!   refuses: a peer that is stopped costs that much and delays nobody.
//! * Reading and writing may be dropped at any await and lose nothing.
//! * The link says nothing about registrations when it closes. They belong to the node's record, and are
//!   withdrawn when the picket says so.
//!
//! **Out of scope.** It repeats nothing: a request whose answer was lost with a fulcrum is made again to
//! the next one, by those who made it.

mod hello;
mod message;
mod stream;

pub use hello::{Hello, VERSION, last_words, receive};
pub use message::{Failure, FromFulcrum, FromPicket, Ready, Stated};
pub use stream::{Link, LinkError};

/// The longest body of a frame, in bytes. The greatest messages are the hello of the picket with a file of settings, which
/// has at most 256 KiB and twice that as JSON; a set of goals, whose configs come from a target of at most 64 KiB and
/// have every default as JSON: four times that, or more where texts need escapes; and a report, of at most two thousand
/// rows with 200 bytes each. A longer one is not sent, and its caller is told.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

/// How many bytes wait to be written at most: the greatest message, and several thousand usual ones.
pub const QUEUE_BYTES_MAX: usize = 4 << 20;
