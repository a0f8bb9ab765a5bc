//! `bench blob`: one file from one node to one other.
//!
//! Both nodes run and are connected before the clock starts, and so is the peer. The file is random, lies
//! in the page cache, and is registered in place. Each round another store takes it in from nothing.
//!
//! * *complete*: every piece is here, and was checked against its root;
//! * *sealed*: its SHA-3 matched, it is durable, and it has its name.
//!
//! The floors say what of that the machine takes: the SHA-3 of the file alone, on one core, and a copy
//! over plain TCP with no hash and no key, durable at the end.

mod floor;
mod iroh;
mod limited;
mod ours;
mod rsync;

use std::path::PathBuf;
use std::time::Duration;

use super::{Bench, Report};
use crate::Error;
use crate::process::Home;

pub use limited::limited;

/// How long one transfer may take before the bench gives up.
const WITHIN: Duration = Duration::from_secs(600);

const COMPLETE: &str = "1 node → 1 node, complete";
const SEALED: &str = "1 node → 1 node, sealed";

/// What `bench blob` is told.
#[derive(Debug, Clone)]
pub struct Moving {
    /// What every bench is told.
    pub bench: Bench,
    /// How large the file is.
    pub bytes: u64,
    /// How often it moves.
    pub rounds: usize,
    /// The program that moves it by iroh-blobs; `None`: where its build command puts it.
    pub iroh: Option<PathBuf>,
}

/// Measures how fast a file gets from one node to another, beside iroh-blobs, rsync and the floors.
///
/// # Errors
///
/// Those of running a flock or a peer.
pub async fn blob(moving: &Moving) -> Result<Report, Error> {
    let mut report = Report::new("blob", moving.bench.nodes);
    report.notes.push(format!(
        "{} bytes over loopback, warm page cache; median (min–max) of the rounds; CPU seconds per GiB",
        moving.bytes
    ));
    let home = Home::temporary()?;
    let file = home.path().join("file");
    super::noise::write(&file, moving.bytes)?;
    report.transfers.extend(ours::measure(moving, &file).await?);
    if moving.bench.peers {
        match moving.iroh.clone().or_else(|| iroh::find(&moving.bench.exe)) {
            Some(program) => report.transfers.extend(iroh::measure(moving, &program, &file).await?),
            None => report.leave_out("iroh-blobs", true),
        }
        let measured = rsync::measure(moving, &file).await?;
        if measured.is_empty() {
            report.leave_out("rsync", true);
        }
        report.transfers.extend(measured);
    } else {
        report.leave_out("iroh-blobs", false);
        report.leave_out("rsync", false);
    }
    report.transfers.extend(floor::measure(moving, &file)?);
    compare(&mut report);
    Ok(report)
}

/// The ratios that are the goals.
fn compare(report: &mut Report) {
    report.compare_rates("complete, rate against iroh-blobs (goal 1.3)", COMPLETE, iroh::COMPLETE);
    report.compare_rates("sealed, time against the SHA-3 alone (goal 1.15)", floor::SHA3, SEALED);
}
