//! What a node sees: the immutable snapshot the fulcrum publishes, and the questions asked of it.
//!
//! The fulcrum replaces the snapshot as a whole (`Arc<View>` through a `watch` channel), so a reader
//! never waits for the fulcrum and never sees half a change. Every question is a pure function of
//! the snapshot, and answers with the types of [`crux_client::model`].

mod delta;
mod resolve;
mod snapshot;
#[cfg(test)]
pub(crate) mod testing;

pub use delta::Delta;
pub use snapshot::View;
