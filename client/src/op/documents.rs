//! The operations of the Documents service.
//!
//! Documents travel as they were signed. A client asks for the [`DocumentBasis`] of some keys, signs with a key that
//! the node never sees, and hands in what it signed.

use std::collections::BTreeSet;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::document::Key;
use crux_proto::v1::{self, documents_client::DocumentsClient};
use tonic::transport::Channel;

use super::{ANSWER_BYTES_MAX, Call, Effect, Op, Wire, calls_over, whole_answer};
use crate::error::{Error, Kind};
use crate::model::json::whole_millis;
use crate::model::{Basis, DocumentEntry, ShownDocument, WrittenDocument};
use crate::parse;
use crate::socket::Door;
use crate::wire::Message;

/// Hands the table of the Documents service's calls to a macro: `call: Operation, effect;` for each.
#[macro_export]
macro_rules! documents_calls {
    ($macro:ident! { $($first:tt)* }) => {
        $macro! { $($first)*
            put_documents: PutDocuments, Writes;
            list_documents: ListDocuments, Reads;
            show_document: ShowDocument, Reads;
            document_basis: DocumentBasis, Reads;
        }
    };
}

documents_calls!(calls_over! { DocumentsClient at Control: });

/// The most documents in one [`PutDocuments`]: a node checks so many signatures in a tenth of a second.
pub const PUT_DOCUMENTS_MAX: usize = 1024;

/// The most bytes of sealed documents in one [`PutDocuments`]: a hundred of the largest.
pub const PUT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The most keys in one [`DocumentBasis`]: with the longest keys, half of what a short request may have.
pub const BASIS_KEYS_MAX: usize = 256;

/// Takes signed documents in, all of them or none; answered when they are durable, with what each is, in their order.
/// Refused with [`Conflict`](Kind::Conflict), [`NotGranted`](Kind::NotGranted),
/// [`LimitReached`](Kind::LimitReached), [`NoOperator`](Kind::NoOperator), [`DiskFull`](Kind::DiskFull).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutDocuments {
    /// The documents, sealed: at most [`PUT_DOCUMENTS_MAX`], and [`PUT_BYTES_MAX`] together.
    pub documents: Vec<Vec<u8>>,
    /// How many other members must have stored them before the answer.
    pub sync: u32,
    /// How long the node waits for them, at most 50 s; then it answers how many did. `None`: 8 s.
    pub sync_within: Option<Duration>,
}

/// Asks for the documents that the node has, deleted ones included, without their contents: by key, `n2` before `n10`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListDocuments {
    /// A kind, or the beginning of keys; empty for all.
    pub prefix: String,
}

/// Asks for one document with its content, and for its rival. Refused with [`NotFound`](Kind::NotFound).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowDocument {
    /// Which.
    pub key: Key,
}

/// Asks for all that a signer has to know to sign the next document under each of some keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentBasis {
    /// The keys, at most [`BASIS_KEYS_MAX`].
    pub keys: Vec<Key>,
    /// The public key of the signer.
    pub signer: Principal,
}

impl Op for PutDocuments {
    type Answer = Vec<WrittenDocument>;
}

impl Wire for PutDocuments {
    type Request = v1::PutDocumentsRequest;
    type Response = v1::PutDocumentsResponse;

    fn to_wire(&self) -> v1::PutDocumentsRequest {
        v1::PutDocumentsRequest {
            documents: self.documents.clone(),
            sync: self.sync,
            sync_within_ms: self.sync_within.map(whole_millis),
        }
    }

    fn from_wire(wire: &v1::PutDocumentsRequest) -> Result<Self, Error> {
        let bytes: usize = wire.documents.iter().map(Vec::len).sum();
        if wire.documents.len() > PUT_DOCUMENTS_MAX || bytes > PUT_BYTES_MAX {
            let mib = PUT_BYTES_MAX >> 20;
            let message = format!("{} documents of {bytes} bytes in one request", wire.documents.len());
            return Err(Error::new(Kind::InvalidArgument, message).with_hint(format!(
                "Put at most {PUT_DOCUMENTS_MAX} at once, and {mib} MiB together."
            )));
        }
        Ok(Self {
            documents: wire.documents.clone(),
            sync: wire.sync,
            sync_within: wire.sync_within_ms.map(Duration::from_millis),
        })
    }

