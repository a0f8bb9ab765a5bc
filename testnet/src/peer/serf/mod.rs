//! serf: gossip membership and user events, the nearest thing to ours.

mod agents;
mod msgpack;
mod rpc;

pub use agents::{Agents, Sighting};
pub use rpc::Rpc;

/// User events are named this and a number of [`DIGITS`] digits.
const EVENT_PREFIX: &str = "crux-event-";
/// Agents are named this and a number of [`DIGITS`] digits.
const AGENT_PREFIX: &str = "crux-agent-";
/// Digits in the names of events and agents; a fixed width makes them easy to find in a stream.
const DIGITS: usize = 6;
