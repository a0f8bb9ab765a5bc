//! Kinds of errors, and the table of what each means to machines.

use core::fmt;

use super::{Exit, Fault, StateChanged};

/// The meaning of a [`Kind`] to machines and people. The page `docs/reference/errors.md` shows all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The stable name, snake case.
    pub name: &'static str,
    /// The meaning, as a sentence.
    pub meaning: &'static str,
    /// The number of the gRPC status code.
    pub grpc: i32,
    /// The name of that code.
    pub grpc_name: &'static str,
    /// How a command that meets it ends.
    pub exit: Exit,
    /// The party at fault, unless the error says otherwise.
    pub fault: Fault,
    /// Whether the same request may succeed later, unless the error says otherwise.
    pub retryable: bool,
    /// Whether state may have changed: each that an error of this kind can say, the usual one first.
    pub states: &'static [StateChanged],
    /// The hint for people, where the error has none of its own.
    pub advice: &'static str,
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
    ($(
        $(#[doc = $doc:literal])* $kind:ident
        $name:literal $grpc:ident $exit:ident $fault:ident $retry:literal
        [$($state:ident)*] $advice:literal
    )*) => {
        /// The class of an error, for machines. The names are stable: scripts and clients branch on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[doc = $doc])* $kind,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The row of the kind in the one table of meanings.
            pub const fn row(self) -> Row {
                match self {
                    $(Self::$kind => Row {
                        name: $name,
                        meaning: concat!($($doc,)*).trim_ascii(),
                        grpc: grpc::$grpc,
                        grpc_name: stringify!($grpc),
                        exit: Exit::$exit,
                        fault: Fault::$fault,
                        retryable: $retry,
                        states: &[$(StateChanged::$state,)*],
                        advice: $advice,
                    },)*
                }
            }
        }
    };
}