    fn answer_to_wire(answer: &Vec<WrittenDocument>) -> v1::PutDocumentsResponse {
        v1::PutDocumentsResponse { documents: answer.iter().map(Message::to_wire).collect() }
    }

    fn answer_from_wire(wire: &v1::PutDocumentsResponse) -> Result<Vec<WrittenDocument>, Error> {
        wire.documents.iter().map(Message::from_wire).collect()
    }
}

impl Op for ListDocuments {
    type Answer = Vec<DocumentEntry>;
}

impl Wire for ListDocuments {
    type Request = v1::ListDocumentsRequest;
    type Response = v1::ListDocumentsResponse;

    fn to_wire(&self) -> v1::ListDocumentsRequest {
        v1::ListDocumentsRequest { prefix: self.prefix.clone() }
    }

    fn from_wire(wire: &v1::ListDocumentsRequest) -> Result<Self, Error> {
        Ok(Self { prefix: parse::document_prefix(&wire.prefix)? })
    }

    fn answer_to_wire(answer: &Vec<DocumentEntry>) -> v1::ListDocumentsResponse {
        v1::ListDocumentsResponse { documents: answer.iter().map(Message::to_wire).collect() }
    }

    fn answer_from_wire(wire: &v1::ListDocumentsResponse) -> Result<Vec<DocumentEntry>, Error> {
        wire.documents.iter().map(Message::from_wire).collect()
    }
}

impl Op for ShowDocument {
    type Answer = ShownDocument;
}

impl Wire for ShowDocument {
    type Request = v1::ShowDocumentRequest;

    fn to_wire(&self) -> v1::ShowDocumentRequest {
        v1::ShowDocumentRequest { key: self.key.to_string() }
    }

    fn from_wire(wire: &v1::ShowDocumentRequest) -> Result<Self, Error> {
        Ok(Self { key: parse::document_key(&wire.key)? })
    }

    whole_answer!();
}

impl Op for DocumentBasis {
    type Answer = Basis;
}

impl Wire for DocumentBasis {
    type Request = v1::DocumentBasisRequest;

    fn to_wire(&self) -> v1::DocumentBasisRequest {
        v1::DocumentBasisRequest {
            keys: self.keys.iter().map(Key::to_string).collect(),
            signer: self.signer.to_string(),
        }
    }

    fn from_wire(wire: &v1::DocumentBasisRequest) -> Result<Self, Error> {
        if wire.keys.len() > BASIS_KEYS_MAX {
            let message = format!("{} keys in one request", wire.keys.len());
            return Err(Error::new(Kind::InvalidArgument, message)
                .with_hint(format!("Ask for at most {BASIS_KEYS_MAX} at once.")));
        }
        let signer = wire.signer.parse().map_err(|err: crux_crdt::id::ParseIdError| {
            Error::new(Kind::InvalidArgument, err.to_string()).augment("the signer")
        })?;
        let keys = wire.keys.iter().map(|key| parse::document_key(key));
        Ok(Self { keys: keys.collect::<Result<_, _>>()?, signer })
    }

    whole_answer!();
}

#[cfg(test)]
mod tests {
    use crux_crdt::Digest;

    use super::*;
    use crate::model::{DocumentSigner, DocumentState, KeyBasis, RivalDocument};

    fn key(text: &str) -> Key {
        parse::document_key(text).unwrap()
    }

    fn entry(state: DocumentState) -> DocumentEntry {
        DocumentEntry {
            key: key("target/main"),
            grants_version: 2,
            generation: (1 << 48) - 1,
            signer: DocumentSigner { principal: Principal([7; 32]), name: "alice".to_owned() },
            state,
            bytes: 65_536,
            known_kind: state != DocumentState::Void,
        }
    }

    fn answers<O: Wire<Answer: PartialEq + core::fmt::Debug>>(answer: &O::Answer) {
        assert_eq!(O::answer_from_wire(&O::answer_to_wire(answer)).as_ref(), Ok(answer));
    }

