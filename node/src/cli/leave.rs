//! `leave`

use super::output::block_on;
use super::{Ui, Wait};
use crate::error::Error;

/// Leave the flock, then stop the node
///
/// Others do not miss it and raise no alarm. Its registrations go with it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    ui.confirm("The node will leave the flock and stop.")?;
    block_on(async { ui.connect(args.wait.timeout).await?.leave().await })?;
    ui.say("Left the flock; the node stops.")
}
