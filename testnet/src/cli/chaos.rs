//! `crux-testnet chaos`: faults of every kind on real processes.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crux_sim::scenario::{self, Scenario, Step};
use indicatif::{ProgressBar, ProgressStyle};

use crate::Error;
use crate::chaos::{self, Options, Plan, Ran, Report};
use crate::output::{note, say, write_file};
use crate::process::Home;

/// How many nodes a plan is for.
const NODES: u16 = 7;
/// The longest pause of a client between two calls.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// Break real nodes and the links between them while clients work, and judge what was recorded
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many nodes [default: 7, or what the scenario says]
    #[arg(long, value_parser = clap::value_parser!(u16).range(2..=30))]
    nodes: Option<u16>,
    /// For how long faults come and go
    #[arg(long, default_value_t = 5.0, value_parser = parse_minutes)]
    minutes: f64,
    /// The seed: the same one gives the same plan
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many clients work meanwhile
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
    clients: u16,
    /// Whether somebody lies meanwhile: a member, or a stranger
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    liar: bool,
    /// Run this scenario instead of a plan: its name, or the file it is in
    #[arg(long, value_name = "F", conflicts_with = "minutes")]
    scenario: Option<String>,
    /// Directory to write the plan, the history and the picture to
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print the plan, and do nothing
    #[arg(long)]
    plan: bool,
}

fn parse_minutes(text: &str) -> Result<f64, String> {
    let minutes = text.parse().ok().filter(|minutes| (0.05..=24.0 * 60.0).contains(minutes));
    minutes.ok_or_else(|| "expected a number of minutes from 0.05 to 1440".to_owned())
}

/// The course of a run.
enum Course {
    Plan(Plan),
    Scenario(Scenario, Vec<Step>),
}

impl Course {
    fn draw(args: &Args, time: Duration) -> Result<(Self, usize), Error> {
        let Some(name) = &args.scenario else {
            let nodes = usize::from(args.nodes.unwrap_or(NODES));
            let plan = Plan::draw(args.seed, nodes, time);
            let plan = if args.liar { plan.with_liar(args.seed, time) } else { plan };
            return Ok((Self::Plan(plan), nodes));
        };
        let scenario = find(name)?;
        let nodes = args.nodes.map_or(scenario.nodes, usize::from);
        let steps = scenario.draw(nodes, crux_sim::scenario::seed_of(args.seed));
        Ok((Self::Scenario(scenario, steps), nodes))
    }
}

impl fmt::Display for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(plan) => plan.fmt(f),
            Self::Scenario(_, steps) => steps.iter().try_for_each(|step| writeln!(f, "{step}")),
        }
    }
}

/// A scenario that comes with the program, or one in a file.
pub(super) fn find(name: &str) -> Result<Scenario, Error> {
    let found = match scenario::by_name(name) {
        Some(known) => known,
        None => {
            let text = std::fs::read_to_string(name).map_err(Error::io(format!("read {name}")))?;
            Scenario::parse(name, &text)
                .map_err(|wrong| Error::Broken(format!("{name}: {wrong}")))?
        }
    };
    if found.picket || found.health || found.targets {
        return Err(Error::Broken(format!("{name} lives in virtual time only: run it with `sim`")));
    }
    Ok(found)
}

/// Runs the plan of a seed, or a scenario; on a violation the logs stay.
pub(super) async fn run(args: Args, exe: PathBuf) -> Result<(), Error> {
    let time = Duration::from_secs_f64(args.minutes * 60.0);
    let (course, nodes) = Course::draw(&args, time)?;
    if args.plan {
        say(course.to_string().trim_end());
        return Ok(());
    }
    if let Some(out) = &args.out {
        std::fs::create_dir_all(out).map_err(Error::io(format!("create {}", out.display())))?;
        write_file(&out.join("plan.txt"), &course.to_string())?;
    }
    let options = Options {
        exe,
        nodes,
        clients: usize::from(args.clients),
        pause_max: PAUSE_MAX,
        seed: args.seed,
    };
    let bar = progress(time);
    let told = |at: Duration, what: &str| {
        bar.set_position(at.as_secs());
        let line = format!("{:8.3} s  {what}", at.as_secs_f64());
        // A hidden bar drops its lines.
        if bar.is_hidden() { note(line) } else { bar.println(line) }
    };
    let home = Home::temporary()?;
    let ran = match &course {
        Course::Plan(plan) => chaos::run(&options, home, plan, told).await,
        Course::Scenario(scenario, steps) => {
            chaos::run_script(&options, home, scenario, steps, told).await
        }
    };
    bar.finish_and_clear();
    judge(&args, nodes, ran?)
}

fn judge(args: &Args, nodes: usize, mut ran: Ran) -> Result<(), Error> {
    let report = Report::new(&ran);
    say(format_args!("{nodes} nodes, seed {}: {report}", args.seed));
    if let Some(out) = &args.out {
        let history = serde_json::to_string(&ran.history)
            .map_err(|error| Error::io("write the history")(error.into()))?;
        write_file(&out.join("history.json"), &history)?;
        write_file(
            &out.join("chaos.svg"),
            &chaos::picture(&ran.history, ran.healed, &args.command(nodes)),
        )?;
    }
    if report.violations.is_empty() {
        return Ok(());
    }
    ran.home.keep();
    note(format_args!("logs are kept in {}", ran.home.path().display()));
    let count = report.violations.len();
    Err(Error::Broken(format!("{count} violations; again: {}", args.command(nodes))))
}

impl Args {
    fn command(&self, nodes: usize) -> String {
        let Self { minutes, seed, clients, liar, scenario, .. } = self;
        let what = match scenario {
            Some(name) => format!("--scenario {name}"),
            None => format!("--minutes {minutes} --clients {clients} --liar {liar}"),
        };
        format!("crux-testnet chaos --nodes {nodes} --seed {seed} {what}")
    }
}

fn progress(time: Duration) -> ProgressBar {
    // The template is a constant; a wrong one falls back to the plain bar.
    let style = ProgressStyle::with_template("{spinner} {bar:30} {pos} of {len} s")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(time.as_secs()).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
