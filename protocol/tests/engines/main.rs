//! The engines one by one: one event in, exactly these commands out.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its values has failed")]

mod author;
mod crowd;
mod dial;
mod fixture;
mod join;
mod leader;
mod liveness;
mod picket;
mod places;
mod prune;
mod reach;
mod sync;
mod unwell;
