//! `apply`

use std::path::PathBuf;
use std::time::Duration;

use crux_client::op::PlanTarget;
use crux_client::parse;
use crux_client::socket::Door;

use super::current::State;
use super::image::Images;
use super::plan::content;
use super::progress::until_settled;
use super::site::Site;
use super::write::{Next, Writer};
use super::{AnySigner, Ui, Writing, horde};
use crate::cli::output::block_on;
use crate::duration;
use crate::error::Error;

/// Make files the target: what the flock is to run, and where
///
/// PATH is a directory or files: one program, a file that ends in .khan, and for each service that it picks a document, a
/// file that ends in .toml. All of it is checked before anything changes, then signed as one document, target/main,
/// which replaces the target before: what that placed and the new one does not name is to stop. Images that are files
/// become blobs of the node. Returns when the target is durable on the node, or with --wait when it is settled; it spreads
/// to all others.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Directories, and files that end in .khan or .toml
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Line that `target history` shows beside the generation, at most 256 bytes
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    note: String,
    /// Id of a plan, as `plan` prints it: refused if the steps are others by now
    #[arg(long, value_name = "ID")]
    plan: Option<String>,
    /// Wait so long until the target is settled, as `status --target` says
    #[arg(long = "wait", value_name = "DURATION", value_parser = duration::parse)]
    settle: Option<Duration>,
    /// Also apply it where no live member holds an image
    #[arg(long)]
    allow_missing: bool,
    #[command(flatten)]
    signer: AnySigner,
    #[command(flatten)]
    how: Writing,
}

pub(in crate::cli) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let site = Site::read(&args.paths, &horde(), ui)?;
    let planned = args.plan.as_deref().map(parse::plan_id).transpose()?;
    let signer = args.signer.read(None, ui)?;
    let writer = Writer::begin(signer, horde(), args.how, ui)?;
    let (before, target) = block_on(async {
        let client = ui.connect_at(Door::Control, args.how.wait.timeout).await?;
        let before = State::read(&client, writer.horde()).await?;
        let mut images = Images::new(&client, args.how.wait);
        let services = images.configs(&site, !args.allow_missing, ui).await?;
        let next = Next { program: site.program, services, note: args.note.clone() };
        let target = next.target(writer.horde(), before.current())?;
        if planned.is_some() {
            client.call(&PlanTarget { target: content(&target), expected: planned }).await?;
        }
        if !writer.is_dry() {
            images.put(ui).await?;
        }
        Ok((before, target))
    })?;
    let written = writer.write(&before, &target, "Applied", ui)?;
    match (written, args.settle) {
        (Some(generation), Some(patience)) => {
            until_settled(generation, patience, args.how.wait, ui)
        }
        _ => Ok(()),
    }
}
