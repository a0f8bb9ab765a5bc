use core::fmt;
use std::sync::Arc;

use super::body::VERSION;
use super::{Body, CONTENT_MAX, DocumentError, Grant, Key, Marker};
use crate::canon::{Canonical as _, DecodeError, Decoder, Encoder};
use crate::hash::sha3;
use crate::sign::{Ed25519, Identity, OpenError, Signable as _, Signed, Terms};
use crate::{Digest, Principal};

/// The memory that a document takes beside the bytes that are counted: the value, its places in the maps, and how
/// it is shown. Measured by `tests/documents_memory.rs`.
const DOCUMENT_COST: usize = 2 * 1024;
/// Author, signature and the length of the body.
const ENVELOPE_BYTES: usize = 32 + 64 + 4;

/// A signed document.
///
/// **Invariant**: it is valid for one flock, whatever is known of the flock beside its operator. That is: its
/// signature and that of its grant hold, the operator gave the grant to its signer, and the grant covers its key.
/// Whether the signer is granted that *still* is another question: [`super::Documents::counts`].
#[derive(Clone)]
pub struct Document {
    signed: Signed<Body>,
    /// The grant of its signer; none if that is the operator.
    grant: Option<Arc<Self>>,
    /// The content of a grant, decoded.
    granted: Option<Grant>,
}

impl Document {
    /// Verifies, then decodes.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn open(input: &mut Decoder<'_>, terms: &Terms<'_>) -> Result<Self, DocumentError> {
        let operator = terms.operator.ok_or(DocumentError::NoOperator)?;
        let signed = Signed::<Body>::open(input, &terms.flock, terms.verifier)?;
        if signed.author() == operator {
            return Self::of_operator(signed);
        }
        let sealed = signed.value().grant.as_deref().ok_or(DocumentError::GrantMissing)?;
        let grant = open_grant(sealed, terms, &operator)?;
        Self::of_user(signed, Arc::new(grant))
    }

    /// Signs a document: as the operator without a grant, as its user with one. The grant in the body is replaced.
    ///
    /// # Errors
    /// [`DocumentError`]: nobody could open it.
    pub fn sign(
        mut body: Body,
        flock: &Digest,
        identity: &Identity,
        grant: Option<Arc<Self>>,
    ) -> Result<Self, DocumentError> {
        if let Some(content) = body.content.as_ref().filter(|it| it.len() > CONTENT_MAX) {
            return Err(DocumentError::TooLarge(content.len()));
        }
        body.grant = grant.as_deref().map(|grant| grant.sealed().into());
        Body::from_canonical(&body.to_canonical()).map_err(OpenError::Body)?;
        let signed = Signed::sign(body, flock, identity);
        let Some(grant) = grant else { return Self::of_operator(signed) };
        let terms = Terms { flock: *flock, operator: Some(grant.signer()), verifier: &Ed25519 };
        // It may have been opened for another flock.
        open_grant(&grant.sealed(), &terms, &grant.signer())?;
        Self::of_user(signed, grant)
    }

    /// The rules for documents of the operator.
    fn of_operator(signed: Signed<Body>) -> Result<Self, DocumentError> {
        let body = signed.value();
        if body.grant.is_some() {
            return Err(DocumentError::GrantOfOperator);
        }
        let mut granted = None;
        if body.key.is_grant() {
            let user = body.key.grantee();
            let user = user.ok_or_else(|| DocumentError::Grantee(body.key.clone()))?;
            if user == signed.author() {
                return Err(DocumentError::GranteeIsOperator);
            }
            let content = body.content.as_deref().map(Grant::from_canonical);
            granted = content.transpose().map_err(DocumentError::Content)?;
        }
        Ok(Self { signed, grant: None, granted })
    }

    /// The rules for documents of a user under this grant, which the operator signed for the same flock.
    fn of_user(signed: Signed<Body>, grant: Arc<Self>) -> Result<Self, DocumentError> {
        let (body, version) = (signed.value(), grant.grants_version());
        if grant.key().grantee() != Some(signed.author()) {
            return Err(DocumentError::GrantKey(grant.key().clone()));
        }
        let granted = grant.granted.as_ref().ok_or(DocumentError::GrantDeleted)?;
        if granted.revoked {
            return Err(DocumentError::GrantRevoked);
        }
        if body.grants_version != version {
            let found = body.grants_version;
            return Err(DocumentError::GrantVersion { found, grant: version });
        }
        if body.key.row().is_some_and(|kind| kind.is_operators) {
            return Err(DocumentError::OperatorsOnly(body.key.clone()));
        }
        if !granted.covers(&body.key) {
            return Err(DocumentError::NotCovered(body.key.clone()));
        }
        Ok(Self { signed, grant: Some(grant), granted: None })
    }

    /// The digest of the key and the id of the next envelope, which is skipped. No signature is checked, so they
    /// say where to look, and nothing else may depend on them.
    ///
    /// # Errors
    /// The bytes are malformed.
    pub fn peek(input: &mut Decoder<'_>) -> Result<(Digest, Digest), DecodeError> {
        let (_, id, body) = split(input)?;
        let mut body = Decoder::new(body);
        body.version("document version", VERSION)?;
        Ok((Key::decode(&mut body)?.digest(), id))
    }

    /// Appends the envelope.
    pub fn seal(&self, out: &mut Encoder) {
        self.signed.seal(out);
    }

    /// The envelope.
    pub fn sealed(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        self.seal(&mut out);
        out.finish()
    }

    /// How many bytes the envelope has.
    pub fn bytes(&self) -> usize {
        let body = self.signed.value();
        ENVELOPE_BYTES + body.bytes()
    }

    /// Its name.
    pub const fn key(&self) -> &Key {
        &self.signed.value().key
    }

    /// The operator, or a user.
    pub const fn signer(&self) -> Principal {
        self.signed.author()
    }

    /// Whether the operator signed it.
    pub const fn is_operators(&self) -> bool {
        self.grant.is_none()
    }

    /// The hash of signer and body.
    pub const fn id(&self) -> Digest {
        self.signed.id()
    }

    /// Its place among the documents with its key.
    pub const fn marker(&self) -> Marker {
        self.signed.value().marker(self.id())
    }

    /// How often the key was written, as its signer saw it.
    pub const fn generation(&self) -> u64 {
        self.signed.value().generation
    }

    /// The version of the grants that it was signed under.
    pub const fn grants_version(&self) -> u64 {
        self.signed.value().grants_version
    }

    /// Whether it says that there is nothing under its key.
    pub const fn is_deleted(&self) -> bool {
        self.signed.value().content.is_none()
    }

    /// The bytes under its key; none if it is deleted.
    pub fn content(&self) -> Option<&[u8]> {
        self.signed.value().content.as_deref()
    }

    /// The grant under which a user signed it; none if the operator did.
    pub const fn grant(&self) -> Option<&Arc<Self>> {
        self.grant.as_ref()
    }

    /// If it is a grant that is not deleted, what it grants.
    pub const fn granted(&self) -> Option<&Grant> {
        self.granted.as_ref()
    }

    /// The memory that it takes, in bytes, with its grant and what is kept because of it.
    pub fn footprint(&self) -> usize {
        let grant = self.grant.as_ref().map_or(0, |grant| grant.footprint());
        let granted = self.granted.as_ref().map_or(0, Grant::heap);
        let bytes = self.bytes();
        // The allocator rounds large blocks up, to pages at most.
        DOCUMENT_COST + bytes + bytes / 16 + granted + grant
    }
}

