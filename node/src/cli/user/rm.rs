//! `user rm`
//!
//! A revocation has three steps, and each is a request of its own.
//!
//! 1. **The grants.** The grant of the user is signed as revoked, and all other ones again, under a version of the
//!    grants that is one greater. From then on nothing counts that the user signs, and whatever is signed under the
//!    greater version wins over all that the user wrote or may still write.
//! 2. **The documents** that the user wrote and the operator keeps, signed again by the operator under that version.
//! 3. **The number** of documents in the revoked grant, which counts against what all users together may have, becomes
//!    the number that is there. Not before the second step: where a replica holds more, it drops some.
//!
//! Invariant: each step does only what is not done yet, so an interrupted run is finished by running it again. The
//! version is raised at most once for a user. A document that the user could not write under the grant was void before,
//! and stays so.

use std::collections::BTreeSet;

use crux_client::Client;
use crux_client::model::{DocumentEntry, DocumentState};
use crux_client::op::{ListDocuments, ShowDocument};
use crux_client::parse;
use crux_client::socket::Door;
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Grant, Key};
use serde_json::json;

use super::{Content, Draft, Grants, OperatorSigner, Session, Ui, User, UserState, Wait, Writing};
use crate::cli::output::block_on;
use crate::error::{Error, Kind};

/// Revoke all that was granted to a user
///
/// Nothing counts any longer that the user signs. The operator signs again all that the user wrote so far, so that it
/// stays; --without leaves keys out, which are void then. The other users keep their grants. A run that was interrupted
/// is finished by running it again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the user, or the 64 digits of its key
    #[arg(value_name = "NAME|KEY")]
    user: String,
    /// Do not keep what the user wrote under this key; may be given several times
    #[arg(long, value_name = "KEY")]
    without: Vec<String>,
    #[command(flatten)]
    signer: OperatorSigner,
    #[command(flatten)]
    how: Writing,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let without = args.without.iter().map(|key| parse::document_key(key));
    let without: BTreeSet<Key> = without.collect::<Result<_, _>>()?;
    let signer = args.signer.read(ui)?;
    let (mut session, _) = Session::begin(signer, &[], args.how.wait, ui)?;
    let grants = Grants::read(args.how.wait, ui)?;
    let removed = find(&grants, &args.user)?;
    let mut dry = Vec::new();
    let revoked = revoke(&mut session, &grants, removed, args.how, ui)?;
    step(&session, revoked, args.how, &mut dry, ui)?;
    let kept = keep(&session, removed, &without, args.how, ui)?;
    let rewritten: Vec<_> = kept.iter().map(|draft| draft.key.to_string()).collect();
    step(&session, kept, args.how, &mut dry, ui)?;
    let shrunk = shrink(&session, removed, args.how, ui)?;
    step(&session, shrunk.into_iter().collect(), args.how, &mut dry, ui)?;
    if args.how.dry_run {
        return session.write(dry, args.how, ui).map(drop);
    }
    let version = session.grants_version();
    let answer = json!({ "grants_version": version, "rewritten": rewritten });
    ui.answer(&answer, || {
        let name = &removed.grant.name;
        let kept = match rewritten.as_slice() {
            [] => "nothing of what the user wrote".to_owned(),
            keys => keys.join(", "),
        };
        format!("Revoked {name}: grants version {version}. Signed again: {kept}")
    })
}

/// Hands one step in; with `--dry-run` keeps it, so that all are printed together.
fn step(
    session: &Session,
    drafts: Vec<Draft>,
    how: Writing,
    dry: &mut Vec<Draft>,
    ui: &mut Ui,
) -> Result<(), Error> {
    if how.dry_run {
        dry.extend(drafts);
        return Ok(());
    }
    session.write(drafts, how, ui).map(drop)
}

/// The user of a name or a key. Of several with one name, the one that is not revoked.
fn find<'a>(grants: &'a Grants, user: &str) -> Result<&'a User, Error> {
    if let Ok(key) = user.parse() {
        return grants.of_key(&key).ok_or_else(unknown);
    }
    let name = parse::label("the user's name", user)?;
    match grants.named(name.as_str()).as_slice() {
        [] => Err(unknown()),
        [first, second, ..] if first.grant.revoked && second.grant.revoked => {
            let message = format!("several users were called {name}, and all are revoked");
            Err(Error::new(Kind::InvalidArgument, message)
                .with_hint("Give the key of the one that is meant: `user ls --json` has it."))
        }
        [first, ..] => Ok(first),
    }
}

