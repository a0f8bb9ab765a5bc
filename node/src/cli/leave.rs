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
    ui.confirm("The node will leave the flock and stop.")?;
    ui.call(&Leave, args.wait)?;
    ui.say("Left the flock; the node stops.")
}
