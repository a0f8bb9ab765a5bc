//! The peers as supervisors of the same programs.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rustix::process::Pid;

use super::Services;
use super::lives::{Program, System, measure as lives};
use crate::Error;
use crate::bench::Report;
use crate::peer::Packages;
use crate::peer::daemontools::{Daemontools, Supervised};
use crate::peer::supervisord::Supervisord;
use crate::process::{Home, procfs};

/// The names of the peers.
pub(super) const NAMES: [&str; 3] = ["runit", "s6", "supervisord"];

/// The name of the memory of a supervisor, for each program.
pub(super) const MEMORY: &str = "private memory for each service";

/// Measures the starts of each peer's programs.
pub(super) async fn measure(
    what: &Services,
    packages: &Packages,
    bytes: usize,
    names: [&'static str; 2],
    report: &mut Report,
) -> Result<(), Error> {
    for kind in [Daemontools::Runit, Daemontools::S6] {
        let programs = Program::some(what.rounds, bytes)?;
        let home = Home::temporary()?;
        let Some(tools) = Supervised::find(kind, packages, home.path().to_owned()) else {
            absent(kind.name(), report);
            continue;
        };
        for (at, program) in programs.iter().enumerate() {
            tools.prepare(at, &program.image)?;
        }
        let ports = programs.iter().map(|program| program.addr().port()).collect();
        let system = lives(Tools { tools, ports }, &programs, names, report).await?;
        memory(kind.name(), &system.tools.pids(), 1, report);
    }
    let programs = Program::some(what.rounds, bytes)?;
    let home = Home::temporary()?;
    let mut files = Vec::new();
    for (at, program) in programs.iter().enumerate() {
        let file = home.path().join(format!("p{at}"));
        write(&file, &program.image)?;
        files.push((file, program.addr().port()));
    }
    match Supervisord::start(&what.bench.exe, packages, home.path(), &files).await? {
        Some(peer) => {
            let peer = lives(peer, &programs, names, report).await?;
            memory("supervisord", &[peer.pid()], programs.len(), report);
        }
        None => absent("supervisord", report),
    }
    Ok(())
}

/// Notes once what the supervisors of so many programs have in memory alone.
fn memory(system: &'static str, pids: &[Pid], programs: usize, report: &mut Report) {
    let known = report.values.iter().any(|it| it.system == system && it.what == MEMORY);
    if !known {
        let kib = |bytes: u64| bytes as f64 / 1024.0 / programs as f64;
        let all = pids.iter().filter_map(|pid| procfs::private_bytes(*pid)).map(kib).collect();
        report.value(system, MEMORY, "KiB", all);
    }
}

fn absent(system: &'static str, report: &mut Report) {
    if !report.absent.iter().any(|absent| absent.system == system) {
        report.leave_out(system, true);
    }
}

fn write(file: &PathBuf, image: &[u8]) -> Result<(), Error> {
    let write = || {
        std::fs::write(file, image)?;
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))
    };
    write().map_err(Error::io(format!("write {}", file.display())))
}

/// runit or s6.
struct Tools {
    tools: Supervised,
    ports: Vec<u16>,
}

impl System for Tools {
    fn name(&self) -> &'static str {
        self.tools.kind().name()
    }

    async fn start(&mut self, at: usize) -> Result<(), Error> {
        self.tools.start(at, self.ports[at])
    }
}

impl System for Supervisord {
    fn name(&self) -> &'static str {
        "supervisord"
    }

    async fn start(&mut self, at: usize) -> Result<(), Error> {
        self.start_program(at).await
    }
}
