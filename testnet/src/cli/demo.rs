//! `crux-testnet demo`: the scripted story.

use std::path::PathBuf;

use crate::Error;
use crate::chaos::Rig;
use crate::output::{note, say, say_json};
use crate::process::{Cluster, ClusterOptions, Home};
use crate::site::Site;
use crate::story::{self, Chapter};

/// Tell a story on a flock of five and check every step of it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tell the one of a target: three services that are placed, raised, updated, taken back, moved and parted
    #[arg(long)]
    target: bool,
    /// Write one JSON document to standard output instead of the story
    #[arg(long)]
    json: bool,
}

/// Tells the story; on failure the logs stay.
pub(super) async fn run(args: Args, exe: PathBuf) -> Result<(), Error> {
    let mut chapters: Vec<Chapter> = Vec::new();
    let told = |chapter: Chapter| {
        if !args.json {
            say(&chapter);
        }
        chapters.push(chapter);
    };
    match args.target {
        true => of_target(exe, told).await?,
        false => of_flock(exe, told).await?,
    }
    if args.json {
        say_json(&chapters);
    } else {
        say("the end: everything held");
    }
    Ok(())
}

async fn of_flock(exe: PathBuf, told: impl FnMut(Chapter)) -> Result<(), Error> {
    let options = ClusterOptions { exe, home: Home::temporary()?, flock: "demo".to_owned() };
    let mut cluster = Cluster::with_nodes(options, story::NODES).await?;
    let held = story::tell(&mut cluster, told).await;
    keep_if_failed(held, &mut cluster)?;
    cluster.stop_all().await
}

async fn of_target(exe: PathBuf, told: impl FnMut(Chapter)) -> Result<(), Error> {
    let home = Home::temporary()?;
    let site = Site::make(&exe, &home, "demo").await?;
    let mut rig = Rig::new(exe, home, story::NODES).await?;
    let held = story::tell_target(&mut rig, &site, told).await;
    keep_if_failed(held, rig.cluster())?;
    rig.cluster().stop_all().await
}

/// Keeps the logs of a story that did not hold.
fn keep_if_failed(held: Result<(), Error>, cluster: &mut Cluster) -> Result<(), Error> {
    if held.is_err() {
        cluster.keep_home();
        note(format_args!("logs are kept in {}", cluster.home().path().display()));
    }
    held
}
