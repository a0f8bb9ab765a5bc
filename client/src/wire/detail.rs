//! The three messages of `google.rpc` that an error needs: `Status`, what it carries, and `ErrorInfo`.
//!
//! They are written out because the crate that has all of them, and prost's well-known types with it, is two of the
//! packages that everybody who links this client builds. The tests read and write them with that crate. Source:
//! `google/rpc/status.proto` and `google/rpc/error_details.proto`, whose field numbers do not change.

use std::collections::HashMap;

use bytes::Bytes;
use prost::Message;
use tonic::{Code, Status};

/// The type of an [`ErrorInfo`] within a [`Rpc`].
const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// Why something failed, for programs: `google.rpc.ErrorInfo`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ErrorInfo {
    /// A stable word of the domain.
    #[prost(string, tag = "1")]
    pub(super) reason: String,
    /// In which the word has its meaning.
    #[prost(string, tag = "2")]
    pub(super) domain: String,
    /// Further fields.
    #[prost(map = "string, string", tag = "3")]
    pub(super) metadata: HashMap<String, String>,
}

/// `google.rpc.Status`, which travels in the trailer `grpc-status-details-bin`.
#[derive(Clone, PartialEq, Message)]
struct Rpc {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`: bytes and what they are.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// A status that carries the information.
pub(super) fn with_info(code: Code, message: String, info: &ErrorInfo) -> Status {
    let any = Any { type_url: ERROR_INFO.to_owned(), value: info.encode_to_vec() };
    let rpc = Rpc { code: code as i32, message: message.clone(), details: vec![any] };
    Status::with_details(code, message, Bytes::from(rpc.encode_to_vec()))
}

/// The first information that the status carries. Bytes that do not decode carry none.
pub(super) fn info(status: &Status) -> Option<ErrorInfo> {
    let rpc = Rpc::decode(status.details()).ok()?;
    let any = rpc.details.into_iter().find(|any| any.type_url == ERROR_INFO)?;
    ErrorInfo::decode(any.value.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    fn example() -> ErrorInfo {
        let metadata = [("hint", "free some room"), ("state_changed", "no")];
        ErrorInfo {
            reason: "disk_full".to_owned(),
            domain: "crux".to_owned(),
            metadata: metadata.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        }
    }

    #[test]
    fn others_read_what_we_write() {
        let ours = example();
        let status = with_info(Code::ResourceExhausted, "full".to_owned(), &ours);
        assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "full"));
        let theirs = status.get_details_error_info().unwrap();
        assert_eq!(
            (theirs.reason, theirs.domain, theirs.metadata),
            (ours.reason, ours.domain, ours.metadata)
        );
    }

    #[test]
    fn we_read_what_others_write() {
        let ours = example();
        let mut theirs = ErrorDetails::with_retry_info(None);
        theirs.set_error_info(&ours.reason, &ours.domain, ours.metadata.clone());
        let status = Status::with_error_details(Code::NotFound, "m", theirs);
        assert_eq!(info(&status), Some(ours));
    }

    #[test]
    fn rubbish_says_nothing() {
        let with = |details: &'static [u8]| {
            Status::with_details(Code::NotFound, "m", Bytes::from_static(details))
        };
        assert_eq!(info(&Status::not_found("m")), None);
        assert_eq!(info(&with(b"\xff\xff\xff")), None);
        let any = Any { type_url: ERROR_INFO.to_owned(), value: b"\xff".to_vec() };
        let rpc = Rpc { code: 5, message: String::new(), details: vec![any] };
        assert_eq!(
            info(&Status::with_details(Code::NotFound, "m", Bytes::from(rpc.encode_to_vec()))),
            None
        );
    }
}
