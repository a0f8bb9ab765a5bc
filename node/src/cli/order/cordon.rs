//! `cordon`, `uncordon`

use crux_crdt::document::Usage;

use super::write::write;
use super::{AnySigner, Named, Ui, Writing};
use crate::error::Error;

/// Have a node get nothing new from targets
///
/// Its instances stay there. Signs the document node/PRINCIPAL, for which a user needs the permission `nodes`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Cordon {
    /// Name or principal of the node
    node: String,
    #[command(flatten)]
    signer: AnySigner,
    #[command(flatten)]
    how: Writing,
}

/// Have targets use a node again that is drained or cordoned
///
/// Nothing moves back by itself: what runs elsewhere as the target says stays there. Deletes the document
/// node/PRINCIPAL, for which a user needs the permission `nodes`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Uncordon {
    /// Name or principal of the node
    node: String,
    #[command(flatten)]
    signer: AnySigner,
    #[command(flatten)]
    how: Writing,
}

pub(in crate::cli) fn cordon(args: &Cordon, ui: &mut Ui) -> Result<(), Error> {
    change(&args.node, Usage::Cordoned, (&args.signer, args.how), ui)
}

pub(in crate::cli) fn uncordon(args: &Uncordon, ui: &mut Ui) -> Result<(), Error> {
    change(&args.node, Usage::Open, (&args.signer, args.how), ui)
}

fn change(
    node: &str,
    usage: Usage,
    (signer, how): (&AnySigner, Writing),
    ui: &mut Ui,
) -> Result<(), Error> {
    let signer = signer.read(None, ui)?;
    let node = Named::find(node, how.wait, ui)?;
    let Some(given) = write(node, usage, (signer, how), ui)? else { return Ok(()) };
    ui.answer(&given.value(given.word()), || {
        let done = if usage == Usage::Open { "Opened" } else { "Cordoned" };
        given.words(done, given.word())
    })
}
