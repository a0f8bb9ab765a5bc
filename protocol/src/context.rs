//! What every engine is handed: which flock, who it is, how signatures are checked, what is shared.

use core::fmt;
use std::sync::Arc;

use crux_crdt::fact::Fact;
use crux_crdt::sign::{Terms, Verifier};
use crux_crdt::{Digest, Principal};

/// Where what was decoded is kept. A node has it to itself: [`Apart`]. The simulator has thousands of
/// nodes in one process, and hands in one that gives equal values to all of them.
pub trait Sharing: Send + Sync {
    /// A fact that is equal to this one.
    fn fact(&self, fact: Fact) -> Fact {
        fact
    }
}

/// Nothing is shared.
#[derive(Debug, Clone, Copy, Default)]
pub struct Apart;

impl Sharing for Apart {}

/// Fixed facts of one node. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// `flock_id`.
    pub flock: Digest,
    /// The operator's public key, if the flock has an operator.
    pub operator: Option<Principal>,
    /// This node.
    pub me: Principal,
    /// Checks signatures.
    pub verifier: Arc<dyn Verifier>,
    /// Shares what is decoded with other nodes of this process.
    pub sharing: Arc<dyn Sharing>,
}

impl Context {
    /// What decides whether a signed fact holds.
    pub fn terms(&self) -> Terms<'_> {
        Terms { flock: self.flock, operator: self.operator, verifier: &*self.verifier }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("flock", &self.flock).field("me", &self.me).finish()
    }
}
