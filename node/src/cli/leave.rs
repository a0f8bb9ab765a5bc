//! `leave`

use crux_client::op::Leave;

use super::{Ui, Wait};
use crate::error::Error;

/// Leave the flock, then stop the node
///
/// Others do not miss it and raise no alarm. Its registrations go with it. It does not start again on its
/// data directory until `run --rejoin`, whatever a supervisor does.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    ui.confirm(question)?;
    ui.call(&Leave, args.wait)?;
    ui.say("Left the flock; the node stops.")
}

/// Names the node if nobody did.
pub(super) fn question(ui: &mut Ui) -> Result<String, Error> {
    let found = ui.settle()?.map_or(String::new(), |dir| format!(" of {}", dir.display()));
    Ok(format!("The node{found} will leave the flock and stop."))
}
