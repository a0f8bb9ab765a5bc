//! `keygen`

use std::path::{Path, PathBuf};

use crux_crdt::Principal;
use crux_crdt::name::Label;
use serde_json::json;

use super::Ui;
use crate::error::{Error, Kind};
use crate::parse;
use crate::secret::{OperatorKey, SecretString, read_secret, write_new};

/// What a flock without an operator key lacks.
const NO_OPERATOR: &str = "Without an operator key, which cannot be added later, this flock will \
    have no documents, hence no access rules, hordes, targets or vault, once Crux has these; and any \
    two members will be able to evict any other one.";

/// Make the initial secret of a new flock
///
/// Every node of the flock is started with the same secret. Also makes the operator's key, which is
/// to sign what no node may decide by itself; nothing asks for it yet. Keep it offline. Existing files
/// are never overwritten.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the flock: lower-case letters, digits and `-`
    #[arg(long, value_name = "NAME")]
    flock: String,
    /// File to write the secret to
    #[arg(long, value_name = "F")]
    out: PathBuf,
    /// File to write the operator's key to; `<F>.operator` by default
    #[arg(long, value_name = "F2", conflicts_with = "no_operator")]
    operator_key: Option<PathBuf>,
    /// Make a flock without an operator
    #[arg(long)]
    no_operator: bool,
    /// If there is a secret of this flock already, keep it and write nothing
    #[arg(long)]
    if_missing: bool,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let flock = parse::label("the flock's name", &args.flock)?;
    if args.if_missing && args.out.exists() {
        return keep(&flock, &args.out, ui);
    }
    let operator_path = operator_path(args)?;
    let operator = operator_path.is_some().then(OperatorKey::generate).transpose()?;
    let public = operator.as_ref().map(OperatorKey::public);
    let secret = SecretString::generate(flock.clone(), public)?;
    write_new(&args.out, &secret.expose())?;
    if let (Some(path), Some(key)) = (&operator_path, &operator) {
        write_new(path, &key.expose()).inspect_err(|_| {
            // A secret whose operator's key is nowhere is of no use. It is a moment old.
            std::fs::remove_file(&args.out).ok();
        })?;
    }
    let answer = json!({
        "flock": flock.as_str(),
        "secret_file": args.out,
        "operator_key_file": operator_path,
        "operator": public.map(|key| Principal(key).to_string()),
    });
    ui.answer(&answer, || format!("Wrote the secret of flock {flock} to {}", args.out.display()))?;
    match operator_path {
        Some(path) => ui.note(&format!(
            "Wrote the operator's key to {}\nKeep it offline: whoever has it will decide for the flock. Nothing uses it yet.",
            path.display()
        )),
        None => ui.note(NO_OPERATOR),
    }
    Ok(())
}

/// Leaves a secret as it is, if it is one of this flock.
fn keep(flock: &Label, path: &Path, ui: &mut Ui) -> Result<(), Error> {
    let secret = read_secret(path)?;
    let parts = secret.parts();
    if parts.flock != *flock {
        let found = format!("{} is a secret of flock {}", path.display(), parts.flock);
        return Err(Error::new(Kind::AlreadyExists, found)
            .with_hint("Secrets are never overwritten. Give another path, or that flock's name."));
    }
    let answer = json!({
        "flock": flock.as_str(),
        "secret_file": path,
        "operator_key_file": null,
        "operator": parts.operator.map(|key| Principal(key).to_string()),
    });
    ui.answer(&answer, || format!("Kept the secret of flock {flock} in {}", path.display()))
}

/// Where the operator's key goes; `None` without an operator.
fn operator_path(args: &Args) -> Result<Option<PathBuf>, Error> {
    if args.no_operator {
        return Ok(None);
    }
    let path = args.operator_key.clone().unwrap_or_else(|| {
        let mut path = args.out.clone().into_os_string();
        path.push(".operator");
        path.into()
    });
    if path == args.out {
        return Err(Error::new(Kind::InvalidArgument, "secret and operator's key in one file")
            .with_hint("Give different paths: the key stays offline, the secret goes to nodes."));
    }
    refuse_existing(&path)?;
    Ok(Some(path))
}

/// Refuses before anything is written, so that the usual slip leaves no trace.
fn refuse_existing(path: &Path) -> Result<(), Error> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(Error::new(Kind::AlreadyExists, format!("{} exists", path.display()))
        .with_hint("Keys are never overwritten. Give another path, or move the file away."))
}
