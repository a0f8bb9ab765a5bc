//! One peer as a tethered child process.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;

use super::TETHER_VERB;
use crate::Error;

/// One running peer. Dropping kills it and reaps it.
#[derive(Debug)]
pub struct PeerProcess {
    name: String,
    log: PathBuf,
    child: Child,
}

impl PeerProcess {
    /// Starts `program` with `args`, tethered to this process; its output is appended to `log`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be started.
    pub fn start(
        exe: &Path,
        name: &str,
        program: &Path,
        args: &[impl AsRef<OsStr>],
        log: &Path,
    ) -> Result<Self, Error> {
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .map_err(Error::io(format!("open {}", log.display())))?;
        let errors = out.try_clone().map_err(Error::io("share the log file"))?;
        let child = Command::new(exe)
            .arg(TETHER_VERB)
            .arg(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(Error::io(format!("start {}", program.display())))?;
        Ok(Self { name: name.to_owned(), log: log.to_owned(), child })
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Nothing, unless it has ended by itself.
    ///
    /// # Errors
    ///
    /// [`Error::Died`] with the end of its log.
    pub fn check(&mut self) -> Result<(), Error> {
        let ended = self.child.try_wait().map_err(Error::io(format!("ask after {}", self.name)))?;
        match ended {
            None => Ok(()),
            Some(status) => Err(Error::Died {
                name: self.name.clone(),
                status,
                log: self.log.clone(),
                tail: crate::process::tail(&self.log),
            }),
        }
    }

    /// Sends SIGKILL and returns at once; dropping reaps.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the system refuses.
    pub fn strike(&mut self) -> Result<(), Error> {
        self.child.kill().map_err(Error::io(format!("kill {}", self.name)))
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        // Nothing can be done about a refusal here; the tether still kills it with this process.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The program of this name on the search path, if it is installed.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_there_is_found_and_another_is_not() {
        assert!(find_program("sh").is_some());
        assert!(find_program("no-such-program-anywhere").is_none());
    }
}
