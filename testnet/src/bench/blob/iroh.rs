use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::{Moving, WITHIN};
use crate::Error;
use crate::bench::rig;
use crate::bench::transfer::{Rounds, Transfer};
use crate::peer::iroh::Iroh;
use crate::process::{Home, procfs};

pub(super) const COMPLETE: &str = "1 process → 1 process, complete";

/// Where its documented build command puts the program, from the top of the repository.
const PLACE: &str = "bench/iroh/target/release/crux-bench-iroh";

/// The program, if it was built: above this program, or where this was started.
pub(super) fn find(exe: &Path) -> Option<PathBuf> {
    let above = exe.ancestors().map(|dir| dir.join(PLACE));
    above.chain([PathBuf::from(PLACE)]).find(|path| path.is_file())
}

/// Moves the file by iroh-blobs between two processes, each round into a new store.
pub(super) async fn measure(
    moving: &Moving,
    program: &Path,
    file: &Path,
) -> Result<Option<Transfer>, Error> {
    let home = Home::temporary()?;
    let exe = &moving.bench.exe;
    let [file, store] = [file, &home.path().join("from")].map(text);
    let mut from = Iroh::start(exe, program, &["serve", &file?, &store?])?;
    let ticket = said(&mut from).await?["ticket"].as_str().unwrap_or_default().to_owned();
    let mut rounds = Rounds::of_bytes(moving.bytes);
    let bar = rig::progress("iroh-blobs", moving.rounds);
    for _ in 0..moving.rounds {
        let dir = home.path().join("to");
        let before = cpu(&from);
        let mut to = Iroh::start(exe, program, &["get", &ticket, &text(&dir)?])?;
        let done = said(&mut to).await?;
        let Some(seconds) = done["seconds"].as_f64() else {
            return Err(Error::Peer { peer: "iroh-blobs", what: format!("wrote {done}") });
        };
        rounds.took(Duration::from_secs_f64(seconds));
        rounds.cost(cpu(&from).saturating_sub(before), cpu(&to));
        to.stop().await?;
        std::fs::remove_dir_all(&dir).map_err(Error::io("remove a store of iroh-blobs"))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    from.stop().await?;
    Ok(rounds.figure("iroh-blobs", COMPLETE))
}

async fn said(process: &mut Iroh) -> Result<Value, Error> {
    timeout(WITHIN, process.line()).await.map_err(|_| Error::TimedOut {
        what: "iroh-blobs is done".to_owned(),
        within: WITHIN,
        last: "nothing".to_owned(),
    })?
}

fn cpu(process: &Iroh) -> Duration {
    process.pid().and_then(procfs::cpu_time).unwrap_or_default()
}

fn text(path: &Path) -> Result<String, Error> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::Broken(format!("{} is not valid UTF-8", path.display())))
}
