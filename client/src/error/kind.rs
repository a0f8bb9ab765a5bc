//! Kinds of errors, and the table of what each means to machines.

use core::fmt;

use super::{Exit, Fault};

/// What a [`Kind`] means to machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The stable name, snake case.
    pub name: &'static str,
    /// The number of the gRPC status code.
    pub grpc: i32,
    /// How a command that meets it ends.
    pub exit: Exit,
    /// Whose fault it is, unless the error says otherwise.
    pub fault: Fault,
    /// Whether the same request may succeed later, unless the error says otherwise.
    pub retryable: bool,
}

/// Numbers of gRPC status codes, as google.rpc.Code defines them.
mod grpc {
    pub(super) const UNKNOWN: i32 = 2;
    pub(super) const INVALID_ARGUMENT: i32 = 3;
    pub(super) const DEADLINE_EXCEEDED: i32 = 4;
    pub(super) const NOT_FOUND: i32 = 5;
    pub(super) const ALREADY_EXISTS: i32 = 6;
    pub(super) const PERMISSION_DENIED: i32 = 7;
    pub(super) const RESOURCE_EXHAUSTED: i32 = 8;
    pub(super) const FAILED_PRECONDITION: i32 = 9;
    pub(super) const ABORTED: i32 = 10;
    pub(super) const UNIMPLEMENTED: i32 = 12;
    pub(super) const INTERNAL: i32 = 13;
    pub(super) const UNAVAILABLE: i32 = 14;
    pub(super) const DATA_LOSS: i32 = 15;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $grpc:ident $exit:ident $fault:ident $retry:literal)*) => {
        /// What went wrong, for machines. The names are stable: scripts and clients branch on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// What the kind means to machines: the one table.
            pub const fn row(self) -> Row {
                match self {
                    $(Self::$kind => Row {
                        name: $name,
                        grpc: grpc::$grpc,
                        exit: Exit::$exit,
                        fault: Fault::$fault,
                        retryable: $retry,
                    },)*
                }
            }
        }
    };
}

