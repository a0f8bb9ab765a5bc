//! `crux-testnet up`: a flock to play with.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::process::Signal;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use super::stop::StopSignals;
use crate::Error;
use crate::output::{note, say, say_json};
use crate::process::{Cluster, ClusterOptions, FORM_WITHIN, FlockStatus, Home};
use crate::site::{Census, Document, Site};
use crate::view::{FlockView, commands_of_target, commands_to_try, flock_table, short};

/// How long a node of the demo's target is dead until its services run elsewhere: short enough to watch.
const REPLACE_AFTER: Duration = Duration::from_secs(2);

/// How often the table is redrawn and the processes are polled.
const REFRESH: Duration = Duration::from_millis(500);

/// Start a flock on this machine and show it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many nodes
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=200))]
    nodes: u16,
    /// Where to keep the flock, to bring it up again later [default: a temporary directory]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The name of the flock, when it is made
    #[arg(long, default_value = "testnet")]
    flock: String,
    /// Write one JSON document to standard output when the flock has formed
    #[arg(long)]
    json: bool,
    /// Stop as soon as the flock has formed
    #[arg(long)]
    once: bool,
    /// Apply this target once the flock has formed: services for you to move by killing nodes
    #[arg(long, value_enum)]
    target: Option<Target>,
}

/// The targets that the testnet brings.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Target {
    /// Three services: one on three nodes, one beside it, one on two nodes.
    Demo,
}

/// The program of the demo.
const PROGRAM: &str = "web := pick(web, 3, ALL)    # at most one on a node, while there are three
pick(api, 1, web)            # beside one of web
pick(job, 2, ALL)
start api after 50% of web.ready
";
/// The services of the demo, and how many instances each has.
const SERVICES: [(&str, usize); 3] = [("web", 3), ("api", 1), ("job", 2)];

/// The JSON document.
#[derive(Debug, Serialize)]
struct Formed<'a> {
    /// From the start of the last process to agreement of all.
    formed_ms: u128,
    dir: String,
    #[serde(flatten)]
    view: &'a FlockView,
}

/// Starts the flock, shows it and stops it; on failure its directory stays.
pub(super) async fn run(args: Args, exe: PathBuf) -> Result<(), Error> {
    let mut stop = StopSignals::listen()?;
    let home = match &args.dir {
        Some(dir) => Home::at(dir)?,
        None => Home::temporary()?,
    };
    let site = match args.target {
        Some(Target::Demo) => Some(Site::make(&exe, &home, &args.flock).await?),
        None => None,
    };
    let options = ClusterOptions { exe, home, flock: args.flock.clone() };
    let mut cluster = Cluster::with_nodes(options, usize::from(args.nodes)).await?;
    cluster.list_nodes();
    let ran = tokio::select! {
        ran = show(&args, site.as_ref(), &mut cluster) => ran,
        () = stop.next() => Ok(()),
    };
    if let Err(error) = ran {
        cluster.keep_home();
        note(format_args!("logs are kept in {}", cluster.home().path().display()));
        return Err(error);
    }
    let running = cluster.nodes().iter().filter(|node| node.is_started()).count();
    note(format_args!("stopping {running} nodes"));
    cluster.stop_all().await?;
    note("all stopped");
    Ok(())
}

/// Brings the flock up and shows it until a node crashes, or once.
async fn show(args: &Args, site: Option<&Site>, cluster: &mut Cluster) -> Result<(), Error> {
    let home = cluster.home().path().display().to_string();
    note(format_args!("starting {} nodes in {home}", args.nodes));
    let started = cluster.start_all()?;
    form(cluster).await?;
    let took = started.elapsed();
    note(format_args!("one flock after {took:.2?}"));
    if let Some(site) = site {
        place(site, cluster).await?;
    }
    let view = FlockView::look(cluster).await?;
    if args.json {
        say_json(&Formed { formed_ms: took.as_millis(), dir: home, view: &view });
    }
    if args.once {
        if !args.json {
            say(flock_table(&view));
        }
        return Ok(());
    }
    go_on(args, site, cluster, &view).await
}

