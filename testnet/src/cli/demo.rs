//! `crux-testnet demo`: the scripted story.

use std::path::PathBuf;

use crate::Error;
use crate::output::{note, say, say_json};
use crate::process::{Cluster, ClusterOptions, Home};
use crate::story::{self, Chapter};

/// Tell a story on a flock of five and check every step of it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write one JSON document to standard output instead of the story
    #[arg(long)]
    json: bool,
}

/// Tells the story; on failure the logs stay.
pub(super) async fn run(args: Args, exe: PathBuf) -> Result<(), Error> {
    let options = ClusterOptions { exe, home: Home::temporary()?, flock: "demo".to_owned() };
    let mut cluster = Cluster::with_nodes(options, story::NODES).await?;
    let mut chapters: Vec<Chapter> = Vec::new();
    let told = story::tell(&mut cluster, |chapter| {
        if !args.json {
            say(&chapter);
        }
        chapters.push(chapter);
    })
    .await;
    if let Err(error) = told {
        cluster.keep_home();
        note(format_args!("logs are kept in {}", cluster.home().path().display()));
        return Err(error);
    }
    cluster.stop_all().await?;
    if args.json {
        say_json(&chapters);
    } else {
        say("the end: everything held");
    }
    Ok(())
}
