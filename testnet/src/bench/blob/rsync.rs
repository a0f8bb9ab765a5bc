use std::path::Path;

use super::Moving;
use crate::Error;
use crate::bench::rig;
use crate::bench::transfer::{Rounds, Transfer};
use crate::peer::rsync::Rsync;
use crate::process::Home;

/// Copies the file by rsync over a local daemon, as it does by itself and durably; nothing: it is not
/// installed.
pub(super) async fn measure(moving: &Moving, file: &Path) -> Result<Vec<Transfer>, Error> {
    let home = Home::temporary()?;
    let (Some(dir), Some(name)) = (file.parent(), file.file_name().and_then(|name| name.to_str()))
    else {
        return Err(Error::Broken(format!("{} is not a file in a directory", file.display())));
    };
    let Some(rsync) = Rsync::start(&moving.bench.exe, dir, home.path()).await? else {
        return Ok(Vec::new());
    };
    let mut figures = Vec::new();
    for (what, flags) in [
        ("1 process → 1 process, in clear", &["--whole-file"][..]),
        ("1 process → 1 process, in clear, durable", &["--whole-file", "--fsync"]),
    ] {
        let mut rounds = Rounds::of_bytes(moving.bytes);
        let bar = rig::progress("rsync", moving.rounds);
        for _ in 0..moving.rounds {
            let to = home.path().join("copy");
            let copied = rsync.copy(name, &to, flags).await?;
            rounds.took(copied.took);
            rounds.cost(copied.cpu_from, copied.cpu_to);
            std::fs::remove_file(&to).map_err(Error::io("remove a copy of rsync"))?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        figures.extend(rounds.figure("rsync", what));
    }
    Ok(figures)
}
