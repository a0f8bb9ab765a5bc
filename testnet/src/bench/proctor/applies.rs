//! Targets that are applied where nothing runs.

use std::fs;

use super::{BATCHES, Flock, NAME, add, between};
use crate::bench::{Report, Samples, rig};
use crate::site::{Diary, Document};
use crate::{Error, sample};

/// How large an image is that has to be fetched.
const LARGE: usize = 10_000_000;

/// An image that every node has.
pub(super) async fn there(flock: &Flock, rounds: usize, report: &mut Report) -> Result<(), Error> {
    // It gets the image to every node.
    round(flock, 0, flock.document("warm")).await?;
    let mut samples = Samples::new(BATCHES);
    let bar = rig::progress("apply", rounds);
    for at in 0..rounds {
        let took = round(flock, at, flock.document(&format!("a{at}"))).await?;
        samples.record(at * BATCHES / rounds, took);
        bar.inc(1);
    }
    bar.finish_and_clear();
    add(report, "crux", "apply → ready on all, image there", &samples);
    Ok(())
}

/// An image that the node has to which the target is handed, another one each time.
pub(super) async fn fetched(
    flock: &Flock,
    rounds: usize,
    report: &mut Report,
) -> Result<(), Error> {
    let mut samples = Samples::new(BATCHES);
    let bar = rig::progress("apply, 10 MB", rounds);
    for at in 0..rounds {
        let image = flock.site.dir().with_file_name("large");
        let mut bytes = sample::padded(LARGE);
        let end = bytes.len().saturating_sub(size_of::<usize>());
        bytes[end..].copy_from_slice(&at.to_le_bytes());
        fs::write(&image, bytes).map_err(Error::io(format!("write {}", image.display())))?;
        let document = Document { image, ..flock.document(&format!("b{at}")) };
        samples.record(at * BATCHES / rounds, round(flock, at, document).await?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    add(report, "crux", "apply → ready on all, 10 MB to fetch", &samples);
    Ok(())
}

/// Applies a version on every node; once it runs, ends it again. Returns how long it took until the last was up.
async fn round(flock: &Flock, at: usize, document: Document) -> Result<std::time::Duration, Error> {
    let nodes = flock.cluster.nodes().len();
    flock.site.put(&document)?;
    flock.site.program(&format!("pick({NAME}, {nodes}, ALL)\n"))?;
    let from = Diary::now();
    flock.site.apply(&flock.spec(at)).await?;
    let took = between(from, flock.last_up(nodes, &document.rev, from).await?);
    flock.site.program(&format!("pick({NAME}, 0, ALL)\n"))?;
    flock.site.apply(&flock.spec(at)).await?;
    flock.settled(0).await?;
    Ok(took)
}
