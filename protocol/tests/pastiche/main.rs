//! The blob mover: exact commands of one engine, and swarms of engines in virtual time.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its values has failed")]

mod bounds;
mod codec;
mod commands;
mod fixture;
mod floor;
mod fuzz;
mod lies;
mod rivals;
mod serve;
mod store;
mod swarm;
mod tail;
mod world;
