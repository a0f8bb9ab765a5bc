//! `make -j20` with the same processes: what the machine itself takes to start them.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use super::{BATCHES, add};
use crate::bench::{Bench, Report, Samples, rig};
use crate::peer::{PeerProcess, find_program};
use crate::process::{Home, PortBlock};
use crate::wait::{self, Seen};
use crate::{Error, sample};

/// How many processes make starts at a time.
const JOBS: &str = "-j20";
/// How long they may take to answer, and to end.
const WITHIN: Duration = Duration::from_secs(30);
/// How often they are called until then.
const CALL_EVERY: Duration = Duration::from_micros(500);

/// Starts as many processes as there are nodes, so many times.
pub(super) async fn measure(
    bench: &Bench,
    rounds: usize,
    report: &mut Report,
) -> Result<(), Error> {
    let Some(make) = find_program("make").filter(|_| bench.peers) else {
        report.leave_out("make", bench.peers);
        return Ok(());
    };
    let home = Home::temporary()?;
    let blocks = (0..bench.nodes).map(|_| PortBlock::reserve()).collect::<Result<Vec<_>, _>>()?;
    let file = home.path().join("Makefile");
    write(&home, &file, &blocks)?;
    let file = file.to_string_lossy().into_owned();
    let mut samples = Samples::new(BATCHES);
    let bar = rig::progress("make", rounds);
    for at in 0..rounds {
        let log = home.path().join("make.log");
        let since = Instant::now();
        let args = [JOBS, "--silent", "--file", &file];
        let mut process = PeerProcess::start(&bench.exe, "make", &make, &args, &log)?;
        let mut pids = Vec::new();
        for block in &blocks {
            pids.push(answer(&mut process, block).await?);
        }
        samples.record(at * BATCHES / rounds, since.elapsed());
        drop(process);
        end(&pids).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    add(report, "make -j20", "start → all answer, of as many processes", &samples);
    Ok(())
}

/// The recipes. Each is a process of make itself, which ends a moment after make does.
fn write(home: &Home, file: &std::path::Path, blocks: &[PortBlock]) -> Result<(), Error> {
    let program = home.path().join("sample");
    let write = || -> std::io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;

        fs::write(&program, sample::PROGRAM)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        let targets: Vec<_> = (0..blocks.len()).map(|at| format!("p{at}")).collect();
        let targets = targets.join(" ");
        let mut text = format!("all: {targets}\n.PHONY: all {targets}\n");
        for (at, block) in blocks.iter().enumerate() {
            let (parent, port) = (sample::WITH_PARENT, block.addr(0).port());
            let _ = write!(text, "p{at}:\n\t@{parent}=1 PORT={port} exec {}\n", program.display());
        }
        fs::write(file, text)
    };
    write().map_err(Error::io("write a Makefile"))
}

async fn answer(process: &mut PeerProcess, block: &PortBlock) -> Result<u32, Error> {
    wait::until_every(CALL_EVERY, "a process of make answers", WITHIN, async || {
        Ok(match sample::call(block.addr(0)).await {
            Ok(answer) => Seen::Done(answer.pid),
            Err(error) => {
                process.check()?;
                Seen::NotYet(format!("  {error}"))
            }
        })
    })
    .await
}

async fn end(pids: &[u32]) -> Result<(), Error> {
    for pid in pids {
        // It may have noticed the end of make.
        sample::kill(*pid).ok();
    }
    let runs = |pid: &&u32| sample::pid(**pid).is_ok_and(crate::process::procfs::is_running);
    wait::until("the processes of make ended", WITHIN, async || {
        let left = pids.iter().find(runs);
        Ok(Seen::when(left.is_none(), (), |()| format!("  {left:?}")))
    })
    .await
}
