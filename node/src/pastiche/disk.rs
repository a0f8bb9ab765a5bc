//! What the engine asks of the store, and what it is told.

use std::io::ErrorKind;

use crux_crdt::blob::{BlobId, PieceSet, Root};
use crux_protocol::pastiche::{Event, ReadId, SealFailure, StoreFailure, TryFailure, WriteFailure};

use crate::blobs::{BlobError, Blobs};

pub(super) async fn begin(blobs: Blobs, blob: BlobId, root: Root, size: u64) -> Event {
    let begun = blobs.begin(blob, root, size).await;
    Event::Begun { blob, root, size, result: begun.map_err(failure) }
}

pub(super) async fn write(
    blobs: Blobs,
    blob: BlobId,
    (root, size): (Root, u64),
    index: u32,
    body: Vec<u8>,
) -> Event {
    let result = match blobs.write_piece(blob, (root, size), index, body.into()).await {
        Ok(_) => Ok(()),
        Err(BlobError::WrongPiece { .. }) => Err(WriteFailure::Damaged),
        Err(error) => Err(WriteFailure::Store(failure(error))),
    };
    Event::Written { blob, root, index, result }
}

pub(super) async fn seal(blobs: Blobs, blob: BlobId, root: Root, size: u64) -> Event {
    let result = match blobs.seal(blob, (root, size)).await {
        Ok(_) => Ok(()),
        Err(BlobError::Mismatch { .. }) => Err(SealFailure::Mismatch),
        Err(BlobError::Damaged { .. } | BlobError::Unsealed(_)) => {
            let have = blobs.have(&blob).filter(|have| (have.root, have.size) == (root, size));
            let pieces = have.map_or_else(|| PieceSet::none(size), |have| have.pieces);
            Err(SealFailure::Damaged(missing(&pieces)))
        }
        Err(error) => Err(SealFailure::Store(failure(error))),
    };
    Event::Sealed { blob, result }
}

/// All of a small blob; of one that is gone by now, that nothing is held.
pub(super) async fn look_whole(blobs: Blobs, read: ReadId, blob: BlobId) -> Event {
    match blobs.read_whole(blob).await {
        Ok(bytes) => Event::LookedWhole { read, body: bytes.into() },
        Err(error) => {
            tracing::debug!(%blob, %error, "not served");
            Event::Looked { read, found: None }
        }
    }
}

pub(super) async fn take(blobs: Blobs, blob: BlobId, body: Vec<u8>) -> Event {
    let result = match blobs.take(blob, body.into()).await {
        Ok(_) => Ok(()),
        Err(BlobError::Mismatch { .. }) => Err(SealFailure::Mismatch),
        Err(error) => Err(SealFailure::Store(failure(error))),
    };
    Event::Sealed { blob, result }
}

/// All of a tree of one piece.
pub(super) async fn try_piece(
    blobs: Blobs,
    blob: BlobId,
    (root, size): (Root, u64),
    body: Vec<u8>,
) -> Event {
    let result = match blobs.try_piece(blob, (root, size), body.into()).await {
        Ok(()) => Ok(()),
        Err(BlobError::WrongPiece { .. }) => Err(TryFailure::Damaged),
        Err(BlobError::Mismatch { .. }) => Err(TryFailure::Mismatch),
        Err(error) => Err(TryFailure::Store(failure(error))),
    };
    Event::Tried { blob, root, size, result }
}

pub(super) async fn read(
    blobs: Blobs,
    read: ReadId,
    blob: BlobId,
    root: Root,
    index: u32,
) -> Event {
    let bytes = blobs.read_piece(blob, root, index).await;
    let bytes = bytes.inspect_err(|error| tracing::debug!(%blob, index, %error, "not served"));
    Event::Read { read, bytes: bytes.ok().map(Vec::from) }
}

fn missing(pieces: &PieceSet) -> Vec<u32> {
    pieces.missing().collect()
}

fn failure(error: BlobError) -> StoreFailure {
    match error {
        BlobError::Quota { .. } => StoreFailure::Quota,
        BlobError::DiskFull { .. }
        | BlobError::NoFiles { .. }
        | BlobError::Io { kind: ErrorKind::StorageFull | ErrorKind::QuotaExceeded, .. } => {
            StoreFailure::DiskFull
        }
        other => StoreFailure::Other(other.to_string()),
    }
}
