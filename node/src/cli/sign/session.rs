//! One command's talk with a node: what it signs on, and what it hands in.

use std::sync::Arc;

use crux_client::model::{Basis, DocumentSigner, KeyBasis, WrittenDocument};
use crux_client::op::{
    BASIS_KEYS_MAX, DocumentBasis, PUT_BYTES_MAX, PUT_DOCUMENTS_MAX, PutDocuments,
};
use crux_crdt::canon::Decoder;
use crux_crdt::document::{Document, Grant, Key};
use crux_crdt::sign::{Ed25519, Terms};
use crux_crdt::{Digest, Principal};
use serde_json::{Value, json};

use super::{Content, Draft, Ui, Writing};
use crate::cli::Wait;
use crate::cli::table::short;
use crate::error::{Error, Kind};
use crate::secret::{Signer, UserPublic};

/// A key, and what the flock lets it sign.
#[derive(Debug)]
pub(in crate::cli) struct Session {
    signer: Signer,
    flock: Digest,
    /// The greatest version of the grants that the operator has used; 0 if none.
    greatest: u64,
    role: Role,
}

/// The capacity in which a key signs.
#[derive(Debug)]
enum Role {
    Operator,
    /// With the grant that is enclosed, and what it says.
    User(Arc<Document>, Grant),
}

/// The outcome of a command that signs.
#[derive(Debug)]
pub(in crate::cli) enum Written {
    /// The node took these.
    Put(Vec<WrittenDocument>),
    /// Nothing was signed, and what would have been was printed.
    Dry,
}

impl Session {
    /// Asks the node what the key may sign, and for what is under some keys.
    ///
    /// # Errors
    /// [`Kind::NoOperator`]; [`Kind::NotGranted`] when it may sign nothing; those of the call.
    pub(in crate::cli) fn begin(
        signer: Signer,
        keys: &[Key],
        wait: Wait,
        ui: &Ui,
    ) -> Result<(Self, Vec<KeyBasis>), Error> {
        let principal = signer.principal();
        let (first, rest) = keys.split_at(keys.len().min(BASIS_KEYS_MAX));
        let basis = ask(principal, first, wait, ui)?;
        let session = Self::of(signer, &basis)?;
        let mut bases = basis.keys;
        bases.extend(session.bases(rest, wait, ui)?);
        Ok((session, bases))
    }

    /// The same for one key.
    ///
    /// # Errors
    /// Those of [`Session::begin`].
    pub(in crate::cli) fn begin_one(
        signer: Signer,
        key: &Key,
        wait: Wait,
        ui: &Ui,
    ) -> Result<(Self, KeyBasis), Error> {
        let (session, bases) = Self::begin(signer, std::slice::from_ref(key), wait, ui)?;
        // There are as many as keys.
        let basis = bases.into_iter().next().ok_or_else(mixed_up)?;
        Ok((session, basis))
    }

    fn of(signer: Signer, basis: &Basis) -> Result<Self, Error> {
        let operator = basis.operator.ok_or_else(|| {
            Error::new(Kind::NoOperator, "the flock has no operator, so it has no documents")
                .with_hint(Kind::NoOperator.row().advice)
        })?;
        let role = match &basis.grant {
            _ if signer.principal() == operator => Role::Operator,
            _ if signer.is_operator() => return Err(other_operator(&signer, operator)),
            None => return Err(no_grant(&signer)),
            Some(grant) => user(&signer, grant, basis, operator)?,
        };
        Ok(Self { signer, flock: basis.flock_id, greatest: basis.grants_version, role })
    }

