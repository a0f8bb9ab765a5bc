//! `forget`

use serde_json::json;

use super::output::block_on;
use super::{Ui, Wait, table};
use crate::error::Error;
use crate::parse;

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
    let talk = async { ui.connect(args.wait.timeout).await?.forget(&node).await };
    let principal = block_on(talk)?;
    let answer = json!({ "principal": principal.to_string() });
    ui.answer(&answer, || format!("Forgot {} ({})", args.node, table::short(&principal)))
}