    #[test]
    fn requests_arrive_as_they_were() {
        for sync_within in [None, Some(Duration::from_millis(700))] {
            let op = PutDocuments { documents: vec![vec![1], vec![]], sync: 2, sync_within };
            assert_eq!(PutDocuments::from_wire(&op.to_wire()), Ok(op));
        }
        for prefix in ["", "target", "secret/main/"] {
            let op = ListDocuments { prefix: prefix.to_owned() };
            assert_eq!(ListDocuments::from_wire(&op.to_wire()), Ok(op));
        }
        let op = ShowDocument { key: key("secret/a/b") };
        assert_eq!(ShowDocument::from_wire(&op.to_wire()), Ok(op));
        for keys in [vec![], vec![key("target/main"), key("rule/web-db")]] {
            let op = DocumentBasis { keys, signer: Principal([7; 32]) };
            assert_eq!(DocumentBasis::from_wire(&op.to_wire()), Ok(op));
        }
    }

    #[test]
    fn answers_arrive_as_they_were() {
        let id = Digest([9; 32]);
        answers::<PutDocuments>(&vec![]);
        answers::<PutDocuments>(&vec![WrittenDocument {
            key: key("target/main"),
            generation: 3,
            grants_version: 1,
            id,
        }]);
        answers::<ListDocuments>(&DocumentState::ALL.map(entry).into());
        let rival = RivalDocument {
            entry: entry(DocumentState::Void),
            content: None,
            counts: false,
        };
        for (content, rival) in [(None, None), (Some(vec![0xff]), Some(rival)), (Some(vec![]), None)] {
            let entry = entry(DocumentState::Conflict);
            answers::<ShowDocument>(&ShownDocument { entry, content, rival });
        }
        let keys = vec![KeyBasis { key: key("target/main"), next_generation: 4, present: true }];
        let bare =
            Basis { flock_id: id, operator: None, grants_version: 0, grant: None, keys: vec![] };
        answers::<DocumentBasis>(&bare);
        answers::<DocumentBasis>(&Basis {
            operator: Some(Principal([7; 32])),
            grants_version: 5,
            grant: Some(vec![1, 2]),
            keys,
            ..bare
        });
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        let put = |documents: Vec<Vec<u8>>| {
            let wire = v1::PutDocumentsRequest { documents, sync: 0, sync_within_ms: None };
            PutDocuments::from_wire(&wire).map(drop).map_err(|err| err.kind())
        };
        assert_eq!(put(vec![vec![]; PUT_DOCUMENTS_MAX]), Ok(()));
        assert_eq!(put(vec![vec![]; PUT_DOCUMENTS_MAX + 1]), Err(Kind::InvalidArgument));
        assert_eq!(put(vec![vec![0; PUT_BYTES_MAX]]), Ok(()));
        assert_eq!(put(vec![vec![0; PUT_BYTES_MAX], vec![0]]), Err(Kind::InvalidArgument));
        let basis = |keys: usize, signer: &str| {
            let keys = vec!["target/main".to_owned(); keys];
            let wire = v1::DocumentBasisRequest { keys, signer: signer.to_owned() };
            DocumentBasis::from_wire(&wire).map(drop).map_err(|err| err.kind())
        };
        assert_eq!(basis(BASIS_KEYS_MAX, &"ab".repeat(32)), Ok(()));
        assert_eq!(basis(BASIS_KEYS_MAX + 1, &"ab".repeat(32)), Err(Kind::InvalidArgument));
        assert_eq!(basis(0, "ab"), Err(Kind::InvalidArgument));
        for bad in ["target", "Target/main", "target/", "target/../x", "target/a b", "/x"] {
            let wire = v1::ShowDocumentRequest { key: bad.to_owned() };
            let err = ShowDocument::from_wire(&wire).unwrap_err();
            assert_eq!(err.kind(), Kind::InvalidName, "{bad}");
            assert!(err.hint().is_some_and(|hint| hint.contains("KIND/NAME")), "{err}");
        }
        for bad in ["a b", "\u{1b}[2J", &"x".repeat(200)] {
            let wire = v1::ListDocumentsRequest { prefix: bad.to_owned() };
            assert_eq!(ListDocuments::from_wire(&wire).unwrap_err().kind(), Kind::InvalidName);
        }
    }

    #[test]
    fn an_answer_of_another_version_is_an_error() {
        let state = v1::DocumentEntry { state: "frozen".to_owned(), ..entry(DocumentState::Void).to_wire() };
        assert_eq!(DocumentEntry::from_wire(&state).unwrap_err().kind(), Kind::Internal);
        let unset = v1::ShowDocumentResponse { entry: None, content: None, rival: None };
        assert_eq!(ShownDocument::from_wire(&unset).unwrap_err().kind(), Kind::Internal);
    }
}