    /// The same for further keys.
    ///
    /// # Errors
    /// Those of the call.
    pub(in crate::cli) fn bases(
        &self,
        keys: &[Key],
        wait: Wait,
        ui: &Ui,
    ) -> Result<Vec<KeyBasis>, Error> {
        let mut bases = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BASIS_KEYS_MAX) {
            bases.extend(ask(self.signer.principal(), keys, wait, ui)?.keys);
        }
        Ok(bases)
    }

    /// The state of a key, and under how many keys the node holds documents of a user.
    ///
    /// # Errors
    /// Those of the call.
    pub(in crate::cli) fn held(
        &self,
        user: Principal,
        key: &Key,
        wait: Wait,
        ui: &Ui,
    ) -> Result<(KeyBasis, u64), Error> {
        let basis = ask(user, std::slice::from_ref(key), wait, ui)?;
        let of_key = basis.keys.into_iter().next().ok_or_else(mixed_up)?;
        Ok((of_key, basis.held))
    }

    /// The key's public half.
    pub(in crate::cli) const fn principal(&self) -> Principal {
        self.signer.principal()
    }

    /// The version of the grants under which it signs.
    pub(in crate::cli) fn grants_version(&self) -> u64 {
        match &self.role {
            Role::Operator => self.greatest.max(1),
            Role::User(document, _) => document.grants_version(),
        }
    }

    /// Has the operator sign under this version of the grants from now on.
    pub(in crate::cli) fn raise(&mut self, grants_version: u64) {
        self.greatest = self.greatest.max(grants_version);
    }

    /// The document that it would sign next under a key.
    pub(in crate::cli) fn draft(&self, basis: KeyBasis, content: Content) -> Draft {
        let grants_version = self.grants_version();
        Draft { key: basis.key, generation: basis.next_generation, grants_version, content }
    }

    /// Whether it may sign a document under a key.
    ///
    /// # Errors
    /// [`Kind::NotGranted`], with what it may sign.
    pub(in crate::cli) fn check(&self, key: &Key) -> Result<(), Error> {
        let Role::User(_, grant) = &self.role else { return Ok(()) };
        if grant.covers(key) {
            return Ok(());
        }
        let is_operators = key.row().is_some_and(|kind| kind.is_operators);
        let hint = match is_operators {
            true => format!("Only the operator writes {}/…: use --operator-key.", key.kind()),
            false => "The operator can grant more with `user add`.".to_owned(),
        };
        let message =
            format!("the grant of {} ({}) does not cover {key}", grant.name, granted(grant));
        Err(Error::new(Kind::NotGranted, message).with_hint(hint))
    }

    /// Signs drafts and hands them in; with `--dry-run` prints them instead.
    ///
    /// # Errors
    /// Those of [`Session::check`], and what the node says. Where there are several requests, the first ones may be
    /// carried out.
    pub(in crate::cli) fn write(
        &self,
        drafts: Vec<Draft>,
        how: Writing,
        ui: &mut Ui,
    ) -> Result<Written, Error> {
        drafts.iter().try_for_each(|draft| self.check(&draft.key))?;
        if how.dry_run {
            self.print(&drafts, ui)?;
            return Ok(Written::Dry);
        }
        let mut written = Vec::with_capacity(drafts.len());
        let mut request = Request::default();
        for draft in drafts {
            let sealed = self.sign(draft)?;
            if !request.has_room(&sealed) {
                written.extend(request.send(how, ui)?);
            }
            request.add(sealed);
        }
        written.extend(request.send(how, ui)?);
        Ok(Written::Put(written))
    }

    fn print(&self, drafts: &[Draft], ui: &mut Ui) -> Result<(), Error> {
        let value: Vec<_> = drafts.iter().map(|draft| draft.value(&self.signer_value())).collect();
        ui.answer(&json!({ "dry_run": true, "documents": value }), || {
            let words = drafts.iter().map(|draft| draft.words(&self.signer_words()));
            words.collect::<Vec<_>>().join("\n")
        })
    }

    fn sign(&self, draft: Draft) -> Result<Vec<u8>, Error> {
        let grant = match &self.role {
            Role::Operator => None,
            Role::User(grant, _) => Some(grant.clone()),
        };
        let key = draft.key.clone();
        let body = draft.into_body();
        let signed = Document::sign(body, &self.flock, self.signer.identity(), grant);
        let signed = signed.map_err(|err| {
            Error::new(Kind::InvalidArgument, err.to_string()).augment(key.as_str())
        })?;
        Ok(signed.sealed())
    }

    fn signer(&self) -> DocumentSigner {
        let name = match &self.role {
            Role::Operator => DocumentSigner::OPERATOR.to_owned(),
            Role::User(_, grant) => grant.name.to_string(),
        };
        DocumentSigner { principal: self.signer.principal(), name }
    }

    fn signer_words(&self) -> String {
        self.signer().to_string()
    }

    fn signer_value(&self) -> Value {
        let DocumentSigner { principal, name } = self.signer();
        json!({ "principal": principal.to_string(), "name": name })
    }
}