/// Author, id and body of the next envelope. Nothing is verified.
pub(super) fn split<'a>(
    input: &mut Decoder<'a>,
) -> Result<(Principal, Digest, &'a [u8]), DecodeError> {
    let author = input.principal("author")?;
    input.array::<64>("signature")?;
    let body = input.bytes(Body::BODY_MAX, "signed body")?;
    Ok((author, sha3(Body::DOMAIN, &[&author.0, body]), body))
}

/// Opens a grant that is enclosed in a document. It is refused before its signature is checked if it is not the
/// operator's, so enclosing does not nest.
fn open_grant(
    sealed: &[u8],
    terms: &Terms<'_>,
    operator: &Principal,
) -> Result<Document, DocumentError> {
    let mut input = Decoder::new(sealed);
    let signer = input.clone().principal("author").map_err(OpenError::Envelope);
    if signer.map_err(DocumentError::Grant)? != *operator {
        return Err(DocumentError::GrantSigner);
    }
    let signed = Signed::<Body>::open(&mut input, &terms.flock, terms.verifier);
    let signed = signed.map_err(DocumentError::Grant)?;
    input.finish().map_err(OpenError::Envelope).map_err(DocumentError::Grant)?;
    Document::of_operator(signed)
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Document {}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("key", self.key())
            .field("signer", &self.signer())
            .field("grants_version", &self.grants_version())
            .field("generation", &self.generation())
            .field("deleted", &self.is_deleted())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
