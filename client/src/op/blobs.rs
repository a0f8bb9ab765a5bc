//! The operations of the Blobs service. Puts and gets are streams: see
//! [`Client::put_blob`](crate::Client::put_blob) and [`Client::get_blob`](crate::Client::get_blob).

use std::path::{Path, PathBuf};
use std::time::Duration;

use crux_crdt::blob::BlobId;
use crux_proto::v1::{self, blobs_client::BlobsClient};
use tonic::transport::Channel;

use super::{
    ANSWER_BYTES_MAX, Call, Effect, Op, Wire, bare_answer, bare_request, calls_over, whole_answer,
};
use crate::error::{Error, Kind};
use crate::model::{Blob, Prefix, Scrubbed};
use crate::parse;
use crate::socket::Door;
use crate::wire::Message;
use crate::wire::field;

/// Hands the table of the Blobs service's calls to a macro: `call: Operation, effect;` for each.
/// `Put` and `Get` are not in it: they are streams.
#[macro_export]
macro_rules! blobs_calls {
    ($macro:ident! { $($first:tt)* }) => {
        $macro! { $($first)*
            list_blobs: ListBlobs, Reads;
            find_blob: FindBlob, Reads;
            held_blobs: HeldBlobs, Reads;
            remove_blob: RemoveBlob, Writes;
            blob_path: BlobPath, Reads;
            keep_blob: KeepBlob, Writes;
            register_file: RegisterFile, Works;
            add_blob_dir: AddBlobDir, Works;
            scrub: Scrub, Works;
        }
    };
}

blobs_calls!(calls_over! { BlobsClient at Control: });

/// Asks for every blob of the node, by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListBlobs;

/// Asks for the one blob whose id begins with some digits. Refused with
/// [`BlobUnknown`](Kind::BlobUnknown), and with [`InvalidArgument`](Kind::InvalidArgument) when several do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindBlob {
    /// The digits.
    pub prefix: Prefix,
    /// Look among the blobs that members offer in the registry too, and not only on the node. So it does for
    /// [`Prefix::DIGITS_SAFE`] digits or more, because members can make ids that begin with fewer.
    pub elsewhere: bool,
}

/// The most blobs in one [`HeldBlobs`]: of a target with as many services as it may have, the images for several kinds
/// of machines.
pub const HELD_BLOBS_MAX: usize = 1024;

/// Asks which of some blobs are held: whole on the node, or offered by another member that is alive for it. Answers
/// those, in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBlobs {
    /// Which; at most [`HELD_BLOBS_MAX`].
    pub ids: Vec<BlobId>,
}

/// Removes a blob from the node. Refused with [`BlobUnknown`](Kind::BlobUnknown), and with
/// [`NotConfirmed`](Kind::NotConfirmed) when it is pinned, or the image of a service, and `pinned`
/// does not say that it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoveBlob {
    /// Which.
    pub id: BlobId,
    /// Also if it is pinned.
    pub pinned: bool,
}

/// Asks where a blob lies on the node's machine. Refused with [`BlobUnknown`](Kind::BlobUnknown),
/// [`BlobUnsealed`](Kind::BlobUnsealed).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobPath {
    /// Which.
    pub id: BlobId,
}

/// Keeps a blob from eviction, or no longer. Refused with [`BlobUnknown`](Kind::BlobUnknown).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepBlob {
    /// Which.
    pub id: BlobId,
    /// For how long.
    pub keep: Keep,
}

/// How long a blob is kept from eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// For good, or no longer.
    Pinned(bool),
    /// For a time from now on.
    Reserved(Duration),
}

/// Takes a file of the node's machine as a blob where it is. Takes as long as it takes to hash.
/// Refused with [`ChangedWhileRead`](Kind::ChangedWhileRead).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterFile {
    /// The file, as an absolute path; see [`parse::path_text`].
    pub path: String,
}

/// Adds a storage directory; answers how many blobs came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddBlobDir {
    /// The directory, as an absolute path; see [`parse::path_text`].
    pub path: String,
    /// Hash every blob in it, which takes as long as it takes.
    pub scan: bool,
}

/// Looks at every byte of every blob of the node, which takes as long as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scrub;

/// A file that is a blob now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub id: BlobId,
    /// How many bytes it has.
    pub size: u64,
}

impl Op for ListBlobs {
    type Answer = Vec<Blob>;
}

impl Wire for ListBlobs {
    bare_request!(ListBlobsRequest);

    type Response = v1::ListBlobsResponse;

    fn answer_to_wire(answer: &Vec<Blob>) -> v1::ListBlobsResponse {
        v1::ListBlobsResponse { blobs: answer.iter().map(Message::to_wire).collect() }
    }

    fn answer_from_wire(wire: &v1::ListBlobsResponse) -> Result<Vec<Blob>, Error> {
        wire.blobs.iter().map(Message::from_wire).collect()
    }
}

