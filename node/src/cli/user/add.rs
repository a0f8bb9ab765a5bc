//! `user add`

use std::collections::BTreeSet;

use crux_client::model::DocumentSigner;
use crux_client::op::GetMembers;
use crux_client::parse;
use crux_crdt::Principal;
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Grant, PERMISSIONS_MAX, Permission, Role};
use serde_json::{Value, json};

use super::{Content, Grants, OperatorSigner, Session, Ui, UserState, Writing, Written, words};
use crate::cli::table::short;
use crate::error::{Error, Kind};
use crate::secret::{UserKey, UserPublic};

/// Grant something to the key of a user
///
/// The operator signs it. Adding the same again does nothing; adding a user again with other permissions replaces
/// them. A name is that of one active user, and a key has one name.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the user: lower-case letters, digits and `-`
    name: String,
    /// The public line that `user keygen` printed
    #[arg(long, value_name = "LINE")]
    key: String,
    #[command(flatten)]
    grants: Granted,
    /// How many documents the user may have, deleted ones included
    #[arg(long, value_name = "N", default_value_t = 64)]
    documents: u32,
    #[command(flatten)]
    signer: OperatorSigner,
    #[command(flatten)]
    how: Writing,
}

/// The permissions of the user, one way or the other.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Granted {
    /// A role: viewer, deployer:H or admin
    #[arg(long, value_name = "R")]
    role: Option<String>,
    /// A permission, as in deploy:main; may be given up to 64 times
    #[arg(long, value_name = "PERMISSION")]
    grant: Vec<String>,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let key = public(&args.key)?;
    let grant = grant(args)?;
    let signer = args.signer.read(ui)?;
    let document = crux_crdt::document::Key::grant(&key);
    let (session, basis) = Session::begin_one(signer, &document, args.how.wait, ui)?;
    refuse_other_keys(key, &session, args.how, ui)?;
    let grants = Grants::read(args.how.wait, ui)?;
    refuse_taken(&grants, &key, &grant)?;
    let is_there = |it: &&super::User| it.state == UserState::Active && it.grant == grant;
    if let Some(there) = grants.of_key(&key).filter(is_there) {
        let answer = value(&key, &grant, there.grants_version, None);
        return ui.answer(&answer, || format!("Unchanged: {}", words(&grant)));
    }
    let draft = session.draft(basis, Content::Bytes(grant.to_canonical()));
    let Written::Put(written) = session.write(vec![draft], args.how, ui)? else { return Ok(()) };
    let generation = written.first().map(|it| it.generation);
    let answer = value(&key, &grant, session.grants_version(), generation);
    ui.answer(&answer, || format!("Granted {}", words(&grant)))
}

fn value(key: &Principal, grant: &Grant, grants_version: u64, generation: Option<u64>) -> Value {
    json!({
        "name": grant.name.as_str(),
        "key": key.to_string(),
        "grants": super::permissions(grant),
        "documents": grant.documents,
        "state": UserState::Active.as_str(),
        "grants_version": grants_version,
        "generation": generation,
        "changed": generation.is_some(),
    })
}

/// The key in a public line.
fn public(line: &str) -> Result<Principal, Error> {
    if line.parse::<UserKey>().is_ok() {
        let message = "this is a private key, and its public line is needed";
        return Err(Error::new(Kind::InvalidSecret, message).augment("--key").with_hint(
            "Others may have seen it among the arguments of this process: have the user make another one with \
             `user keygen`, and give the line that it prints.",
        ));
    }
    let UserPublic(key) = line.parse().map_err(|err| Error::from(err).augment("--key"))?;
    Ok(key)
}

fn grant(args: &Args) -> Result<Grant, Error> {
    let name = parse::label("the user's name", &args.name)?;
    if name.as_str() == DocumentSigner::OPERATOR {
        let message = format!("the signer of the operator's documents is shown as {name}");
        return Err(Error::new(Kind::InvalidName, message)
            .augment("the user's name")
            .with_hint("Choose another name."));
    }
    let wrong = |err: String| Error::new(Kind::InvalidArgument, err);
    let permissions: BTreeSet<Permission> = match &args.grants.role {
        Some(role) => {
            let role: Role = role.parse().map_err(|err| wrong(format!("{err}")))?;
            role.permissions()
        }
        None => {
            let parse = |text: &String| text.parse().map_err(|err| wrong(format!("{err}")));
            args.grants.grant.iter().map(parse).collect::<Result<_, _>>()?
        }
    };
    let grant = Grant { name, documents: args.documents, permissions, revoked: false };
    if !grant.is_within_bounds() {
        let most = crux_crdt::document::DOCUMENTS_MAX;
        return Err(wrong("the grant is out of bounds".to_owned()).with_hint(format!(
            "At most {most} documents, {PERMISSIONS_MAX} permissions, and 4 KiB of them together."
        )));
    }
    Ok(grant)
}

/// The operator needs no grant, and a node's key belongs to no person.
fn refuse_other_keys(
    key: Principal,
    session: &Session,
    how: Writing,
    ui: &Ui,
) -> Result<(), Error> {
    if key == session.principal() {
        return Err(Error::new(
            Kind::InvalidArgument,
            "the key is the operator's, who needs no grant",
        )
        .augment("--key"));
    }
    let members = ui.call(&GetMembers, how.wait)?;
    match members.iter().find(|member| member.principal == key) {
        Some(member) => {
            let message = format!("the key is that of the node {}", member.node);
            Err(Error::new(Kind::InvalidArgument, message)
                .augment("--key")
                .with_hint("Make a key for the user with `user keygen`."))
        }
        None => Ok(()),
    }
}

/// A name that an active user has, or a key with another name.
fn refuse_taken(grants: &Grants, key: &Principal, grant: &Grant) -> Result<(), Error> {
    let holds = |it: &&&super::User| !it.grant.revoked && it.key != *key;
    if let Some(other) = grants.named(grant.name.as_str()).iter().find(holds) {
        let message =
            format!("the name {} is that of the user with key {}", grant.name, short(&other.key));
        return Err(Error::new(Kind::NameTaken, message)
            .with_hint("Choose another name, or revoke that user first: `user rm`."));
    }
    match grants.of_key(key).filter(|it| !it.grant.revoked && it.grant.name != grant.name) {
        Some(other) => {
            let message = format!("the key is that of the user {}", other.grant.name);
            Err(Error::new(Kind::AlreadyExists, message).with_hint(format!(
                "Give that name, or revoke it first: `user rm {}`.",
                other.grant.name
            )))
        }
        None => Ok(()),
    }
}
