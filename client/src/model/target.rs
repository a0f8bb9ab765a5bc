//! Targets, as commands show them.

use crux_crdt::Digest;
use serde::Serialize;

use super::DocumentSigner;
use super::json::text;

/// A target that a node took in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WrittenTarget {
    /// How often the target was written.
    pub generation: u64,
    /// The hash of the document that was signed.
    #[serde(serialize_with = "text")]
    pub id: Digest,
}

/// A generation of a target, in its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetGeneration {
    /// Which.
    pub generation: u64,
    /// Its signer; the name is empty where the signer has none today.
    pub by: DocumentSigner,
    /// Its note; perhaps empty.
    pub note: String,
    /// Whether it is the one that has effect.
    pub current: bool,
}
