//! runit and s6: a process for each service, in the layout of daemontools.
//!
//! `runsv DIR` and `s6-supervise DIR` run the program `DIR/run`, and take commands, a letter each, from the pipe
//! `DIR/supervise/control`. They are started here as `runsvdir` and `s6-svscan` do when they find a directory,
//! without the wait until they look for one.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::Packages;
use crate::Error;
use crate::sample::WITH_PARENT;

/// How long one may take to stop before it is killed.
const STOPS_WITHIN: Duration = Duration::from_secs(3);

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Daemontools {
    /// runit.
    Runit,
    /// s6.
    S6,
}

impl Daemontools {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runit => "runit",
            Self::S6 => "s6",
        }
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Runit => "runsv",
            Self::S6 => "s6-supervise",
        }
    }
}

/// Services below one of the two. Dropping stops them.
#[derive(Debug)]
pub struct Supervised {
    kind: Daemontools,
    program: PathBuf,
    /// Ends the supervisor with this process, which costs one more execution.
    setpriv: PathBuf,
    packages: Packages,
    home: PathBuf,
    running: Vec<(PathBuf, Child)>,
}

impl Supervised {
    /// No services yet; their directories are made in `home`. `None`: it is not there.
    #[must_use]
    pub fn find(kind: Daemontools, packages: &Packages, home: PathBuf) -> Option<Self> {
        let (program, setpriv) = (packages.find(kind.program())?, packages.find("setpriv")?);
        let packages = packages.clone();
        Some(Self { kind, program, setpriv, packages, home, running: Vec::new() })
    }

    /// Which of the two it is.
    #[must_use]
    pub const fn kind(&self) -> Daemontools {
        self.kind
    }

    /// Makes the directory of a service with its program.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be written.
    pub fn prepare(&self, at: usize, program: &[u8]) -> Result<(), Error> {
        let dir = self.dir(at);
        let write = || {
            fs::create_dir_all(&dir)?;
            fs::write(dir.join("run"), program)?;
            fs::set_permissions(dir.join("run"), Permissions::from_mode(0o755))
        };
        write().map_err(Error::io(format!("make the service {}", dir.display())))
    }

    /// Starts the supervisor of a service that was prepared, and with it the program.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be started.
    pub fn start(&mut self, at: usize, port: u16) -> Result<(), Error> {
        let dir = self.dir(at);
        let mut command = Command::new(&self.setpriv);
        command.args(["--pdeathsig", "KILL"]).arg(&self.program).arg(&dir);
        command.env("PORT", port.to_string()).env(WITH_PARENT, "1");
        command.envs(self.packages.environment()).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child =
            command.spawn().map_err(Error::io(format!("start {}", self.program.display())))?;
        self.running.push((dir, child));
        Ok(())
    }

    /// The processes of the supervisors.
    #[must_use]
    pub fn pids(&self) -> Vec<Pid> {
        self.running.iter().map(|(_, child)| Pid::from_child(child)).collect()
    }

    fn dir(&self, at: usize) -> PathBuf {
        self.home.join(format!("{}-{at}", self.kind.name()))
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        for (dir, _) in &self.running {
            // Without its supervisor nobody reads the pipe, and the program ends as well.
            let control = dir.join("supervise/control");
            let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
            let pipe = OpenOptions::new().write(true).custom_flags(nonblock).open(control);
            pipe.and_then(|mut pipe| pipe.write_all(b"dx")).ok();
        }
        let deadline = Instant::now() + STOPS_WITHIN;
        for (_, child) in &mut self.running {
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            child.kill().ok();
            child.wait().ok();
        }
    }
}
