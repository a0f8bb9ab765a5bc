//! Whether a condition holds in the world as it is.

mod clients;
mod condition;
mod health;
mod papers;
mod targets;

pub(super) use clients::Clients;
pub(super) use condition::{Looked, leader_now};
pub(super) use health::Health;
pub(super) use papers::Told;
