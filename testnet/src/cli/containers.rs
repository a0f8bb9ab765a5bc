//! `crux-testnet containers`: the compose file, in earnest.

use std::path::PathBuf;

use super::stop;
use crate::Error;
use crate::containers::{self, Compose, Engine};
use crate::output::{note, say};

/// Put five containers up from docker-compose.yml, cut, pause, kill and recreate them, and check
///
/// Says why, and exits 0, where there is no container engine. Takes down what it put up.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A static crux-node, of which an image is made
    #[arg(long, value_name = "FILE")]
    binary: PathBuf,
    /// The compose file
    #[arg(long, value_name = "FILE", default_value = "docker-compose.yml")]
    file: PathBuf,
}

/// Tells the story, and takes everything down.
pub(super) async fn run(args: Args) -> Result<(), Error> {
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
    let told = containers::tell(&engine, &compose, |chapter| say(&chapter));
    let told = stop::or_stopped(told).await;
    if told.is_err() {
        let logs = compose.run(&["logs", "--no-color", "--tail", "40"]).await;
        note(logs.unwrap_or_else(|error| error.to_string()));
    }
    let down = compose.down().await;
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
