//! `target rollback`

use crux_client::socket::Door;
use crux_crdt::document::Earlier;

use super::current::{Current, State, earlier};
use super::write::{Next, Writer};
use super::{AnySigner, Ui, Writing, horde};
use crate::cli::output::block_on;
use crate::error::{Error, Kind};

/// Go back to an earlier generation of the target
///
/// Signs its program and its services again, as the next generation, so that going back can be taken back as well.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Generation to go back to, of `target history`; the one before by default
    #[arg(value_name = "GEN")]
    generation: Option<u64>,
    /// Line that `target history` shows beside the generation, at most 256 bytes; `back to generation GEN` by default
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    signer: AnySigner,
    #[command(flatten)]
    how: Writing,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let signer = args.signer.read(None, ui)?;
    let writer = Writer::begin(signer, horde(), args.how, ui)?;
    let (before, target, generation) = block_on(async {
        let client = ui.connect_at(Door::Control, args.how.wait.timeout).await?;
        let current = State::read(&client, writer.horde()).await?.needed(writer.horde())?;
        let to = pick(&current, args.generation)?;
        let generation = to.generation;
        let content = earlier(&client, writer.horde(), to, args.how.wait.timeout).await;
        let content = content.map_err(|err| match err.kind() {
            Kind::BlobUnknown => Error::new(Kind::BlobUnknown, err.to_string()).with_hint(
                "Start the node where that generation, or the one after it, was applied: it has the content.",
            ),
            _ => err,
        })?;
        let note = args.note.clone().unwrap_or_else(|| format!("back to generation {generation}"));
        let target = Next::of(&content, note).target(writer.horde(), Some(&current))?;
        Ok((State::Current(Box::new(current)), target, generation))
    })?;
    let said = format!("Went back to generation {generation}:");
    writer.write(&before, &target, &said, ui).map(drop)
}

/// The generation that is meant.
fn pick(current: &Current, generation: Option<u64>) -> Result<&Earlier, Error> {
    let all = current.target.earlier();
    let Some(generation) = generation else {
        return all.first().ok_or_else(|| {
            let message = format!("there is nothing before generation {}", current.generation);
            Error::new(Kind::NotFound, message)
        });
    };
    if generation == current.generation {
        let message = format!("generation {generation} is the current one");
        return Err(Error::new(Kind::InvalidArgument, message)
            .with_hint("`target history` lists those before it."));
    }
    all.iter().find(|it| it.generation == generation).ok_or_else(|| {
        let message = format!("the target does not name a generation {generation}");
        Error::new(Kind::NotFound, message).with_hint("`target history` lists those that it names.")
    })
}
