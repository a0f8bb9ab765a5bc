//! What happens to a flock, as data.

mod op;
mod plot;
mod scripts;

pub(super) use op::Op;
pub(super) use plot::Plot;
pub use scripts::{SCENARIOS, Scenario};