/// Documents on their way to a node.
#[derive(Debug, Default)]
struct Request {
    documents: Vec<Vec<u8>>,
    bytes: usize,
}

impl Request {
    fn has_room(&self, sealed: &[u8]) -> bool {
        self.documents.len() < PUT_DOCUMENTS_MAX && self.bytes + sealed.len() <= PUT_BYTES_MAX
    }

    fn add(&mut self, sealed: Vec<u8>) {
        self.bytes += sealed.len();
        self.documents.push(sealed);
    }

    /// Sends what there is, and begins again.
    fn send(&mut self, how: Writing, ui: &Ui) -> Result<Vec<WrittenDocument>, Error> {
        let Self { documents, .. } = std::mem::take(self);
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        let sync_within = Some(how.wait.patience());
        ui.call(&PutDocuments { documents, sync: how.sync, sync_within }, how.wait)
    }
}

fn ask(signer: Principal, keys: &[Key], wait: Wait, ui: &Ui) -> Result<Basis, Error> {
    let basis = ui.call(&DocumentBasis { keys: keys.to_vec(), signer }, wait)?;
    // Nothing is signed under a key that nobody named.
    let is_theirs = basis.keys.iter().map(|it| &it.key).eq(keys);
    if is_theirs { Ok(basis) } else { Err(mixed_up()) }
}

fn mixed_up() -> Error {
    Error::new(Kind::Internal, "the node answered for other keys than those in the request")
}

/// The role of a user with a grant. The node is not believed: the grant is checked as a document is.
fn user(signer: &Signer, grant: &[u8], basis: &Basis, operator: Principal) -> Result<Role, Error> {
    let invalid = |why: String| {
        Error::new(Kind::Internal, why)
            .augment("the grant that the node sent")
            .with_hint("The node and this command may be of different versions.")
    };
    let terms = Terms { flock: basis.flock_id, operator: Some(operator), verifier: &Ed25519 };
    let document = Document::open(&mut Decoder::new(grant), &terms);
    let document = document.map_err(|err| invalid(err.to_string()))?;
    if *document.key() != Key::grant(&signer.principal()) {
        return Err(invalid(format!("it is {}", document.key())));
    }
    let Some(content) = document.granted().cloned() else { return Err(no_grant(signer)) };
    if content.revoked {
        return Err(not_any_more(&content, "is revoked"));
    }
    if document.grants_version() < basis.grants_version {
        return Err(not_any_more(&content, "is of an older version than the grants of the flock"));
    }
    Ok(Role::User(Arc::new(document), content))
}

fn no_grant(signer: &Signer) -> Error {
    let public = UserPublic(signer.principal());
    let message = format!("the flock grants nothing to the key {}", short(&signer.principal()));
    Error::new(Kind::NotGranted, message)
        .with_hint(format!("Have the operator run `crux-node user add NAME --key {public}`."))
}

fn not_any_more(grant: &Grant, why: &str) -> Error {
    Error::new(Kind::NotGranted, format!("the grant of {} {why}", grant.name))
        .with_hint("The operator can grant it again with `user add`.")
}

fn other_operator(signer: &Signer, operator: Principal) -> Error {
    let message = format!(
        "the key is {}, and the operator of this flock has {}",
        short(&signer.principal()),
        short(&operator)
    );
    Error::new(Kind::NotGranted, message)
        .with_hint("Give the key that `keygen` wrote together with the secret of this flock.")
}

/// The permissions of a grant, as they are given.
fn granted(grant: &Grant) -> String {
    match grant.permissions.is_empty() {
        true => "nothing".to_owned(),
        false => grant.permissions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
