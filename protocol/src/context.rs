//! What every engine is handed: which flock, who it is, how signatures are checked.

use core::fmt;
use std::sync::Arc;

use crux_crdt::sign::Verifier;
use crux_crdt::{Digest, Principal};

/// Fixed facts of one node. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// `flock_id`.
    pub flock: Digest,
    /// This node.
    pub me: Principal,
    /// Checks signatures.
    pub verifier: Arc<dyn Verifier>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("flock", &self.flock).field("me", &self.me).finish()
    }
}
