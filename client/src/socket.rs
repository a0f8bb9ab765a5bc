//! Where the sockets of a node are.

use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind};

/// The name of the control socket in the data directory.
pub const SOCKET_NAME: &str = "control.sock";

/// The name of the picket's socket in the data directory.
pub const PICKET_SOCKET_NAME: &str = "picket.sock";

/// The sockets of a node. Each is served by a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The fulcrum's: Control and Blobs.
    Control,
    /// The picket's: Services. It answers also while the fulcrum is away.
    Picket,
}

impl Door {
    /// The name of the socket in the data directory.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Control => SOCKET_NAME,
            Self::Picket => PICKET_SOCKET_NAME,
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Control => Self::Picket,
            Self::Picket => Self::Control,
        }
    }

    /// Its name in messages.
    const fn words(self) -> &'static str {
        match self {
            Self::Control => "control socket",
            Self::Picket => "picket's socket",
        }
    }
}

/// Where the control socket of a data directory is. Touches nothing.
///
/// # Errors
/// [`Kind::SocketPathTooLong`] when the system allows no socket of that path.
pub fn path_in(data_dir: &Path) -> Result<PathBuf, Error> {
    path_of(data_dir, Door::Control)
}

/// Where a socket of a data directory is. Touches nothing.
///
/// # Errors
/// [`Kind::SocketPathTooLong`] when the system allows no socket of that path.
pub fn path_of(data_dir: &Path, door: Door) -> Result<PathBuf, Error> {
    let path = data_dir.join(door.name());
    match SocketAddr::from_pathname(&path) {
        Ok(_) => Ok(path),
        Err(_) => {
            let len = path.as_os_str().len();
            let message = format!(
                "the path of the {} has {len} bytes, more than the system allows: {}",
                door.words(),
                path.display()
            );
            Err(Error::new(Kind::SocketPathTooLong, message).with_hint(
                "Give a shorter data directory; a path relative to here counts as it is.",
            ))
        }
    }
}
