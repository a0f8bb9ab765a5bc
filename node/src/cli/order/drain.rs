//! `drain`

use std::time::Duration;

use crux_client::model::NodeUse;
use crux_crdt::document::{NodeOrder, Usage};

use super::follow::{Left, follow, look};
use super::write::write;
use super::{AnySigner, Named, Ui, Writing};
use crate::duration;
use crate::error::{Error, Kind};

/// Have what targets placed on a node run elsewhere
///
/// The node is in no set of a program any more. Each instance on it ends when its replacement is ready; where there is no
/// room for one, it stays. `members` shows the node as draining, then as drained. Signs the document node/PRINCIPAL, for
/// which a user needs the permission `nodes`; `uncordon` takes it back.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Name or principal of the node
    node: String,
    /// End what is left after this long, replaced or not; at most 7d. A new leader begins it again
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    deadline: Option<Duration>,
    /// Wait until nothing is left, by default at most 10m; then the exit code is 6, and the drain continues
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "10m")]
    wait: Option<Duration>,
    #[command(flatten)]
    signer: AnySigner,
    #[command(flatten)]
    how: Writing,
}

pub(in crate::cli) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let usage = Usage::Draining { deadline: args.deadline };
    let order = NodeOrder { usage, ..NodeOrder::default() };
    if !order.is_within_bounds() {
        let message = "the deadline of a drain is in whole milliseconds, at most 7d";
        return Err(Error::new(Kind::InvalidArgument, message).augment("--deadline"));
    }
    let signer = args.signer.read(None, ui)?;
    let node = Named::find(&args.node, args.how.wait, ui)?;
    let Some(given) = write(node, usage, (signer, args.how), ui)? else { return Ok(()) };
    let left = match args.wait {
        Some(limit) => follow(&given.node, (limit, args.how.wait), ui)?,
        None => look(&given.node, args.how.wait, ui)?,
    };
    let (done, node_use) = match left {
        Left::Nothing => ("Drained", NodeUse::Drained.as_str()),
        Left::Some(_) | Left::Other(_) | Left::Unknown => ("Draining", given.word()),
    };
    ui.answer(&given.value(node_use), || given.words(done, node_use))
}
