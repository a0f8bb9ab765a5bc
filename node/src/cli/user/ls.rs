//! `user ls`

use super::{Grants, Ui, User, UserState, Wait, permissions, table};
use crate::cli::paint::Colour;
use crate::cli::table::Cell;
use crate::error::Error;

/// List users, and what the operator granted to each
///
/// A grant that is `void` has no effect: the version of the grants rose without it. Run the `user rm` that raised it
/// again, or `user add` for that user.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let grants = Grants::read(args.wait, ui)?;
    let values: Vec<_> = grants.users.iter().map(User::value).collect();
    ui.answer(&values, || text(&grants.users))
}

fn text(users: &[User]) -> String {
    let row = |user: &User| {
        [
            Cell::from(user.grant.name.as_str()),
            table::short(&user.key).into(),
            Cell::painted(colour(user.state), user.state.as_str()),
            user.grant.documents.to_string().into(),
            permissions(&user.grant).join(" ").into(),
        ]
    };
    table::render(["NAME", "KEY", "STATE", "DOCUMENTS", "GRANTS"], users.iter().map(row).collect())
}

fn colour(state: UserState) -> Colour {
    match state {
        UserState::Active => Colour::Good,
        UserState::Revoked => Colour::Faint,
        UserState::Void => Colour::Bad,
    }
}
