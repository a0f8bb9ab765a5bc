//! `user`: the keys to which the operator granted something.

mod add;
mod grants;
mod keygen;
mod ls;
mod rm;

use crux_crdt::document::Grant;

use super::sign::{Content, Draft, OperatorSigner, Session, Writing, Written};
use super::{Ui, Wait, table};
use crate::error::Error;
use grants::{Grants, User, UserState};

/// Make keys of users, and grant and revoke what they may write
///
/// A user is a key with a grant of the operator. A grant names what the user may write, as permissions: `read`,
/// `horde:H`, `hordes`, `nodes`, `deploy:H`, `secrets:PREFIX`, `rules`, `publish`, `exec`, `work:H`; `*` in place of H
/// is every horde. Roles are short for some of them: `viewer` is `read`, `deployer:H` is `read`, `deploy:H` and the
/// secrets of H, and `admin` is all. Grants and settings are the operator's.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Keygen(keygen::Args),
    Add(add::Args),
    Ls(ls::Args),
    Rm(rm::Args),
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    match &args.command {
        Command::Keygen(args) => keygen::run(args, ui),
        Command::Add(args) => add::run(args, ui),
        Command::Ls(args) => ls::run(args, ui),
        Command::Rm(args) => rm::run(args, ui),
    }
}

/// A grant for people.
pub(super) fn words(grant: &Grant) -> String {
    let revoked = if grant.revoked { ", revoked" } else { "" };
    format!(
        "{}: {}; at most {} documents{revoked}",
        grant.name,
        permissions(grant).join(" "),
        grant.documents
    )
}

/// The permissions as they are given.
fn permissions(grant: &Grant) -> Vec<String> {
    grant.permissions.iter().map(ToString::to_string).collect()
}
