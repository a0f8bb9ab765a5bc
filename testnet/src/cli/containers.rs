//! `crux-testnet containers`: the compose file, in earnest.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::stop;
use crate::Error;
use crate::containers::{self, Compose, ComposeFile, Engine};
use crate::output::{note, say};

/// Put five containers up from docker-compose.yml, cut, pause, kill and recreate them, and check
///
/// With --scenario what happens is what a scenario says, as for `sim` and `chaos`. Says why, and exits 0,
/// where there is no container engine. Takes down what it put up. Needs nothing of the repository but a
/// binary: the compose file and Dockerfile.static are those that this program was built with.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A static crux-node, of which an image is made; docs/start/containers.md says how to build one
    #[arg(long, value_name = "FILE")]
    binary: PathBuf,
    /// Another compose file than the one that this program was built with
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
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
    let file = ComposeFile::find(args.file.as_deref())?;
    check_binary(&args.binary)?;
    let name = format!("crux-check-{}", std::process::id());
    let image = format!("{name}:static");
    let (engine, compose) = match find(file, &name, &image).await {
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

async fn find(file: ComposeFile, name: &str, image: &str) -> Result<(Engine, Compose), String> {
    let engine = Engine::find().await?;
    let compose = Compose::find(file, name, image).await?;
    Ok((engine, compose))
}

/// Refuses what no image can be made of, before anything is put up.
fn check_binary(path: &Path) -> Result<(), Error> {
    let what = "read the static crux-node (docs/start/containers.md says how to build one)";
    let what = format!("{what} {}", path.display());
    let meta = fs::metadata(path).map_err(Error::io(&what))?;
    if meta.is_file() {
        return Ok(());
    }
    let source = std::io::Error::from(std::io::ErrorKind::IsADirectory);
    Err(Error::Io { what, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_that_is_not_there_is_named_before_anything_is_put_up() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("crux-node");
        let missing = check_binary(&path).expect_err("there is none").to_string();
        assert!(missing.contains("containers.md") && missing.contains("No such file"), "{missing}");
        assert!(check_binary(dir.path()).is_err());
        fs::write(&path, "").expect("a file");
        assert!(check_binary(&path).is_ok());
    }
}
