//! Which nodes run on this machine for this user, so that a command finds one without being told where.
//!
//! A node that runs is **listed**: a symbolic link to its data directory, named by a hash of that path, in
//! `crux/nodes` below the user's runtime directory (`XDG_RUNTIME_DIR`) and below the user's state directory
//! (`XDG_STATE_HOME`, else `~/.local/state`). Both, because a session may end before its nodes do and takes the
//! runtime directory along, and because the shell that asks may have other variables than the one that
//! started the node.
//!
//! ```text
//!   ~/.local/state/crux/nodes/5f0c9a1b22d8e7f4 -> /home/ada/lab/n1
//! ```
//!
//! **A link proves nothing.** A node counts as running when one of its sockets is this user's and takes a
//! connection: the picket's does also while the fulcrum is away.
//! So a link that a killed node left does no harm; it goes when its data directory is gone. Root, too, follows
//! no link to the socket of another user.
//!
//! **It is a courtesy.** A node that can list itself nowhere runs all the same, and is found with `--data-dir`.
//! The service of the whole machine is found by its place, [`SYSTEM_DIR`], and not by a link: by root
//! also if it runs as another user.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use crux_client::socket::Door;
use crux_crdt::hash::sha3;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// The data directory of the machine's own node, where `docs/start/install.md` and packages put it.
pub(crate) const SYSTEM_DIR: &str = "/var/lib/crux";

/// Where the links are, below a directory of the user.
const LIST: &str = "crux/nodes";
/// How many links of a directory are looked at. More nodes than that are named one by one.
const LINKS_MAX: usize = 256;

/// Where to look for running nodes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nodes {
    /// The data directory of the machine's own node.
    system: Option<PathBuf>,
    /// Directories of this user, which have to be there; the links are in [`LIST`] below them.
    homes: Vec<Home>,
}

/// A directory of the user, and where the list is below it.
#[derive(Debug, Clone)]
struct Home {
    base: PathBuf,
    list: PathBuf,
}

/// A node that is listed; dropping it ends that.
#[derive(Debug)]
pub(crate) struct Listed {
    links: Vec<PathBuf>,
}

impl Nodes {
    /// Those of the machine and of this process's user.
    pub(crate) fn of_process() -> Self {
        let dir = |name: &str| {
            let dir = std::env::var_os(name).map(PathBuf::from);
            dir.filter(|dir| dir.is_absolute())
        };
        let (runtime, state) = (dir("XDG_RUNTIME_DIR"), dir("XDG_STATE_HOME"));
        let home = || dir("HOME").map(|home| Home::new(home, ".local/state"));
        let state = state.map(|dir| Home::new(dir, "")).or_else(home);
        let homes = runtime.map(|dir| Home::new(dir, "")).into_iter().chain(state).collect();
        Self { system: Some(SYSTEM_DIR.into()), homes }
    }

    /// Those of a made-up user, and of a made-up machine.
    #[cfg(test)]
    pub(crate) fn of(system: Option<PathBuf>, homes: &[&Path]) -> Self {
        let homes = homes.iter().map(|home| Home::new((*home).to_owned(), "")).collect();
        Self { system, homes }
    }

    /// The data directory of the machine's own node, if it runs and this user may talk to it.
    pub(crate) fn system_running(&self) -> Option<&Path> {
        self.system().filter(|dir| connects(dir, Place::System))
    }

    /// The data directory of the machine's own node.
    pub(crate) fn system(&self) -> Option<&Path> {
        self.system.as_deref()
    }

    /// Lists the node of a data directory, which runs, wherever that can be done.
    pub(crate) fn list(&self, data_dir: &Path) -> Listed {
        let mut links = Vec::new();
        // The machine's own is found without.
        let target =
            data_dir.canonicalize().ok().filter(|dir| Some(dir.as_path()) != self.system());
        for home in target.iter().flat_map(|_| &self.homes) {
            let target = target.as_deref().unwrap_or(data_dir);
            match home.list(target) {
                Ok(link) => links.push(link),
                Err(error) => {
                    tracing::debug!(%error, dir = %home.list.display(), "this node is not listed there");
                }
            }
        }
        Listed { links }
    }

    /// The data directories of this user's nodes that run and are listed, in order.
    pub(crate) fn running(&self) -> Vec<PathBuf> {
        let listed =
            self.homes.iter().flat_map(Home::listed).filter(|dir| connects(dir, Place::Listed));
        let mut running: Vec<_> = listed.collect();
        running.sort_unstable();
        running.dedup();
        running
    }
}

impl Home {
    fn new(base: PathBuf, below: &str) -> Self {
        let list = base.join(below).join(LIST);
        Self { base, list }
    }

    /// Makes the link, and removes those that lead nowhere.
    fn list(&self, target: &Path) -> io::Result<PathBuf> {
        if !self.base.is_dir() {
            return Err(io::ErrorKind::NotFound.into());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.list)?;
        for link in self.links() {
            if fs::metadata(&link).is_err_and(|err| err.kind() == io::ErrorKind::NotFound) {
                fs::remove_file(&link).ok();
            }
        }
        let hash = sha3("crux/listed/1", &[target.as_os_str().as_bytes()]);
        let link = self.list.join(&hash.to_string()[..16]);
        match symlink(target, &link) {
            // The name says where it leads.
            Err(err) if err.kind() != io::ErrorKind::AlreadyExists => Err(err),
            _ => Ok(link),
        }
    }

