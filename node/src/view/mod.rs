//! The view: the immutable snapshot that the fulcrum publishes, and the queries on it.
//!
//! The fulcrum replaces the snapshot as a whole (`Arc<View>` through a `watch` channel), so a reader
//! never waits for the fulcrum and never sees half a change. Every query is a pure function of
//! the snapshot, and answers with the types of [`crux_client::model`].

mod delta;
mod documents;
mod enacted;
mod resolve;
mod said;
mod snapshot;
#[cfg(test)]
pub(crate) mod testing;

pub use delta::Delta;
pub use enacted::Enacted;
pub use said::Said;
pub use snapshot::{Leads, Sight, View};

use std::sync::Arc;

use tokio::sync::watch;

/// What the node shows now, and each time it changes.
pub type Views = watch::Receiver<Arc<View>>;
