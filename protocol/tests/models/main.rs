//! Models: all that can happen to a few engines within stated bounds, not a sample of it.
//!
//! **Leading.** The real [`crux_protocol::leader::State`], three of them, and around each what `flock`
//! does: a view of who is alive, records, one write at a time. Any node may crash before or after a
//! write lands, be cut off, come back, or doubt a member that lives; records and commands come in any
//! order and as late as they like. Time is not modelled but for the order of things: a deadline may
//! come as soon as it is set, so that clocks of any pace are among what is tried. The one exception
//! is a node that came back, whose deadline waits until it heard those who are there.
//!
//! Bounds: the number of faults, where the world begins, and the greatest claim that is followed
//! (two nodes that take each other for dead and hear each other's claims outdo each other until one
//! of them hears that the other lives). Not modelled: a disk that is lost, and draining.
//!
//! `cargo test -p crux-protocol --test models -- --nocapture` says how many states there were.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its values has failed")]
#![expect(clippy::print_stdout, reason = "how many states there were is worth reading")]

mod laws;
mod leading;
mod node;
mod rules;
mod step;
mod world;
