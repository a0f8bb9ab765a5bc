//! Where the picket keeps its files.

use std::path::{Path, PathBuf};

use crux_crdt::name::ServiceName;
use crux_protocol::picket::InstanceId;

/// The data directory of a node, as its picket sees it. Absolute, because programs are told paths in it.
#[derive(Debug, Clone)]
pub(super) struct Places {
    data_dir: PathBuf,
}

impl Places {
    pub(super) fn new(data_dir: &Path) -> std::io::Result<Self> {
        Ok(Self { data_dir: std::path::absolute(data_dir)? })
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The picket's own directory.
    pub(super) fn picket(&self) -> PathBuf {
        self.data_dir.join("picket")
    }

    /// The directories of all instances.
    pub(super) fn instances(&self) -> PathBuf {
        self.picket().join("i")
    }

    /// The directory of an instance: its record and its keeper's socket.
    pub(super) fn instance(&self, id: &InstanceId) -> PathBuf {
        self.instances().join(id.as_str())
    }

    /// The file with the last words of the fulcrum about the node.
    pub(super) fn node(&self) -> PathBuf {
        self.picket().join("node.json")
    }

    /// The registrations that the picket made.
    pub(super) fn registered(&self) -> PathBuf {
        self.picket().join("registered.json")
    }

    /// How `run` ended, where the node is not to serve again by itself.
    pub(super) fn ended(&self) -> PathBuf {
        self.picket().join("ended")
    }

    /// The logs of all services.
    pub(super) fn logs(&self) -> PathBuf {
        self.data_dir.join("logs")
    }

    /// The own directory of a service's instance, the first of which has ordinal 0. It stays over restarts.
    pub(super) fn service(&self, name: &ServiceName, ordinal: u16) -> PathBuf {
        let number = u32::from(ordinal) + 1;
        self.data_dir.join("services").join(name.as_str()).join(number.to_string())
    }
}
