//! The engines one by one: one event in, exactly these commands out.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its values has failed")]

mod author;
mod crowd;
mod dial;
mod documents;
mod fixture;
mod join;
mod leader;
mod liveness;
mod picket;
mod places;
mod proctor;
mod prune;
mod reach;
#[path = "../shared/signed.rs"]
#[allow(dead_code, reason = "another binary needs the rest")]
mod signed;
mod sync;
mod unwell;