    fn links(&self) -> impl Iterator<Item = PathBuf> {
        let entries = fs::read_dir(&self.list).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_symlink()).take(LINKS_MAX)
    }

    fn listed(&self) -> impl Iterator<Item = PathBuf> {
        self.links().filter_map(|link| fs::read_link(link).ok())
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        for link in &self.links {
            fs::remove_file(link).ok();
        }
    }
}

/// How a data directory is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// By a link, which proves nothing.
    Listed,
    /// By its path, [`SYSTEM_DIR`], which only root makes.
    System,
}

/// Whether the owner of a socket is one whose node this user means. The machine's own node often runs as a
/// user of its own, and root administers it.
fn is_meant(owner: u32, me: u32, place: Place) -> bool {
    owner == me || (me == 0 && place == Place::System)
}

/// Whether a node that this user means runs on a data directory: one of its sockets takes a connection. Waits
/// for nothing.
fn connects(data_dir: &Path, place: Place) -> bool {
    [Door::Control, Door::Picket].into_iter().any(|door| connects_at(data_dir, door, place))
}

fn connects_at(data_dir: &Path, door: Door, place: Place) -> bool {
    let path = data_dir.join(door.name());
    let me = rustix::process::geteuid().as_raw();
    if !fs::metadata(&path).is_ok_and(|meta| is_meant(meta.uid(), me, place)) {
        return false;
    }
    let Ok(address) = SocketAddrUnix::new(&path) else { return false };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let Ok(socket) = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None) else {
        return false;
    };
    // One whose queue is full has a node behind it.
    matches!(connect(&socket, &address), Ok(()) | Err(rustix::io::Errno::AGAIN))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use crux_client::socket::SOCKET_NAME;

    use super::*;

    /// A data directory with a socket, and somebody who listens.
    fn node(dir: &Path, name: &str) -> (PathBuf, UnixListener) {
        let data = dir.canonicalize().unwrap().join(name);
        fs::create_dir(&data).unwrap();
        let listener = UnixListener::bind(data.join(SOCKET_NAME)).unwrap();
        (data, listener)
    }

    #[test]
    fn a_node_is_listed_while_it_runs() {
        let dir = tempfile::tempdir().unwrap();
        let (state, runtime) = (dir.path().join("state"), dir.path().join("runtime"));
        fs::create_dir(&state).unwrap();
        let nodes = Nodes::of(None, &[&runtime, &state]);
        let (a, listens) = node(dir.path(), "a");
        let (b, _listens) = node(dir.path(), "b");
        assert!(nodes.running().is_empty());
        let (one, two) = (nodes.list(&a), nodes.list(&b));
        assert_eq!(nodes.running(), [a.clone(), b.clone()]);
        assert!(!runtime.exists(), "a directory of the user's that is not there is not made");
        fs::create_dir(&runtime).unwrap();
        let again = nodes.list(&b);
        assert_eq!(nodes.running(), [a.clone(), b.clone()], "each once");
        drop((two, again));
        assert_eq!(nodes.running(), std::slice::from_ref(&a));
        // It was killed: the link stays and proves nothing.
        drop(listens);
        assert!(nodes.running().is_empty());
        std::mem::forget(one);
        assert_eq!(fs::read_dir(state.join(LIST)).unwrap().count(), 1);
        fs::remove_dir_all(&a).unwrap();
        let _listed = nodes.list(&b);
        assert_eq!(nodes.running(), [b]);
        assert_eq!(fs::read_dir(state.join(LIST)).unwrap().count(), 1, "a link to nowhere is gone");
    }

    /// The fulcrum is away; the picket is there.
    #[test]
    fn a_node_runs_as_long_as_its_picket_answers() {
        let dir = tempfile::tempdir().unwrap();
        let (data, fulcrum) = node(dir.path(), "a");
        let nodes = Nodes::of(None, &[dir.path()]);
        let _listed = nodes.list(&data);
        let _picket = UnixListener::bind(data.join(Door::Picket.name())).unwrap();
        drop(fulcrum);
        assert_eq!(nodes.running(), [data]);
    }

    #[test]
    fn the_machines_own_node_needs_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let (system, _listens) = node(dir.path(), "system");
        let nodes = Nodes::of(Some(system.clone()), &[dir.path()]);
        let _listed = nodes.list(&system);
        assert!(nodes.running().is_empty());
        assert_eq!(nodes.system_running(), Some(system.as_path()));
        assert!(!dir.path().join(LIST).exists());
        // A package runs it as a user of its own. Only root can make that so, here.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(system.join(SOCKET_NAME), Some(1), None).unwrap();
            assert_eq!(nodes.system_running(), Some(system.as_path()));
        }
    }

    #[test]
    fn root_means_the_machines_own_node_whatever_user_it_runs_as() {
        for (owner, me, listed, system) in
            [(7, 7, true, true), (7, 8, false, false), (7, 0, false, true), (0, 7, false, false)]
        {
            assert_eq!(is_meant(owner, me, Place::Listed), listed, "{owner} {me}");
            assert_eq!(is_meant(owner, me, Place::System), system, "{owner} {me}");
        }
    }

    #[test]
    fn where_nothing_can_be_written_nothing_happens() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("crux"), "in the way").unwrap();
        let nodes = Nodes::of(None, &[dir.path()]);
        let (a, _listens) = node(dir.path(), "a");
        drop(nodes.list(&a));
        assert!(nodes.running().is_empty());
    }
}
