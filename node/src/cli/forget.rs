//! `forget`

use crux_client::model::NodeRef;
use crux_client::op::{Forget, GetMembers};
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
    let mut node = parse::node(&args.node)?;
    ui.confirm(|ui| question(&mut node, args.wait, ui))?;
    let principal = ui.call(&Forget { node }, args.wait)?;
    let answer = json!({ "principal": principal.to_string() });
    ui.answer(&answer, || format!("Forgot {} ({})", args.node, table::short(&principal)))
}

/// Names the member, and holds on to it: the name may be another one's by the time of the answer.
pub(super) fn question(node: &mut NodeRef, wait: Wait, ui: &mut Ui) -> Result<String, Error> {
    let found =
        ui.settle()?.map_or(String::new(), |dir| format!("of the node of {} ", dir.display()));
    let members = ui.call(&GetMembers, wait)?;
    let members: Vec<_> = members.into_iter().map(|it| (it.node, it.principal)).collect();
    let (name, principal) = node.pick(&members)?;
    *node = NodeRef::Principal(*principal);
    let digits = table::short(principal);
    Ok(format!("The whole flock {found}will forget {name} ({digits})."))
}
