//! `khan solve`

use std::path::{Path, PathBuf};

use crux_khan::pass::{Plan, pass};
use crux_khan::solve::Cost;
use crux_khan::world::bounds::BYTES_MAX;
use crux_khan::world::{ReadError, Scene, read};

use super::Ui;
use super::file::{Source, is_input};
use super::table::{self, Cell};
use crate::error::{Error, Kind};

/// Say what a program would have run where, in a world of your making
///
/// The world is a file of JSON: nodes with their labels, what runs on them, and what they have room for, as
/// docs/reference/khan.md has it. Says each change with its reason, where everything runs then, and what found no room.
/// With --json {"steps", "wanted", "problems", "explain", "cost", "exact"}.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The program; `-` is standard input
    program: PathBuf,
    /// The world; `-` is standard input
    #[arg(long, value_name = "FILE")]
    world: PathBuf,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    if is_input(&args.program) && is_input(&args.world) {
        let message = "both the program and the world are to be read from standard input";
        return Err(
            Error::new(Kind::InvalidArgument, message).with_hint("Give the path of one of them.")
        );
    }
    let source = Source::read(&args.program, ui)?;
    let compiled = crux_khan::compile(&source.bytes);
    if !ui.json() {
        source.show(&compiled.diagnostics, ui);
    }
    let Some(checked) = compiled.checked else {
        return Err(source.refused(&compiled.diagnostics)?);
    };
    let Scene { world, stages } = scene(&args.world, ui)?;
    let plan = pass(&checked, &world, &stages);
    ui.answer(&plan, || text(&plan))
}

fn scene(path: &Path, ui: &mut Ui) -> Result<Scene, Error> {
    let Source { name, bytes } = Source::read_up_to(BYTES_MAX, path, ui)?;
    let invalid = |why: String| {
        Error::new(Kind::InvalidArgument, why)
            .augment(format!("the world in {name}"))
            .with_hint("docs/reference/khan.md has the form of a world.")
    };
    if bytes.len() > BYTES_MAX {
        // Only so much of it was read.
        let message = format!("the world in {name} has more than {BYTES_MAX} bytes");
        return Err(Error::new(Kind::LimitReached, message));
    }
    let text = str::from_utf8(&bytes);
    let text = text.map_err(|err| invalid(format!("byte {} is not UTF-8", err.valid_up_to())))?;
    read(text).map_err(|err: ReadError| invalid(err.to_string()))
}

fn text(plan: &Plan) -> String {
    let mut parts = Vec::new();
    parts.push(match plan.explain.is_empty() {
        true => "Nothing changes.".to_owned(),
        false => plan.explain.join("\n"),
    });
    if !plan.problems.is_empty() {
        let problems: Vec<_> = plan.problems.iter().map(ToString::to_string).collect();
        parts.push(problems.join("\n"));
    }
    let row = |(service, nodes): (&String, &std::collections::BTreeMap<String, u32>)| {
        let each = |(node, count): (&String, &u32)| match count {
            1 => node.clone(),
            count => format!("{node} x{count}"),
        };
        let nodes: Vec<_> = nodes.iter().map(each).collect();
        [Cell::from(service.as_str()), nodes.join(", ").into()]
    };
    if !plan.wanted.is_empty() {
        parts.push(table::render(["SERVICE", "NODES"], plan.wanted.iter().map(row).collect()));
    }
    parts.push(summary(plan));
    parts.join("\n\n")
}

fn summary(plan: &Plan) -> String {
    let Cost { unsolved, missing, starts, .. } = plan.cost;
    let best = if plan.exact { "no solution is better" } else { "the best that was found" };
    format!("{starts} to start, {missing} missing, {unsolved} without a solution: {best}")
}
