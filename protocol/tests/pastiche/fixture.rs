//! Nodes with fixed keys, and blobs that need no bytes.

use std::sync::Arc;
use std::time::Duration;

use crux_crdt::blob::{BlobId, Descriptor, PIECE_BYTES, Root};
use crux_crdt::sign::{Ed25519, Identity, Signed};
use crux_crdt::{Digest, Principal};
use crux_protocol::context::{Apart, Context};
use crux_protocol::time::Instant;

pub(crate) const FLOCK: Digest = Digest([7; 32]);
pub(crate) const BLOB: BlobId = BlobId([0xb; 32]);
/// The root that belongs to [`BLOB`].
pub(crate) const ROOT: Root = Root([0xa; 32]);

pub(crate) const fn mib(count: u64) -> u64 {
    count * PIECE_BYTES
}

pub(crate) const fn at(millis: u64) -> Instant {
    Instant::after_origin(Duration::from_millis(millis))
}

pub(crate) fn identity(number: u8) -> Identity {
    Identity::from_seed(&[number; 32])
}

pub(crate) fn principal(number: u8) -> Principal {
    identity(number).principal()
}

pub(crate) fn context(number: u8) -> Context {
    Context {
        operator: None,
        flock: FLOCK,
        me: principal(number),
        verifier: Arc::new(Ed25519),
        sharing: Arc::new(Apart),
    }
}

/// What a node states of [`BLOB`].
pub(crate) fn descriptor(by: u8, root: Root, size: u64) -> Signed<Descriptor> {
    Signed::sign(Descriptor { blob: BLOB, root, size }, &FLOCK, &identity(by))
}