/// Applies the target of the demo, and waits until all of it runs.
async fn place(site: &Site, cluster: &Cluster) -> Result<(), Error> {
    site.program(PROGRAM)?;
    for (service, _) in SERVICES {
        let document = site.document(service, "v1");
        site.put(&Document { replace_after: REPLACE_AFTER, ..document })?;
    }
    let since = Instant::now();
    let generation = site.apply(cluster.nodes()[0].spec()).await?;
    let runs = |census: &Census| census.counts(&SERVICES);
    Census::first(cluster, "the target runs", FORM_WITHIN, runs).await?;
    note(format_args!("generation {generation} of the target runs after {:.2?}", since.elapsed()));
    Ok(())
}

/// Shows how many agree until all do.
async fn form(cluster: &mut Cluster) -> Result<FlockStatus, Error> {
    let nodes = cluster.nodes().len();
    let bar = ProgressBar::new(nodes as u64)
        .with_style(style("{spinner} {bar:20} {pos} of {len} see all; {msg} ({elapsed})"));
    bar.enable_steady_tick(Duration::from_millis(100));
    let formed = cluster
        .until("all nodes agree", FORM_WITHIN, |statuses| {
            bar.set_position(statuses.meeting() as u64);
            bar.set_message(match (statuses.leader(), statuses.digest()) {
                (Some(leader), Some(digest)) => {
                    format!("leader {}, digest {}", leader.node, short(&digest.to_string()))
                }
                (Some(leader), None) => format!("leader {}", leader.node),
                (None, _) => "no leader yet".to_owned(),
            });
            statuses.is_agreed()
        })
        .await;
    bar.finish_and_clear();
    formed
}

/// Keeps looking: draws the table in place on a terminal, else prints it once. Returns only when a
/// node has crashed.
async fn go_on(
    args: &Args,
    site: Option<&Site>,
    cluster: &mut Cluster,
    first: &FlockView,
) -> Result<(), Error> {
    let live = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout())
        .with_style(style("{msg}"));
    let drawn = !args.json && !live.is_hidden();
    let hints = match site {
        Some(site) => commands_of_target(cluster.exe(), first, site),
        None => commands_to_try(cluster.exe(), first),
    };
    let hints = hints.join("\n  ");
    let hints = format!("try from another terminal:\n  {hints}\nCtrl-C stops all.");
    match (args.json, drawn) {
        (true, _) => note(&hints),
        (false, true) => say(&hints),
        (false, false) => say(format_args!("{}\n{hints}", flock_table(first))),
    }
    let mut ticks = interval(REFRESH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let started = Instant::now();
    loop {
        ticks.tick().await;
        refuse_crashes(cluster)?;
        if drawn {
            let view = FlockView::look(cluster).await?;
            let up = Duration::from_secs(started.elapsed().as_secs());
            live.set_message(format!("{}\nup {up:?}", flock_table(&view)));
        }
    }
}

/// Fails when a node has ended in a way that nobody asked for.
///
/// Once the flock has formed, a person may `leave` a node, stop it or kill it to see what the
/// others make of it; that is what a testnet is for. A panic, an error exit or a fault is not.
fn refuse_crashes(cluster: &mut Cluster) -> Result<(), Error> {
    for at in 0..cluster.nodes().len() {
        let node = cluster.node(at);
        if let Some(status) = node.ended()?.filter(|status| !was_asked_for(*status)) {
            return Err(node.died(status));
        }
    }
    Ok(())
}

fn was_asked_for(status: ExitStatus) -> bool {
    let by_hand = [Signal::KILL, Signal::TERM, Signal::INT].map(Signal::as_raw);
    status.success() || status.signal().is_some_and(|signal| by_hand.contains(&signal))
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants; a wrong one falls back to the plain bar.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_by_hand_is_asked_for_and_a_crash_is_not() {
        let signalled = |signal: Signal| ExitStatus::from_raw(signal.as_raw());
        assert!(was_asked_for(ExitStatus::from_raw(0)));
        assert!(was_asked_for(signalled(Signal::KILL)));
        assert!(!was_asked_for(signalled(Signal::ABORT)));
        assert!(!was_asked_for(ExitStatus::from_raw(1 << 8)));
    }
}
