//! `crux-testnet containers`: the compose file, in earnest.

use std::path::PathBuf;
use std::time::Duration;

use super::stop;
use crate::Error;
use crate::containers::{self, Compose, Engine};
use crate::output::{note, say};

/// Put five containers up from docker-compose.yml, cut, pause, kill and recreate them, and check
///
/// With --scenario what happens is what a scenario says, as for `sim` and `chaos`. Says why, and exits 0, where there is no container engine. Takes down what it put up.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A static crux-node, of which an image is made
    #[arg(long, value_name = "FILE")]
    binary: PathBuf,
    /// The compose file
    #[arg(long, value_name = "FILE", default_value = "docker-compose.yml")]
    file: PathBuf,
    /// Run this scenario instead of the story: its name, or the file it is in
    #[arg(long, value_name = "F")]
    scenario: Option<String>,
    /// The seed that a scenario is drawn from
    #[arg(long, default_value_t = 1, requires = "scenario")]
    seed: u64,
}

/// Tells the story, and takes everything down.
pub(super) async fn run(args: Args) -> Result<(), Error> {
    let scenario = args.scenario.as_deref().map(super::chaos::find).transpose()?;
    let name = format!("crux-check-{}", std::process::id());
    let image = format!("{name}:static");
    let (engine, compose) = match find(&args, &name, &image).await {
        Ok(found) => found,
        Err(why) => {
            say(format_args!("skipped: {why}"));
            return Ok(());
        }
    };
    note(format_args!("engine {}, project {name}", engine.version));
    containers::build_image(&engine, &args.binary, &image).await?;
    let told = match &scenario {
        None => {
            let told = containers::tell(&engine, &compose, |chapter| say(&chapter));
            stop::or_stopped(told).await
        }
        Some(scenario) => {
            let steps = scenario.draw(scenario.nodes, crux_sim::scenario::seed_of(args.seed));
            let told =
                |at: Duration, what: &str| say(format_args!("{:8.3} s  {what}", at.as_secs_f64()));
            let ran =
                containers::run_script(&engine, &compose, scenario, scenario.nodes, &steps, told);
            stop::or_stopped(ran).await
        }
    };
    if told.is_err() {
        let logs = compose.run(&["logs", "--no-color", "--tail", "40"]).await;
        note(logs.unwrap_or_else(|error| error.to_string()));
    }
    let down = compose.down().await;
    // Only a scenario makes it, and only one that ends within a cut leaves it.
    drop(engine.docker(["network", "rm", &compose.named("side")]).await);
    let removed = engine.docker(["image", "rm", "--force", &image]).await;
    told?;
    down?;
    removed?;
    say("the end: everything held");
    Ok(())
}

async fn find(args: &Args, name: &str, image: &str) -> Result<(Engine, Compose), String> {
    let engine = Engine::find().await?;
    let compose = Compose::find(&args.file, name, image).await?;
    Ok((engine, compose))
}