impl Op for FindBlob {
    type Answer = BlobId;
}

impl Wire for FindBlob {
    type Request = v1::FindBlobRequest;
    type Response = v1::FindBlobResponse;

    fn to_wire(&self) -> v1::FindBlobRequest {
        v1::FindBlobRequest { prefix: self.prefix.to_string(), elsewhere: self.elsewhere }
    }

    fn from_wire(wire: &v1::FindBlobRequest) -> Result<Self, Error> {
        let prefix = Prefix::parse(&wire.prefix).map_err(|err| {
            Error::new(Kind::InvalidArgument, err.to_string())
                .augment("prefix")
                .with_hint("Give 4 to 63 of the first digits.")
        })?;
        Ok(Self { prefix, elsewhere: wire.elsewhere })
    }

    fn answer_to_wire(answer: &BlobId) -> v1::FindBlobResponse {
        v1::FindBlobResponse { id: answer.to_string() }
    }

    fn answer_from_wire(wire: &v1::FindBlobResponse) -> Result<BlobId, Error> {
        field::parse("id", &wire.id)
    }
}

impl Op for HeldBlobs {
    type Answer = Vec<BlobId>;
}

impl Wire for HeldBlobs {
    type Request = v1::HeldBlobsRequest;
    type Response = v1::HeldBlobsResponse;

    fn to_wire(&self) -> v1::HeldBlobsRequest {
        v1::HeldBlobsRequest { ids: self.ids.iter().map(BlobId::to_string).collect() }
    }

    fn from_wire(wire: &v1::HeldBlobsRequest) -> Result<Self, Error> {
        if wire.ids.len() > HELD_BLOBS_MAX {
            let message = format!("{} blobs in one request", wire.ids.len());
            return Err(Error::new(Kind::InvalidArgument, message)
                .with_hint(format!("Ask for at most {HELD_BLOBS_MAX} at once.")));
        }
        let ids = wire.ids.iter().map(|id| parse::blob(id));
        Ok(Self { ids: ids.collect::<Result<_, _>>()? })
    }

    fn answer_to_wire(answer: &Vec<BlobId>) -> v1::HeldBlobsResponse {
        v1::HeldBlobsResponse { ids: answer.iter().map(BlobId::to_string).collect() }
    }

    fn answer_from_wire(wire: &v1::HeldBlobsResponse) -> Result<Vec<BlobId>, Error> {
        wire.ids.iter().map(|id| field::parse("id", id)).collect()
    }
}

impl Op for RemoveBlob {
    type Answer = ();
}

impl Wire for RemoveBlob {
    type Request = v1::RemoveBlobRequest;

    fn to_wire(&self) -> v1::RemoveBlobRequest {
        v1::RemoveBlobRequest { id: self.id.to_string(), pinned: self.pinned }
    }

    fn from_wire(wire: &v1::RemoveBlobRequest) -> Result<Self, Error> {
        Ok(Self { id: parse::blob(&wire.id)?, pinned: wire.pinned })
    }

    bare_answer!(RemoveBlobResponse);
}

impl Op for BlobPath {
    type Answer = PathBuf;
}

impl Wire for BlobPath {
    type Request = v1::BlobPathRequest;
    type Response = v1::BlobPathResponse;

    fn to_wire(&self) -> v1::BlobPathRequest {
        v1::BlobPathRequest { id: self.id.to_string() }
    }

    fn from_wire(wire: &v1::BlobPathRequest) -> Result<Self, Error> {
        Ok(Self { id: parse::blob(&wire.id)? })
    }

    fn answer_to_wire(answer: &PathBuf) -> v1::BlobPathResponse {
        v1::BlobPathResponse { path: answer.display().to_string() }
    }

    fn answer_from_wire(wire: &v1::BlobPathResponse) -> Result<PathBuf, Error> {
        Ok(PathBuf::from(&wire.path))
    }
}

impl Op for KeepBlob {
    type Answer = ();
}

impl Wire for KeepBlob {
    type Request = v1::KeepBlobRequest;

    fn to_wire(&self) -> v1::KeepBlobRequest {
        use v1::keep_blob_request::Keep::{Pin, ReserveMs};
        let keep = match self.keep {
            Keep::Pinned(pinned) => Pin(pinned),
            Keep::Reserved(time) => ReserveMs(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        };
        v1::KeepBlobRequest { id: self.id.to_string(), keep: Some(keep) }
    }

    fn from_wire(wire: &v1::KeepBlobRequest) -> Result<Self, Error> {
        use v1::keep_blob_request::Keep::{Pin, ReserveMs};
        let id = parse::blob(&wire.id)?;
        let keep = match wire.keep {
            Some(Pin(pinned)) => Keep::Pinned(pinned),
            Some(ReserveMs(millis)) => Keep::Reserved(Duration::from_millis(millis)),
            None => return Err(Error::new(Kind::InvalidArgument, "keep: not set")),
        };
        Ok(Self { id, keep })
    }

    bare_answer!(KeepBlobResponse);
}

impl Op for RegisterFile {
    type Answer = Taken;
}

impl Wire for RegisterFile {
    type Request = v1::RegisterFileRequest;
    type Response = v1::RegisterFileResponse;