kinds! {
    /// A command line or a request is wrong in itself.
    InvalidArgument     "invalid_argument"     INVALID_ARGUMENT    Usage    Caller      false
        [No] "Correct the part that the message quotes; `--help` shows the form."
    /// The name of a service, node, horde or flock breaks the rules.
    InvalidName         "invalid_name"         INVALID_ARGUMENT    Usage    Caller      false
        [No] "Choose a name that follows the rule in the message."
    /// A FlockId, query, NetId, KeyId or address is malformed.
    InvalidPath         "invalid_path"         INVALID_ARGUMENT    Usage    Caller      false
        [No] "Write the path or address in the form that the hint shows."
    /// A setting is unknown, or its value is wrong.
    InvalidConfig       "invalid_config"       INVALID_ARGUMENT    Usage    Caller      false
        [No] "Correct the setting at the place that the message names, then start again."
    /// The line of a secret is truncated, mistyped, of another version or not a secret.
    InvalidSecret       "invalid_secret"       INVALID_ARGUMENT    Usage    Caller      false
        [No] "Copy the whole line again, from `crux1-` to `-end`."
    /// A dangerous command ran without `--yes`, and without a terminal on which to ask.
    NotConfirmed        "not_confirmed"        FAILED_PRECONDITION Usage    Caller      false
        [No] "Add `--yes` if you mean it."
    /// The thing that the request names does not exist.
    NotFound            "not_found"            NOT_FOUND           NotFound Caller      false
        [No] "List what exists: `services --all`, `members`, `blob ls`."
    /// No node that was asked has the blob.
    BlobUnknown         "blob_unknown"         NOT_FOUND           NotFound Caller      true
        [No] "Put the blob on a node, or start a node that has it."
    /// No node answers at the data directory.
    NoNode              "no_node"              UNAVAILABLE         NoNode   Environment true
        [No Unknown] "Start the node, or name its data directory with `--data-dir`."
    /// The node is stopping.
    ShuttingDown        "shutting_down"        UNAVAILABLE         NoNode   Node        true
        [No Yes Unknown] "Repeat the command after the node started again."
    /// The picket, which runs services, does not answer; the rest of the node does.
    PicketAway          "picket_away"          UNAVAILABLE         NoNode   Environment true
        [No Unknown] "Start the node without `services = false`, or repeat the command when its picket is back."
    /// A rule refuses the request, and no other kind names it.
    Refused             "refused"              FAILED_PRECONDITION Refused  Caller      false
        [No] "Do what the hint says first."
    /// The caller may not do that.
    PermissionDenied    "permission_denied"    PERMISSION_DENIED   Refused  Caller      false
        [No] "Run the command as the node's user or as root, or change the owner or mode of the file."
    /// The node may not do what the config of a service asks for, as to run it as another user.
    NotPermitted        "not_permitted"        PERMISSION_DENIED   Refused  Caller      false
        [No] "Leave that out of the config, or run the node as root."
    /// A limit that the config of a service requires cannot be enforced on this node.
    NotEnforced         "not_enforced"         FAILED_PRECONDITION Refused  Environment false
        [No] "Drop `required` from `limits`, or run the service where the node may enforce them."
    /// The services of the node changed since the request was made.
    Generation          "generation"           ABORTED             Refused  Caller      false
        [No Yes] "Read the config again with `service show`, and repeat the change on that."
    /// Another write under the key of a document came first, and the signer did not know it.
    Conflict            "conflict"             ABORTED             Refused  Caller      true
        [No Yes] "Read the document again with `doc show`, and repeat the command."
    /// The signer's grant does not cover the document, or is revoked, or there is none.
    NotGranted          "not_granted"          PERMISSION_DENIED   Refused  Caller      false
        [No Yes] "See `user ls` for what each user may write; the operator changes it with `user add`."
    /// The flock has no operator, so nobody can sign documents.
    NoOperator          "no_operator"          FAILED_PRECONDITION Refused  Caller      false
        [No] "Make a new flock with an operator's key: `crux-node keygen`. Nodes keep their `principal.key`."
    /// The target exists already and is never overwritten.
    AlreadyExists       "already_exists"       ALREADY_EXISTS      Refused  Caller      false
        [No] "Choose another name, or remove the existing file yourself."
    /// A live node holds the name.
    NameTaken           "name_taken"           ALREADY_EXISTS      Refused  Caller      false
        [No] "Start with another `--name`, or stop the holder."
    /// Another process runs on the same data directory.
    DataDirInUse        "data_dir_in_use"      FAILED_PRECONDITION Refused  Caller      false
        [No] "Stop that process, or give this node a data directory of its own."
    /// The data directory belongs to another flock than the secret.
    WrongFlock          "wrong_flock"          FAILED_PRECONDITION Refused  Caller      false
        [No] "Use the secret of that flock, or another data directory."
    /// The peer has another secret or belongs to another flock.
    WrongSecret         "wrong_secret"         PERMISSION_DENIED   Refused  Peer        false
        [No] "Give both nodes the same secret."
    /// A port that the node needs is in use.
    PortInUse           "port_in_use"          FAILED_PRECONDITION Refused  Environment true
        [No] "Stop the process that has the port, or choose another with `--listen`."
    /// The path of the control socket is longer than the system allows.
    SocketPathTooLong   "socket_path_too_long" FAILED_PRECONDITION Refused  Caller      false
        [No] "Choose a data directory with a shorter path."
    /// The database is damaged.
    DatabaseCorrupt     "database_corrupt"     DATA_LOSS           Refused  Environment false
        [No] "Set the file aside as the hint says; the node fetches its registry from its peers."
    /// The request exceeds a limit.
    LimitReached        "limit_reached"        RESOURCE_EXHAUSTED  Refused  Caller      false
        [No Yes Unknown] "Ask for less, remove something, or use another node."
    /// The disk is full: the node reads and does not write.
    DiskFull            "disk_full"            RESOURCE_EXHAUSTED  Refused  Environment true
        [No] "Make room on the disk; nothing has to be restarted."
    /// The node has more requests than it can take.
    Busy                "busy"                 UNAVAILABLE         Refused  Node        true
        [No] "Try again in a moment."
    /// Blobs would take more room than `--blob-quota` or the disk allows.
    Quota               "quota"                RESOURCE_EXHAUSTED  Refused  Caller      false
        [No] "Remove or unpin blobs, or raise `--blob-quota`."
    /// The blob is still being fetched.
    BlobUnsealed        "blob_unsealed"        FAILED_PRECONDITION Refused  Caller      true
        [No] "Wait until `blob ls` shows it sealed, or `blob get` it."
    /// An archive is malformed, or would write outside of its directory.
    UnsafeArchive       "unsafe_archive"       INVALID_ARGUMENT    Refused  Peer        false
        [No] "Do not trust the archive; ask the member that made it."
    /// A command had a lower term than the one that a member obeys already.
    Fenced              "fenced"               ABORTED             Refused  Peer        true
        [No] "Try again: the leader takes a greater term."
    /// The answer did not arrive in time.
    TimedOut            "timed_out"            DEADLINE_EXCEEDED   TimedOut Environment true
        [No Yes Unknown] "Look whether it was done, then try again with a greater `--timeout`."
    /// No member leads now.
    NoLeader            "no_leader"            FAILED_PRECONDITION Failed   Environment true
        [No] "Try again in a second; `members` shows why."
    /// Another node does not answer.
    PeerUnreachable     "peer_unreachable"     UNAVAILABLE         Failed   Peer        true
        [No Unknown] "Check that node and the network between, then try again."
    /// The image of a service is missing, not a program, or not one that this machine can run.
    ImageUnusable       "image_unusable"       FAILED_PRECONDITION Failed   Caller      false
        [No Yes] "Give the image that the message asks for; `service update --image` replaces it."
    /// The program of a service could not be executed, or ended before it was up.
    StartFailed         "start_failed"         FAILED_PRECONDITION Failed   Caller      true
        [No Yes] "The program's last lines are in the field `log`; `logs` has all of them."
    /// A service runs, and its checks do not pass.
    Unhealthy           "unhealthy"            FAILED_PRECONDITION Failed   Caller      true
        [No Yes] "See what each check answered with `inspect`, and what the program wrote with `logs`."
    /// An update of a service did not come up, so the previous config is in force again.
    RolledBack          "rolled_back"          ABORTED             Failed   Caller      false
        [No Yes] "Mend the image or the config, then update again; `logs` shows what went wrong."
    /// A check of `doctor` failed.
    CheckFailed         "check_failed"         FAILED_PRECONDITION Failed   Environment false
        [No] "Follow the hint of each check that is not `ok`."
    /// The stored bytes of a blob changed on the disk.
    BlobDamaged         "blob_damaged"         DATA_LOSS           Failed   Environment true
        [No] "Run `blob get`, which fetches the lost pieces again, and check the disk."
    /// Fetched bytes do not match the blob's hash.
    BlobMismatch        "blob_mismatch"        DATA_LOSS           Failed   Peer        true
        [No] "The log names the members at fault; fetch it again, or put the file again."
    /// A file changed while it was read, or since it was registered.
    ChangedWhileRead    "changed_while_read"   ABORTED             Failed   Caller      true
        [No] "Try again when nothing writes the file."
    /// This version, or this system, cannot do that.
    Unsupported         "unsupported"          UNIMPLEMENTED       Failed   Node        false
        [No] "Use a version or system that can."
    /// The system failed to read or write.
    Io                  "io"                   UNKNOWN             Failed   Environment false
        [No Unknown] "The message has the system's reason: check the file, its mode and the disk."
    /// A part of the node panicked or ended early, and the node stopped: a bug in Crux.
    PartFailed          "part_failed"          INTERNAL            Failed   Node        true
        [No] "Report it with the log; the supervisor may start the node again."
    /// A bug in Crux.
    Internal            "internal"             INTERNAL            Failed   Node        false
        [No Unknown] "Report it, with the message and the node's log."
    /// The reader of the output closed it. Commands end in silence, with success.
    BrokenPipe          "broken_pipe"          UNKNOWN             Done     Caller      false
        [No] "Nothing."
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
    fn every_kind_says_what_happened_and_what_to_do() {
        for kind in Kind::ALL {
            let Row { name, meaning, advice, states, .. } = kind.row();
            for text in [meaning, advice] {
                let is_sentence = text.starts_with(char::is_uppercase) && text.ends_with('.');
                assert!(is_sentence && !text.contains("  "), "{name}: {text:?}");
            }
            // `Error::new` says the first state.
            assert_eq!(states.first(), Some(&StateChanged::No), "{name}");
        }
    }

    #[test]
    fn the_table() {
        let row = |kind: &Kind| {
            let Row { name, grpc, exit, fault, retryable, .. } = kind.row();
            format!("{name} {grpc} {} {fault} {retryable}", exit.code())
        };
        let table: Vec<_> = Kind::ALL.iter().map(row).collect();
        insta::assert_snapshot!(table.join("\n"));
    }
}
