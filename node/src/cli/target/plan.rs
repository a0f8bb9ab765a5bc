//! `plan`

use std::fmt::Write as _;
use std::path::PathBuf;

use crux_client::model::{PlanAction, PlanProblem, PlanStep, TargetPlan};
use crux_client::op::PlanTarget;
use crux_client::socket::Door;
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::Target;
use crux_crdt::name::ServiceName;

use super::image::Images;
use super::site::Site;
use super::write::Next;
use super::{Ui, Wait, horde};
use crate::cli::output::block_on;
use crate::cli::paint::{Colour, paint};
use crate::cli::table::{self, Cell};
use crate::error::{Error, Exit};

/// How many digits of a version people see.
const DIGITS_SHOWN: usize = 8;

/// Show what `apply` would change, and why
///
/// Steps of instances that start, stop, move and get another version, each with its reason, as the node sees the flock now.
/// Nothing changes. Of a roll-out all places are shown; the leader takes them step by step. `apply --plan` with the id
/// applies the files only if the steps are still the same.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Directories, and files that end in .khan or .toml, as `apply` takes them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Exit with 2 if something would change
    #[arg(long)]
    exit_code: bool,
    /// Also plan where no live member holds an image
    #[arg(long)]
    allow_missing: bool,
    #[command(flatten)]
    wait: Wait,
}

pub(in crate::cli) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, Error> {
    let site = Site::read(&args.paths, &horde(), ui)?;
    let plan = block_on(async {
        let client = ui.connect_at(Door::Control, args.wait.timeout).await?;
        let services =
            Images::new(&client, args.wait).configs(&site, !args.allow_missing, ui).await?;
        let next = Next { program: site.program, services, note: String::new() };
        let target = content(&next.target(&horde(), None)?);
        client.call(&PlanTarget { target, expected: None }).await
    })?;
    ui.answer(&plan, || text(&plan))?;
    Ok(if args.exit_code && !plan.steps.is_empty() { Exit::Usage } else { Exit::Done })
}

/// The content of a target, as it is planned.
pub(super) fn content(target: &Target) -> Vec<u8> {
    target.to_canonical()
}

fn text(plan: &TargetPlan) -> String {
    let mut text = String::new();
    let mut services: Vec<&ServiceName> = Vec::new();
    for step in &plan.steps {
        if !services.contains(&&step.service) {
            services.push(&step.service);
        }
    }
    for service in services {
        let steps = plan.steps.iter().filter(|step| step.service == *service);
        // Writing to a string does not fail.
        _ = writeln!(text, "{service}\n{}\n", indented(steps));
    }
    for PlanProblem { service, kind, missing, why } in &plan.problems {
        let missing = if *missing > 0 { format!(" by {missing}") } else { String::new() };
        let kind = paint(Colour::Doubtful, &format!("{kind}{missing}"));
        _ = writeln!(text, "{service} is {kind}: {why}");
    }
    if !plan.problems.is_empty() {
        text.push('\n');
    }
    if plan.steps.is_empty() {
        text.push_str("Nothing changes.\n");
    } else if !plan.unchanged.is_empty() {
        let names: Vec<_> = plan.unchanged.iter().map(ServiceName::as_str).collect();
        _ = writeln!(text, "Unchanged: {}", names.join(", "));
    }
    if !plan.exact {
        text.push_str("This is the best that was found; a smaller change may exist.\n");
    }
    let base = plan.base.as_ref().map_or_else(
        || "the first target".to_owned(),
        |base| format!("after generation {}", base.generation),
    );
    _ = write!(text, "Plan {}, {base}", plan.id);
    text
}

/// The steps of a service, in columns.
fn indented<'a>(steps: impl Iterator<Item = &'a PlanStep>) -> String {
    let rows: Vec<_> = steps.map(row).collect();
    let table = table::render(["", "", "", ""], rows);
    let lines = table.lines().skip(1).map(|line| format!("  {line}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn row(step: &PlanStep) -> [Cell; 4] {
    let PlanStep { action, node, count, from, to, why, .. } = step;
    let short = |version: &Option<String>| {
        version.as_deref().unwrap_or("?").chars().take(DIGITS_SHOWN).collect::<String>()
    };
    let place = match action {
        PlanAction::Move => format!("{} to {node}", from.as_deref().unwrap_or("?")),
        PlanAction::Roll => format!("{node}, {} to {}", short(from), short(to)),
        PlanAction::Start | PlanAction::Stop | PlanAction::Hold => node.clone(),
    };
    let colour = match action {
        PlanAction::Start => Colour::Good,
        PlanAction::Stop => Colour::Bad,
        PlanAction::Hold | PlanAction::Move | PlanAction::Roll => Colour::Doubtful,
    };
    [
        Cell::painted(colour, action.as_str()),
        count.to_string().into(),
        place.into(),
        why.as_str().into(),
    ]
}
