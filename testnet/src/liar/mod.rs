//! A member that lies: the project's own engine, changed in one thing.
//!
//! ```text
//!   crux_protocol::net ◀──────▶ Filter ◀──────▶ flock::State      a member
//!                               changes or adds
//!                               one kind of message
//!   sockets alone, or crux_protocol::net without an engine        a stranger
//! ```
//!
//! A member has the secret: it joins, beats, syncs and obeys as every node does, because the engine
//! is the real one and so is the network below it. Between the two stands one `Filter`, which hears
//! what comes in, sees what goes out, and may put in messages of its own. What it does not touch is
//! honest. Its disk is memory: a liar has nothing to lose.
//!
//! A stranger has no secret: `stranger` opens connections, or knows the flock id and nothing else.
//!
//! # Invariant
//!
//! A lie needs nothing that the product would not give a real attacker who builds it from source: no
//! feature, no hook, no test mode.

pub mod entry;
mod filter;
mod lie;
mod member;
mod process;
mod stranger;
mod tell;

pub use entry::LIAR_VERB;
pub use lie::Lie;
pub use process::{LiarProcess, LiarSpec};
