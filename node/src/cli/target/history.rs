//! `target history`

use crux_client::model::{DocumentSigner, TargetGeneration};
use crux_client::socket::Door;

use super::current::{Current, State, names};
use super::{Ui, Wait, horde};
use crate::cli::output::block_on;
use crate::cli::table::{self, Cell};
use crate::error::Error;

/// List the generations of the target that there is a way back to
///
/// The newest one first: it is current. A target names up to 32 before it, fewer where its services need the room, and at
/// least one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let generations = block_on(async {
        let client = ui.connect_at(Door::Control, args.wait.timeout).await?;
        let state = State::read(&client, &horde()).await?;
        let Some(current) = state.current() else { return Ok(Vec::new()) };
        let earlier = current.target.earlier();
        let names = names(&client, earlier.iter().map(|it| it.by)).await?;
        let earlier = earlier.iter().map(|it| TargetGeneration {
            generation: it.generation,
            by: DocumentSigner {
                principal: it.by,
                name: names.get(&it.by).cloned().unwrap_or_default(),
            },
            note: it.note.clone(),
            current: false,
        });
        Ok(std::iter::once(newest(current)).chain(earlier).collect::<Vec<_>>())
    })?;
    ui.answer(&generations, || text(&generations))
}

fn newest(current: &Current) -> TargetGeneration {
    TargetGeneration {
        generation: current.generation,
        by: current.by.clone(),
        note: current.target.note().to_owned(),
        current: true,
    }
}

fn text(generations: &[TargetGeneration]) -> String {
    let row = |it: &TargetGeneration| {
        let mark = if it.current { " *" } else { "" };
        [
            Cell::from(format!("{}{mark}", it.generation)),
            it.by.to_string().into(),
            it.note.as_str().into(),
        ]
    };
    table::render(["GENERATION", "BY", "NOTE"], generations.iter().map(row).collect())
}