fn unknown() -> Error {
    Error::new(Kind::NotFound, "there is no such user").with_hint("`user ls` lists them.")
}

/// The grants that have to be signed, the one that is revoked first.
fn revoke(
    session: &mut Session,
    grants: &Grants,
    removed: &User,
    how: Writing,
    ui: &Ui,
) -> Result<Vec<Draft>, Error> {
    if removed.state == UserState::Active {
        session.raise(session.grants_version() + 1);
    }
    let version = session.grants_version();
    let mut signed: Vec<(Key, Grant)> = Vec::new();
    if removed.state != UserState::Revoked {
        signed.push((removed.document(), Grant { revoked: true, ..removed.grant.clone() }));
    }
    let others = grants.users.iter().filter(|user| user.key != removed.key && !user.grant.revoked);
    let behind = others.filter(|user| user.grants_version < version);
    signed.extend(behind.map(|user| (user.document(), user.grant.clone())));
    let keys: Vec<_> = signed.iter().map(|(key, _)| key.clone()).collect();
    let bases = session.bases(&keys, how.wait, ui)?;
    let drafts = bases.into_iter().zip(signed);
    Ok(drafts
        .map(|(basis, (_, grant))| session.draft(basis, Content::Bytes(grant.to_canonical())))
        .collect())
}

/// The documents that the user wrote, that are shown, and that the grant covered, as the operator signs them.
fn keep(
    session: &Session,
    removed: &User,
    without: &BTreeSet<Key>,
    how: Writing,
    ui: &mut Ui,
) -> Result<Vec<Draft>, Error> {
    let granted = Grant { revoked: false, ..removed.grant.clone() };
    let is_kept = |entry: &DocumentEntry| {
        entry.signer.principal == removed.key
            && granted.covers(&entry.key)
            && !without.contains(&entry.key)
    };
    let (contents, conflicts) = read(is_kept, how.wait, ui)?;
    if !conflicts.is_empty() {
        ui.note(&format!(
            "In conflict, and settled in favour of what is shown: {}",
            conflicts.join(", ")
        ));
    }
    let keys: Vec<_> = contents.iter().map(|(key, _)| key.clone()).collect();
    let bases = session.bases(&keys, how.wait, ui)?;
    let drafts = bases.into_iter().zip(contents);
    Ok(drafts.map(|(basis, (_, content))| session.draft(basis, content)).collect())
}

/// The revoked grant with the number of documents that there are, if it allows more.
fn shrink(
    session: &Session,
    removed: &User,
    how: Writing,
    ui: &Ui,
) -> Result<Option<Draft>, Error> {
    let (mut basis, held) = session.held(removed.key, &removed.document(), how.wait, ui)?;
    let documents = u32::try_from(held).unwrap_or(u32::MAX);
    if documents >= removed.grant.documents {
        return Ok(None);
    }
    // A dry run signed nothing in the first step.
    if how.dry_run && removed.state != UserState::Revoked {
        basis.next_generation += 1;
    }
    let grant = Grant { revoked: true, documents, ..removed.grant.clone() };
    Ok(Some(session.draft(basis, Content::Bytes(grant.to_canonical()))))
}

/// The contents of some documents, and the keys of those that have a rival.
type Found = (Vec<(Key, Content)>, Vec<String>);

/// Reads some documents.
fn read(is_meant: impl Fn(&DocumentEntry) -> bool, wait: Wait, ui: &Ui) -> Result<Found, Error> {
    block_on(async {
        let client: Client = ui.connect_at(Door::Control, wait.timeout).await?;
        let entries = client.call(&ListDocuments::default()).await?;
        let (mut contents, mut conflicts) = (Vec::new(), Vec::new());
        for entry in entries.into_iter().filter(|entry| is_meant(entry)) {
            let shown = client.call(&ShowDocument { key: entry.key }).await?;
            // Another write may have come since.
            if !is_meant(&shown.entry) {
                continue;
            }
            if shown.rival.is_some() || shown.entry.state == DocumentState::Conflict {
                conflicts.push(shown.entry.key.to_string());
            }
            let content = shown.content.map_or(Content::Deleted, Content::Bytes);
            contents.push((shown.entry.key, content));
        }
        Ok((contents, conflicts))
    })
}
