//! Signing the next target.

use bytes::Bytes;
use crux_client::Client;
use crux_client::model::{KeyBasis, WrittenDocument, WrittenTarget};
use crux_client::op::{Keep, KeepBlob};
use crux_client::socket::Door;
use crux_crdt::blob::BlobId;
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Target, TargetError};
use crux_crdt::name::Label;
use crux_crdt::service::Config;

use super::current::{Current, State};
use super::{Content, Session, Ui, Writing, Written};
use crate::cli::output::block_on;
use crate::error::{Error, Kind};
use crate::secret::Signer;

/// A signer that may write the target of a horde.
#[derive(Debug)]
pub(super) struct Writer {
    session: Session,
    basis: KeyBasis,
    horde: Label,
    how: Writing,
}

/// The content of the next target.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) program: String,
    pub(super) services: Vec<Config>,
    pub(super) note: String,
}

impl Next {
    /// The content of a target, under another note.
    pub(super) fn of(target: &Target, note: String) -> Self {
        let services = target.services().values().cloned().collect();
        Self { program: target.program().to_owned(), services, note }
    }

    /// The target that follows another one.
    ///
    /// # Errors
    /// [`Kind::TargetTooLarge`], [`Kind::InvalidArgument`] for the note, [`Kind::InvalidConfig`].
    pub(super) fn target(self, horde: &Label, before: Option<&Current>) -> Result<Target, Error> {
        let history = |it: &Current| it.target.history(it.generation, it.by.principal);
        let earlier = before.map(history).unwrap_or_default();
        let Self { program, services, note } = self;
        Target::new(horde, program, services, note, earlier).map_err(|err| {
            let kind = match &err {
                TargetError::TooLarge { .. } => Kind::TargetTooLarge,
                TargetError::Note { .. } => Kind::InvalidArgument,
                _ => Kind::InvalidConfig,
            };
            Error::new(kind, err.to_string())
        })
    }
}

impl Writer {
    /// Asks the node what the key may sign. What is known of the target has to be read after that: the node then refuses
    /// a target whose author did not know the one before.
    ///
    /// # Errors
    /// [`Kind::NotGranted`], [`Kind::NoOperator`]; those of the call.
    pub(super) fn begin(
        signer: Signer,
        horde: Label,
        how: Writing,
        ui: &Ui,
    ) -> Result<Self, Error> {
        let key = Target::key(&horde);
        let (session, basis) = Session::begin_one(signer, &key, how.wait, ui)?;
        session.check(&key)?;
        Ok(Self { session, basis, horde, how })
    }

    /// The horde whose target it writes.
    pub(super) const fn horde(&self) -> &Label {
        &self.horde
    }

    /// Whether it only says what it would sign.
    pub(super) const fn is_dry(&self) -> bool {
        self.how.dry_run
    }

    /// Signs the target and hands it in, once the content that it replaces is kept. Answers with `said` before key and
    /// generation, and returns that; none: nothing was signed.
    ///
    /// # Errors
    /// [`Kind::Conflict`] and others of a write; those of a put.
    pub(super) fn write(
        self,
        before: &State,
        target: &Target,
        said: &str,
        ui: &mut Ui,
    ) -> Result<Option<u64>, Error> {
        let content = target.to_canonical();
        let replaced = before.current();
        if !self.how.dry_run {
            if let Some(warning) = before.warning(&self.horde) {
                ui.note(&warning);
            }
            if let Some(replaced) = replaced {
                let content = replaced.target.to_canonical();
                self.with_client(ui, async |client| keep(client, content).await)?;
            }
        }
        let draft = self.session.draft(self.basis.clone(), Content::Bytes(content.clone()));
        let Written::Put(written) = self.session.write(vec![draft], self.how, ui)? else {
            return Ok(None);
        };
        let dropped = replaced.map(|it| dropped(&it.target, target)).unwrap_or_default();
        let kept = self.with_client(ui, async |client| {
            keep(client, content).await?;
            forget(client, &dropped).await;
            Ok(())
        });
        if let Err(err) = kept {
            // The next command keeps it as the one that it replaces.
            ui.note(&format!("The content of this generation was not kept as a blob yet: {err}"));
        }
        answer(written, said, ui)
    }

    fn with_client<T>(
        &self,
        ui: &Ui,
        with: impl AsyncFnOnce(&Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        block_on(async { with(&ui.connect_at(Door::Control, self.how.wait.timeout).await?).await })
    }
}

fn answer(written: Vec<WrittenDocument>, said: &str, ui: &mut Ui) -> Result<Option<u64>, Error> {
    let none = || Error::new(Kind::Internal, "the node's answer has no document");
    let WrittenDocument { key, generation, id, .. } =
        written.into_iter().next().ok_or_else(none)?;
    ui.answer(&WrittenTarget { generation, id }, || {
        format!("{said} {key}, generation {generation}")
    })?;
    Ok(Some(generation))
}

/// Puts the content of a generation as a blob that is not evicted.
async fn keep(client: &Client, content: Vec<u8>) -> Result<(), Error> {
    let doing = |err: Error| err.augment("keeping the content of a generation");
    let size = content.len() as u64;
    let chunks = futures::stream::iter([Some(Bytes::from(content)), None]);
    let id = client.put_blob(size, chunks).await.map_err(doing)?.id;
    client.call(&KeepBlob { id, keep: Keep::Pinned(true) }).await.map_err(doing)
}

/// The contents that a target names and the one after it does not.
fn dropped(before: &Target, after: &Target) -> Vec<BlobId> {
    let named = |id: &BlobId| after.earlier().iter().any(|it| it.blob == *id);
    let all = before.earlier().iter().map(|it| it.blob);
    all.filter(|id| !named(id) && *id != after.blob()).collect()
}

/// Lets contents be evicted that nobody can go back to. Those that are not here are somebody else's to forget.
async fn forget(client: &Client, contents: &[BlobId]) {
    for id in contents {
        client.call(&KeepBlob { id: *id, keep: Keep::Pinned(false) }).await.ok();
    }
}