    fn to_wire(&self) -> v1::RegisterFileRequest {
        v1::RegisterFileRequest { path: self.path.clone() }
    }

    fn from_wire(wire: &v1::RegisterFileRequest) -> Result<Self, Error> {
        Ok(Self { path: absolute(&wire.path)? })
    }

    fn answer_to_wire(answer: &Taken) -> v1::RegisterFileResponse {
        v1::RegisterFileResponse { id: answer.id.to_string(), size: answer.size }
    }

    fn answer_from_wire(wire: &v1::RegisterFileResponse) -> Result<Taken, Error> {
        Ok(Taken { id: field::parse("blob", &wire.id)?, size: wire.size })
    }
}

impl Op for AddBlobDir {
    type Answer = u64;
}

impl Wire for AddBlobDir {
    type Request = v1::AddBlobDirRequest;
    type Response = v1::AddBlobDirResponse;

    fn to_wire(&self) -> v1::AddBlobDirRequest {
        v1::AddBlobDirRequest { path: self.path.clone(), scan: self.scan }
    }

    fn from_wire(wire: &v1::AddBlobDirRequest) -> Result<Self, Error> {
        Ok(Self { path: absolute(&wire.path)?, scan: wire.scan })
    }

    fn answer_to_wire(answer: &u64) -> v1::AddBlobDirResponse {
        v1::AddBlobDirResponse { blobs: *answer }
    }

    fn answer_from_wire(wire: &v1::AddBlobDirResponse) -> Result<u64, Error> {
        Ok(wire.blobs)
    }
}

impl Op for Scrub {
    type Answer = Scrubbed;
}

impl Wire for Scrub {
    bare_request!(ScrubRequest);
    whole_answer!();
}

/// A path on the node's machine: absolute, because the node has a directory of its own.
fn absolute(wire: &str) -> Result<String, Error> {
    if Path::new(wire).is_absolute() {
        return Ok(wire.to_owned());
    }
    Err(Error::new(Kind::InvalidArgument, format!("the path {wire:?} is not absolute")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> BlobId {
        parse::blob(&"ab".repeat(32)).unwrap()
    }

    #[test]
    fn requests_arrive_as_they_were() {
        for keep in
            [Keep::Pinned(true), Keep::Pinned(false), Keep::Reserved(Duration::from_secs(9))]
        {
            let op = KeepBlob { id: id(), keep };
            assert_eq!(KeepBlob::from_wire(&op.to_wire()), Ok(op));
        }
        for pinned in [false, true] {
            let op = RemoveBlob { id: id(), pinned };
            assert_eq!(RemoveBlob::from_wire(&op.to_wire()), Ok(op));
        }
        for elsewhere in [false, true] {
            let op = FindBlob { prefix: Prefix::parse("abcd").unwrap(), elsewhere };
            assert_eq!(FindBlob::from_wire(&op.to_wire()), Ok(op));
        }
        for ids in [vec![], vec![id(), BlobId([7; 32])]] {
            let answer = HeldBlobs::answer_from_wire(&HeldBlobs::answer_to_wire(&ids));
            assert_eq!(answer.as_ref(), Ok(&ids));
            let op = HeldBlobs { ids };
            assert_eq!(HeldBlobs::from_wire(&op.to_wire()), Ok(op));
        }
        let op = AddBlobDir { path: "/d".to_owned(), scan: true };
        assert_eq!(AddBlobDir::from_wire(&op.to_wire()), Ok(op));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let op = RegisterFile { path: "here".to_owned() };
        let err = RegisterFile::from_wire(&op.to_wire()).unwrap_err();
        assert!(err.to_string().contains("not absolute"), "{err}");
        let many = |count| HeldBlobs { ids: vec![id(); count] }.to_wire();
        assert!(HeldBlobs::from_wire(&many(HELD_BLOBS_MAX)).is_ok());
        let err = HeldBlobs::from_wire(&many(HELD_BLOBS_MAX + 1)).unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidArgument);
        let wire = v1::HeldBlobsRequest { ids: vec!["ab".to_owned()] };
        assert_eq!(HeldBlobs::from_wire(&wire).unwrap_err().kind(), Kind::InvalidArgument);
        let unset = v1::KeepBlobRequest { id: id().to_string(), keep: None };
        assert_eq!(KeepBlob::from_wire(&unset).unwrap_err().kind(), Kind::InvalidArgument);
    }
}
