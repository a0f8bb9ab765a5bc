//! `forget`

use crux_client::op::Forget;
use crux_client::parse;
use serde_json::json;

use super::{Ui, Wait, table};
use crate::error::Error;

/// Retire a member that is not coming back
///
/// It loses its name and is no longer called. A node that does come back is a member again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name or principal of the node
    node: String,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let node = parse::node(&args.node)?;
    ui.confirm(&format!("The whole flock will forget {}.", args.node))?;
    let principal = ui.call(&Forget { node }, args.wait)?;
    let answer = json!({ "principal": principal.to_string() });
    ui.answer(&answer, || format!("Forgot {} ({})", args.node, table::short(&principal)))
}