kinds! {
    /// The command line or a request is wrong in itself.
    InvalidArgument     "invalid_argument"     INVALID_ARGUMENT    Usage    Caller      false
    /// A name of a service, node, horde or flock breaks the rules.
    InvalidName         "invalid_name"         INVALID_ARGUMENT    Usage    Caller      false
    /// A FlockId, query, NetId, KeyId or address is malformed.
    InvalidPath         "invalid_path"         INVALID_ARGUMENT    Usage    Caller      false
    /// A configuration key or value is unknown or wrong.
    InvalidConfig       "invalid_config"       INVALID_ARGUMENT    Usage    Caller      false
    /// The secret string is truncated, mistyped, of another version or none at all.
    InvalidSecret       "invalid_secret"       INVALID_ARGUMENT    Usage    Caller      false
    /// A dangerous command without `--yes`, and nobody there to ask.
    NotConfirmed        "not_confirmed"        FAILED_PRECONDITION Usage    Caller      false
    /// What was asked for does not exist.
    NotFound            "not_found"            NOT_FOUND           NotFound Caller      false
    /// No such blob, neither here nor anywhere else that was asked.
    BlobUnknown         "blob_unknown"         NOT_FOUND           NotFound Caller      true
    /// No node answers at the data directory.
    NoNode              "no_node"              UNAVAILABLE         NoNode   Environment true
    /// The node is stopping.
    ShuttingDown        "shutting_down"        UNAVAILABLE         NoNode   Node        true
    /// Refused by a rule that no other kind names.
    Refused             "refused"              FAILED_PRECONDITION Refused  Caller      false
    /// The caller may not do that.
    PermissionDenied    "permission_denied"    PERMISSION_DENIED   Refused  Caller      false
    /// It exists already and is never overwritten.
    AlreadyExists       "already_exists"       ALREADY_EXISTS      Refused  Caller      false
    /// A live node holds the name.
    NameTaken           "name_taken"           ALREADY_EXISTS      Refused  Caller      false
    /// Another process runs on the same data directory.
    DataDirInUse        "data_dir_in_use"      FAILED_PRECONDITION Refused  Caller      false
    /// The data directory belongs to another flock than the secret.
    WrongFlock          "wrong_flock"          FAILED_PRECONDITION Refused  Caller      false
    /// The other side has another secret or belongs to another flock.
    WrongSecret         "wrong_secret"         PERMISSION_DENIED   Refused  Peer        false
    /// A port the node needs is in use.
    PortInUse           "port_in_use"          FAILED_PRECONDITION Refused  Environment true
    /// The path of the control socket is longer than the system allows.
    SocketPathTooLong   "socket_path_too_long" FAILED_PRECONDITION Refused  Caller      false
    /// The database is damaged.
    DatabaseCorrupt     "database_corrupt"     DATA_LOSS           Refused  Environment false
    /// Over a limit of the flock.
    LimitReached        "limit_reached"        RESOURCE_EXHAUSTED  Refused  Caller      false
    /// No room on the disk: the node reads and does not write.
    DiskFull            "disk_full"            RESOURCE_EXHAUSTED  Refused  Environment true
    /// The node has more requests than it can take.
    Busy                "busy"                 UNAVAILABLE         Refused  Node        true
    /// Blobs would take more room than they may.
    Quota               "quota"                RESOURCE_EXHAUSTED  Refused  Caller      false
    /// The blob is still being fetched.
    BlobUnsealed        "blob_unsealed"        FAILED_PRECONDITION Refused  Caller      true
    /// An archive that would write outside of its directory, or holds what no tree of files does.
    UnsafeArchive       "unsafe_archive"       INVALID_ARGUMENT    Refused  Peer        false
    /// A command under a term lower than the one already accepted.
    Fenced              "fenced"               ABORTED             Refused  Peer        true
    /// The answer did not come in time.
    TimedOut            "timed_out"            DEADLINE_EXCEEDED   TimedOut Environment true
    /// Nobody leads right now.
    NoLeader            "no_leader"            FAILED_PRECONDITION Failed   Environment true
    /// Another node does not answer.
    PeerUnreachable     "peer_unreachable"     UNAVAILABLE         Failed   Peer        true
    /// A check of `doctor` failed.
    CheckFailed         "check_failed"         FAILED_PRECONDITION Failed   Environment false
    /// A blob is no longer what was written to the disk.
    BlobDamaged         "blob_damaged"         DATA_LOSS           Failed   Environment true
    /// Bytes that are not what they were said to be.
    BlobMismatch        "blob_mismatch"        DATA_LOSS           Failed   Peer        true
    /// A file changed while it was read, or since it was registered.
    ChangedWhileRead    "changed_while_read"   ABORTED             Failed   Caller      true
    /// Not built, or not by this version.
    Unsupported         "unsupported"          UNIMPLEMENTED       Failed   Node        false
    /// The system refused to read or write.
    Io                  "io"                   UNKNOWN             Failed   Environment false
    /// A bug.
    Internal            "internal"             INTERNAL            Failed   Node        false
    /// The reader of the output is gone. Commands end in silence and call it done.
    BrokenPipe          "broken_pipe"          UNKNOWN             Done     Caller      false
}

impl Kind {
    /// The stable name, snake case.
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }

    /// The kind of that name; `None` for a name of another version.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }

    /// The kind that a bare gRPC status code stands for, where nothing more is known.
    pub fn from_grpc(code: i32) -> Self {
        match code {
            grpc::INVALID_ARGUMENT => Self::InvalidArgument,
            grpc::DEADLINE_EXCEEDED => Self::TimedOut,
            grpc::NOT_FOUND => Self::NotFound,
            grpc::ALREADY_EXISTS => Self::AlreadyExists,
            grpc::PERMISSION_DENIED => Self::PermissionDenied,
            grpc::RESOURCE_EXHAUSTED => Self::LimitReached,
            grpc::FAILED_PRECONDITION => Self::Refused,
            grpc::ABORTED => Self::Fenced,
            grpc::UNIMPLEMENTED => Self::Unsupported,
            grpc::UNAVAILABLE => Self::NoNode,
            grpc::DATA_LOSS => Self::DatabaseCorrupt,
            _ => Self::Internal,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_snake_case() {
        let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let name = kind.as_str();
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert_eq!(Kind::from_name(name), Some(*kind));
        }
    }

    #[test]
    fn every_exit_code_of_the_contract_is_used() {
        let exits: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.row().exit.code()).collect();
        assert_eq!(exits, (0..=6).collect());
    }

    #[test]
    fn the_table() {
        let row = |kind: &Kind| {
            let Row { name, grpc, exit, fault, retryable } = kind.row();
            format!("{name} {grpc} {} {fault} {retryable}", exit.code())
        };
        let table: Vec<_> = Kind::ALL.iter().map(row).collect();
        insta::assert_snapshot!(table.join("\n"));
    }
}
