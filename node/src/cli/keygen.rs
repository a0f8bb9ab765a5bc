//! `keygen`

use std::path::{Path, PathBuf};

use crux_client::parse;
use crux_crdt::Principal;
use crux_crdt::name::Label;
use serde_json::json;

use super::Ui;
use crate::error::{Error, Kind};
use crate::outfile::{OutFile, is_stdout};
use crate::secret::{OperatorKey, SecretString, begin, read_secret};

/// The price of a flock without an operator key.
const NO_OPERATOR: &str = "Without an operator key, which cannot be added later, this flock has no \
    documents, hence no users and no settings of the whole flock, and no access rules, hordes, targets \
    or vault once Crux has these; and any two members will be able to evict any other one.";

/// Make the initial secret of a new flock
///
/// Every node of the flock is started with the same secret. Also makes the operator's key, which signs
/// what no node may decide by itself: grants of users, and settings of the flock. Keep it offline. Existing
/// files are never overwritten, unless they are empty. `-` is standard output: a pipe or a terminal, not a
/// file.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the flock: lower-case letters, digits and `-`
    #[arg(long, value_name = "NAME")]
    flock: String,
    /// File to write the secret to, or `-`
    #[arg(long, value_name = "F")]
    out: PathBuf,
    /// File to write the operator's key to, or `-`; `<F>.operator` by default
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
    let to_stdout = is_stdout(&args.out);
    if args.if_missing && to_stdout {
        return Err(Error::new(Kind::InvalidArgument, "nothing can be missing on standard output")
            .with_hint("Leave out --if-missing, or give the path of a file."));
    }
    if args.if_missing && args.out.metadata().is_ok_and(|meta| meta.len() > 0) {
        return keep(&flock, &args.out, ui);
    }
    let operator_path = operator_path(args)?;
    ui.clean_up_on_signals()?;
    let operator = operator_path.is_some().then(OperatorKey::generate).transpose()?;
    let public = operator.as_ref().map(OperatorKey::public);
    let secret = SecretString::generate(flock.clone(), public)?;
    let operator_line = operator.as_ref().map(OperatorKey::expose);
    let operator = operator_path.as_deref().zip(operator_line.as_ref().map(|line| line.as_str()));
    write_both((&args.out, &secret.expose()), operator, ui)?;
    let answer = json!({
        "flock": flock.as_str(),
        "secret_file": args.out,
        "operator_key_file": operator_path,
        "operator": public.map(|key| Principal(key).to_string()),
    });
    let shown = |path: &Path| match is_stdout(path) {
        true => "standard output".to_owned(),
        false => path.display().to_string(),
    };
    let has_secret = to_stdout || operator_path.as_deref().is_some_and(is_stdout);
    let said = || format!("Wrote the secret of flock {flock} to {}", shown(&args.out));
    ui.told(&answer, said, has_secret)?;
    match operator_path {
        Some(path) => ui.note(&format!(
            "Wrote the operator's key to {}\nKeep it offline: its holder decides for the flock.",
            shown(&path)
        )),
        None => ui.note(NO_OPERATOR),
    }
    Ok(())
}

/// Writes the secret and the operator's key, or neither. The key comes first: without it, the secret would
/// be of a flock whose operator is nobody.
fn write_both(
    secret: (&Path, &str),
    operator: Option<(&Path, &str)>,
    ui: &mut Ui,
) -> Result<(), Error> {
    // Nothing has a name before both are written.
    let [operator_out, secret_out] = [operator, Some(secret)].map(|one| {
        let (path, line) = one.filter(|(path, _)| !is_stdout(path))?;
        Some(begin(path, line))
    });
    let (operator_out, secret_out) = (operator_out.transpose()?, secret_out.transpose()?);
    let is_file = operator_out.as_ref().is_some_and(OutFile::is_file);
    finish(operator_out, operator, ui)?;
    finish(secret_out, Some(secret), ui).inspect_err(|_| {
        if let (true, Some((path, _))) = (is_file, operator) {
            // It is a moment old, and of no use.
            std::fs::remove_file(path).ok();
        }
    })
}

/// Gives a file its name, or prints what has no file.
fn finish(out: Option<OutFile>, what: Option<(&Path, &str)>, ui: &mut Ui) -> Result<(), Error> {
    match (out, what) {
        (Some(out), _) => out.finish(),
        (None, Some((_, line))) => ui.print_secret(line),
        (None, None) => Ok(()),
    }
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
    if is_stdout(&args.out) && args.operator_key.is_none() {
        let message = "the secret goes to standard output, and the operator's key nowhere";
        return Err(Error::new(Kind::InvalidArgument, message)
            .with_hint("Say where with --operator-key F2, or add --no-operator."));
    }
    let path = args.operator_key.clone().unwrap_or_else(|| {
        let mut path = args.out.clone().into_os_string();
        path.push(".operator");
        path.into()
    });
    if path == args.out || (is_stdout(&path) && is_stdout(&args.out)) {
        return Err(Error::new(Kind::InvalidArgument, "secret and operator's key in one file")
            .with_hint("Give different paths: the key stays offline, the secret goes to nodes."));
    }
    Ok(Some(path))
}
