//! Where the socket of a node is.

use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind};

/// The name of the control socket in the data directory.
pub const SOCKET_NAME: &str = "control.sock";

/// Where the control socket of a data directory is. Touches nothing.
///
/// # Errors
/// [`Kind::SocketPathTooLong`] when the system allows no socket of that path.
pub fn path_in(data_dir: &Path) -> Result<PathBuf, Error> {
    let path = data_dir.join(SOCKET_NAME);
    match SocketAddr::from_pathname(&path) {
        Ok(_) => Ok(path),
        Err(_) => {
            let len = path.as_os_str().len();
            let message = format!(
                "the path of the control socket has {len} bytes, more than the system allows: {}",
                path.display()
            );
            Err(Error::new(Kind::SocketPathTooLong, message).with_hint(
                "Give a shorter data directory; a path relative to here counts as it is.",
            ))
        }
    }
}
