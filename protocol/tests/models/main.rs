//! Models: all that can happen to a few engines within stated bounds, not a sample of it.
//!
//! **Leading.** The real [`crux_protocol::leader::State`], three of them, and around each what `flock`
//! does: a view of who is alive, records, one write at a time. Any node may crash before or after a
//! write lands, be cut off, come back, or doubt a member that lives; records and commands come in any
//! order and as late as they like. Time is not modelled but for the order of things: a deadline may
//! come as soon as it is set, so that clocks of any pace are among what is tried. The one exception
//! is a node that came back, whose deadline waits until it heard those who are there.
//!
//! # Bounds
//!
//! Three nodes. Steps and states have no bound: each search ends because nothing new can happen. What
//! is bounded is what may go wrong on the way, and the greatest claim that is followed (two nodes that
//! take each other for dead and hear each other's claims outdo each other until one of them hears that
//! the other lives; what comes after a greater claim is not looked at):
//!
//! | begins | what may go wrong, at any moment | claims up to |
//! |---|---|---|
//! | all start at once | nothing | 1 |
//! | led, at rest | two crashes | 3 |
//! | led, at rest | a crash, and commands take their time to the disk | 3 |
//! | led, at rest | a cut of one from two | 2 |
//! | led, at rest | a crash and a cut | 3 |
//! | led, at rest | one wrong verdict, suspect or dead | 2 |
//! | one crashed, the others at rest | another crash, and a return | 3 |
//! | one crashed, the others at rest | it is retired | 3 |
//! | the leader crashed, the others know | a return | 2 |
//! | one was cut off, both sides at rest | the heal | 2 |
//!
//! After a return nothing more goes wrong until the world is at rest. So not looked at: more than two
//! faults, a crash and a cut and then a return, two wrong verdicts, and a wrong verdict beside another
//! fault; the simulator draws samples of those. Not modelled: a disk that is lost, and draining.
//!
//! `cargo test --workspace --test models -- --nocapture` says how many states there were.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its values has failed")]
#![expect(clippy::print_stdout, reason = "how many states there were is worth reading")]

mod laws;
mod leading;
mod node;
mod rules;
mod step;
mod world;
