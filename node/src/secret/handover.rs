//! A secret from the environment, which must not stay there.
//!
//! A process's environment is readable for its user in `/proc` for as long as the process lives,
//! whatever the process does to its own copy, and children inherit it. So the process that finds a
//! secret there puts it into an anonymous file and re-executes itself, under the same process id,
//! with the variable taken out. The new image reads the file and empties it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::file::read_line;
#[cfg(target_os = "linux")]
use crate::again::again;
use crate::error::{Error, Kind};

/// The variable that may hold the secret's line.
pub const SECRET_VAR: &str = "CRUX_SECRET";

/// The variable that holds the number of the descriptor handed over. Not for people.
pub const SECRET_FD: &str = "CRUX_SECRET_FD";

/// Takes the secret's line out of this process's environment, of which `vars` is a copy; `None`
/// where it holds none. Where it does, this call replaces the process by itself and the *second*
/// image gets the line. Call it before there are threads that matter.
///
/// # Errors
/// [`Kind::InvalidSecret`] when it is not text, [`Kind::Unsupported`] where the system cannot.
pub fn take_from_process(
    vars: &BTreeMap<String, OsString>,
) -> Result<Option<Zeroizing<String>>, Error> {
    if let Some(line) = vars.get(SECRET_VAR) {
        let line = line.to_str().ok_or(super::SecretError::Character { at: 0 })?;
        return Err(restart_without(line).augment(format!("taking {SECRET_VAR}")));
    }
    vars.get(SECRET_FD).map(receive).transpose()
}

/// Reads what the first image handed over, and empties it.
fn receive(fd: &OsString) -> Result<Zeroizing<String>, Error> {
    let doing = || format!("reading the secret handed over in {SECRET_FD}");
    let number: Option<u32> = fd.to_str().and_then(|fd| fd.parse().ok());
    let wrong = || Error::new(Kind::InvalidConfig, "no descriptor's number").augment(doing());
    let path = PathBuf::from(format!("/proc/self/fd/{}", number.ok_or_else(wrong)?));
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.map_err(|err| Error::io(doing(), &err))?;
    let line = read_line(&file).map_err(|err| err.augment(doing()))?;
    file.set_len(0).map_err(|err| Error::io(doing(), &err))?;
    Ok(line)
}

/// Replaces the process. Returns only when that fails.
#[cfg(target_os = "linux")]
fn restart_without(line: &str) -> Error {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::process::CommandExt as _;

    use rustix::fs::{MemfdFlags, memfd_create};

    // Without CLOEXEC, so that it outlives the image.
    let file = match memfd_create("crux-secret", MemfdFlags::empty()) {
        Ok(fd) => std::fs::File::from(fd),
        Err(err) => return Error::io("making an anonymous file", &err.into()),
    };
    if let Err(err) = (&file).write_all(line.as_bytes()) {
        return Error::io("writing an anonymous file", &err);
    }
    let mut again = again();
    again.env_remove(SECRET_VAR);
    again.env(SECRET_FD, file.as_raw_fd().to_string());
    Error::io("re-executing this program", &again.exec())
        .with_hint("Give the secret in a file, with --secret-file.")
}

/// Other systems have no anonymous files that can be read by path.
#[cfg(not(target_os = "linux"))]
fn restart_without(_: &str) -> Error {
    Error::new(Kind::Unsupported, "this system cannot take a secret out of the environment")
        .with_hint("Give the secret in a file, with --secret-file.")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Seek as _, Write as _};
    use std::os::fd::AsRawFd as _;

    use super::*;

    fn vars(fd: &str) -> BTreeMap<String, OsString> {
        BTreeMap::from([(SECRET_FD.to_owned(), OsString::from(fd))])
    }

    #[test]
    fn what_is_handed_over_is_emptied() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"crux1-x-end").unwrap();
        file.rewind().unwrap();
        let vars = vars(&file.as_raw_fd().to_string());
        let line = take_from_process(&vars).unwrap().unwrap();
        assert_eq!(line.as_str(), "crux1-x-end");
        assert_eq!(file.metadata().unwrap().len(), 0);
    }

    #[test]
    fn nothing_there_is_nothing() {
        assert!(take_from_process(&BTreeMap::new()).unwrap().is_none());
        assert!(take_from_process(&vars("x")).is_err());
        assert!(take_from_process(&vars("../../etc/passwd")).is_err());
    }
}
