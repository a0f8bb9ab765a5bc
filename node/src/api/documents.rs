//! The Documents service.

use std::collections::BTreeSet;
use std::sync::Arc;

use crux_client::door::{Answer, Serve, handle};
use crux_client::model::{Basis, DocumentEntry, ShownDocument, WrittenDocument};
use crux_client::op::{self, DocumentBasis, ListDocuments, PutDocuments, ShowDocument, Wire};
use crux_crdt::canon::Decoder;
use crux_crdt::document::{Document, DocumentError};
use crux_crdt::sign::{Ed25519, Terms};
use crux_proto::v1;
use crux_protocol::flock::STORE_PATIENCE;
use tonic::Request as Call;

use crate::error::{Error, Kind};
use crate::fulcrum::Handle;
use crate::fulcrum::request::State;
use crate::view::View;

/// The Documents service. Reads use the view; what is written is checked here as if a peer had sent it, and then goes
/// to the fulcrum.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) handle: Handle,
}

impl Serve<PutDocuments> for Service {
    async fn serve(&self, op: PutDocuments) -> Result<Vec<WrittenDocument>, Error> {
        let (view, sealed) = (self.handle.view(), op.documents);
        // A thousand signatures take a tenth of a second.
        let opened = tokio::task::spawn_blocking(move || open_all(&sealed, &view)).await;
        let documents = opened.map_err(|err| {
            Error::new(Kind::Internal, err.to_string()).augment("opening documents")
        })??;
        let written = documents.iter().map(|document| written(document)).collect();
        let patience = op.sync_within.unwrap_or(STORE_PATIENCE);
        self.handle.ask(State { documents, sync: op.sync, patience }).await?;
        Ok(written)
    }
}

impl Serve<ListDocuments> for Service {
    async fn serve(&self, op: ListDocuments) -> Result<Vec<DocumentEntry>, Error> {
        Ok(self.handle.view().list_documents(&op.prefix))
    }
}

impl Serve<ShowDocument> for Service {
    async fn serve(&self, op: ShowDocument) -> Result<ShownDocument, Error> {
        self.handle.view().show_document(&op.key)
    }
}

impl Serve<DocumentBasis> for Service {
    async fn serve(&self, op: DocumentBasis) -> Result<Basis, Error> {
        Ok(self.handle.view().document_basis(&op.keys, &op.signer))
    }
}

/// A handler for each row of the client's table.
macro_rules! documents {
    ($($call:ident: $Op:ident, $effect:ident;)*) => {
        #[tonic::async_trait]
        impl v1::documents_server::Documents for Service {
            $(async fn $call(
                &self,
                call: Call<<op::$Op as Wire>::Request>,
            ) -> Answer<<op::$Op as Wire>::Response> {
                handle::<op::$Op>(self, call.get_ref()).await
            })*
        }
    };
}
crux_client::documents_calls!(documents! {});

/// Opens documents that a caller hands in, one for each key.
pub(super) fn open_all(sealed: &[Vec<u8>], view: &View) -> Result<Vec<Arc<Document>>, Error> {
    let terms = Terms { flock: view.flock_id, operator: view.operator, verifier: &Ed25519 };
    let mut keys = BTreeSet::new();
    let open = |(at, sealed): (usize, &Vec<u8>)| {
        let place = |err: Error| err.augment(format!("document {} of the request", at + 1));
        let document = open(sealed, &terms).map_err(|err| place(refusal(&err)))?;
        if !keys.insert(document.key().clone()) {
            let message = format!("{} is in the request twice", document.key());
            return Err(place(Error::new(Kind::InvalidArgument, message)));
        }
        Ok(Arc::new(document))
    };
    sealed.iter().enumerate().map(open).collect()
}

fn open(sealed: &[u8], terms: &Terms<'_>) -> Result<Document, DocumentError> {
    let mut input = Decoder::new(sealed);
    let document = Document::open(&mut input, terms)?;
    input.finish().map_err(|err| DocumentError::Open(crux_crdt::sign::OpenError::Envelope(err)))?;
    Ok(document)
}

/// Why bytes are not a document of this flock, in words that say what to do.
fn refusal(error: &DocumentError) -> Error {
    let kind = match error {
        DocumentError::NoOperator => Kind::NoOperator,
        DocumentError::GrantMissing
        | DocumentError::GrantOfOperator
        | DocumentError::Grant(_)
        | DocumentError::GrantSigner
        | DocumentError::GrantKey(_)
        | DocumentError::GrantDeleted
        | DocumentError::GrantRevoked
        | DocumentError::GrantVersion { .. }
        | DocumentError::OperatorsOnly(_)
        | DocumentError::NotCovered(_) => Kind::NotGranted,
        DocumentError::TooLarge(_) => Kind::LimitReached,
        DocumentError::Open(_)
        | DocumentError::Grantee(_)
        | DocumentError::GranteeIsOperator
        | DocumentError::Content(_) => Kind::InvalidArgument,
    };
    let error = Error::new(kind, error.to_string());
    match kind {
        Kind::InvalidArgument => error.with_hint(
            "Sign it for this flock, with a key that this flock knows; `crux-node doc put` does so.",
        ),
        Kind::NoOperator => error.with_hint(Kind::NoOperator.row().advice),
        _ => error,
    }
}

fn written(document: &Document) -> WrittenDocument {
    WrittenDocument {
        key: document.key().clone(),
        generation: document.generation(),
        grants_version: document.grants_version(),
        id: document.id(),
    }
}
