//! `setting set`, `setting unset`

use crux_crdt::Principal;
use crux_crdt::document::{Key, SettingError};
use serde_json::json;
use tracing_subscriber::EnvFilter;

use super::{Content, Named, OperatorSigner, Session, Setting, Ui, Wait, Writing, Written};
use crate::error::{Error, Kind};

/// The hint for a setting that is wrong.
const FORM: &str = "As in `setting set forget_after 24h`, `setting set log info,crux=debug` or `setting set \
                    labels/n1 zone=b,rack=7`.";

/// Change a setting of the whole flock
#[derive(Debug, clap::Args)]
pub(super) struct Set {
    /// Its name: forget_after, log or labels/NODE
    name: String,
    /// Its value: a duration, a filter, or k=v,k=v
    value: String,
    #[command(flatten)]
    signer: OperatorSigner,
    #[command(flatten)]
    how: Writing,
}

/// Take a setting of the whole flock back: each node does as it is configured
#[derive(Debug, clap::Args)]
pub(super) struct Unset {
    /// Its name: forget_after, log or labels/NODE
    name: String,
    #[command(flatten)]
    signer: OperatorSigner,
    #[command(flatten)]
    how: Writing,
}

pub(super) fn set(args: &Set, ui: &mut Ui) -> Result<(), Error> {
    let setting = read(&args.name, &args.value, args.how.wait, ui)?;
    let content = setting.content();
    let key = setting.key().map_err(|err| wrong(&err.to_string()))?;
    let content = Content::Bytes(content.into_bytes());
    write(&key, content, &args.name, (&args.signer, args.how), ui)
}

pub(super) fn unset(args: &Unset, ui: &mut Ui) -> Result<(), Error> {
    let key = match node(&args.name) {
        Some(node) => key_of_labels(Named::find(node, args.how.wait, ui)?.principal)?,
        None => Setting::key_of(&args.name).map_err(|err| wrong(&err.to_string()))?,
    };
    write(&key, Content::Deleted, &args.name, (&args.signer, args.how), ui)
}

fn write(
    key: &Key,
    content: Content,
    name: &str,
    (signer, how): (&OperatorSigner, Writing),
    ui: &mut Ui,
) -> Result<(), Error> {
    let signer = signer.read(ui)?;
    let (session, basis) = Session::begin_one(signer, key, how.wait, ui)?;
    let is_unset = content == Content::Deleted;
    if is_unset && !basis.present {
        let message = format!("the setting {name} is not set");
        return Err(
            Error::new(Kind::NotFound, message).with_hint("`setting ls` lists those that are.")
        );
    }
    let draft = session.draft(basis, content);
    let Written::Put(written) = session.write(vec![draft], how, ui)? else { return Ok(()) };
    let written: Vec<_> = written.iter().map(|it| json!(it)).collect();
    let answer = written.first().cloned().unwrap_or_default();
    ui.answer(&answer, || format!("{} {name}", if is_unset { "Unset" } else { "Set" }))
}

/// Reads a setting as a person writes it.
fn read(name: &str, value: &str, wait: Wait, ui: &Ui) -> Result<Setting, Error> {
    let setting = match name {
        Setting::FORGET_AFTER => Setting::forget_after(value),
        Setting::LOG => {
            let filter = value.parse::<EnvFilter>();
            filter.map_err(|err| wrong(&err.to_string()).augment("log"))?;
            Setting::log(value)
        }
        _ => match node(name) {
            Some(node) => {
                let pairs = value.split(',').filter(|pair| !pair.is_empty());
                // Labels that are wrong in themselves are refused before a node is asked.
                Setting::labels(Principal::default(), pairs.clone())
                    .map_err(|err| wrong(&err.to_string()).augment(name))?;
                Setting::labels(Named::find(node, wait, ui)?.principal, pairs)
            }
            None => Err(SettingError::Unknown),
        },
    };
    setting.map_err(|err| wrong(&err.to_string()).augment(name))
}

/// The node in the name of its labels.
fn node(name: &str) -> Option<&str> {
    name.strip_prefix(Setting::LABELS)?.strip_prefix('/')
}

fn key_of_labels(node: Principal) -> Result<Key, Error> {
    Setting::key_of(&format!("{}/{node}", Setting::LABELS)).map_err(|err| wrong(&err.to_string()))
}

fn wrong(message: &str) -> Error {
    Error::new(Kind::InvalidArgument, message).with_hint(FORM)
}
