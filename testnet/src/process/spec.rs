//! What a node is started with.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What a node is started with, and started with again after a crash.
///
/// Fields are public so that a test can change one between two starts: another secret, another
/// `join` list, another name.
#[derive(Debug, Clone)]
pub struct NodeSpec {
    /// The name shown; also the name of its data directory.
    pub name: String,
    /// Where it listens; it may use the next two ports as well.
    pub listen: SocketAddr,
    /// Where it says that it is reached; empty: where it listens.
    pub advertise: Vec<SocketAddr>,
    /// The addresses it dials. Empty: it finds peers by other means or stays alone.
    pub join: Vec<SocketAddr>,
    /// Whether it also looks for peers on the link by mDNS.
    pub discover: bool,
    /// The file with the initial secret.
    pub secret: PathBuf,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// Further flags of `run`.
    pub flags: Vec<String>,
    /// Whether it lists itself among the nodes of the person who runs it, so that commands find it.
    pub is_listed: bool,
    /// Where its output goes; appended to, over restarts.
    pub log: PathBuf,
}

impl NodeSpec {
    /// The arguments of `crux-node` that start it.
    #[must_use]
    pub fn run_args(&self) -> Vec<OsString> {
        // A scenario that starts a node that left means it.
        let mut args: Vec<OsString> =
            vec!["run".into(), "--stop-with-stdin".into(), "--rejoin".into()];
        args.extend(["--name".into(), self.name.clone().into()]);
        args.extend(["--listen".into(), self.listen.to_string().into()]);
        for addr in &self.advertise {
            args.extend(["--advertise".into(), addr.to_string().into()]);
        }
        args.extend(["--secret-file".into(), self.secret.clone().into()]);
        args.extend(["--data-dir".into(), self.data_dir.clone().into()]);
        if !self.discover {
            args.extend(["--mdns".into(), "off".into()]);
        }
        for peer in &self.join {
            args.extend(["--join".into(), peer.to_string().into()]);
        }
        args.extend(self.flags.iter().map(Into::into));
        args
    }

    /// Its control socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.data_dir.join("control.sock")
    }

    /// Its principal key.
    #[must_use]
    pub fn principal_key(&self) -> PathBuf {
        self.data_dir.join("principal.key")
    }

    /// Its database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data_dir.join("crux.redb")
    }
}
