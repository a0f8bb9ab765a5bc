//! [`Error`] itself.

use core::fmt;
use std::collections::BTreeMap;

use serde::Serialize;

use super::{Exit, Fault, Kind, StateChanged};

/// An error, for people and for machines. One pointer wide.
///
/// `Display` prints the context, outermost first, and the message; neither the hint nor the extra
/// fields. Secrets never get in: who builds an error quotes names, paths and sizes only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Body>);

/// The parts of an [`Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
struct Body {
    kind: Kind,
    message: String,
    /// Innermost first.
    context: Vec<String>,
    hint: Option<String>,
    /// The hint where nobody has a better one.
    general_hint: Option<&'static str>,
    state_changed: StateChanged,
    fault: Fault,
    retryable: bool,
    fields: BTreeMap<String, String>,
}

/// The field that holds what a program wrote last.
const LOG: &str = "log";
/// How many lines of a program an error holds: what fits on a screen below it.
pub const LOG_LINES_MAX: usize = 20;
/// How many characters of each: an error travels in the headers of an answer, which are at most 64 KiB.
const LOG_LINE_CHARS_MAX: usize = 400;
/// How long the field is at most, in characters.
pub(crate) const LOG_CHARS_MAX: usize = LOG_LINES_MAX * (LOG_LINE_CHARS_MAX + 1);

impl Error {
    /// An error of a kind, with what the kind says about fault and retry, and no state changed.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let row = kind.row();
        Self(Box::new(Body {
            kind,
            message: message.into(),
            context: Vec::new(),
            hint: None,
            general_hint: None,
            state_changed: StateChanged::No,
            fault: row.fault,
            retryable: row.retryable,
            fields: BTreeMap::new(),
        }))
    }

    /// The system's error, with what was being done. Tells a full disk, a broken pipe, a time-out
    /// and missing permission from the rest. Has a general hint, in whose place any other one goes.
    pub fn io(doing: impl Into<String>, err: &std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match err.kind() {
            Io::StorageFull | Io::QuotaExceeded => Kind::DiskFull,
            Io::BrokenPipe => Kind::BrokenPipe,
            Io::TimedOut => Kind::TimedOut,
            Io::PermissionDenied => Kind::PermissionDenied,
            _ => Kind::Io,
        };
        let mut error = Self::new(kind, err.to_string()).augment(doing);
        error.0.general_hint = general_hint(err.kind());
        error.with_fault(Fault::Environment)
    }

    /// Says what was being done when the error came up. Adds; never replaces what is there.
    #[must_use]
    pub fn augment(mut self, context: impl Into<String>) -> Self {
        self.0.context.push(context.into());
        self
    }

    /// Says what the person can do next. The hint nearest to the cause stays.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Adds a field for machines. The value nearest to the cause stays.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.fields.entry(name.into()).or_insert_with(|| value.into());
        self
    }

    /// Adds what a program wrote last, as the field `log`: of many lines the last [`LOG_LINES_MAX`], each cut to
    /// 400 characters.
    #[must_use]
    pub fn with_log<S: AsRef<str>>(self, lines: &[S]) -> Self {
        let last = &lines[lines.len().saturating_sub(LOG_LINES_MAX)..];
        let cut = |line: &S| line.as_ref().chars().take(LOG_LINE_CHARS_MAX).collect::<String>();
        let log: Vec<String> = last.iter().map(cut).collect();
        if log.is_empty() { self } else { self.with_field(LOG, log.join("\n")) }
    }

    /// Says whether state changed.
    #[must_use]
    pub fn with_state(mut self, state_changed: StateChanged) -> Self {
        self.0.state_changed = state_changed;
        self
    }

    /// Says whose fault it is, where that is not what the kind says.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.0.fault = fault;
        self
    }

    /// Says whether the same request may succeed later, where that is not what the kind says.
    #[must_use]
    pub fn with_retry(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// The kind, for machines.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The message, without the context.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The steps that were under way, innermost first.
    pub fn context(&self) -> &[String] {
        &self.0.context
    }

    /// Advice to the person: the next step.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref().or(self.0.general_hint)
    }

    /// Whether state changed.
    pub fn state_changed(&self) -> StateChanged {
        self.0.state_changed
    }

    /// The party at fault.
    pub fn fault(&self) -> Fault {
        self.0.fault
    }

    /// Whether the same request may succeed later.
    pub fn retryable(&self) -> bool {
        self.0.retryable
    }

    /// Extra fields for machines.
    pub fn fields(&self) -> &BTreeMap<String, String> {
        &self.0.fields
    }

    /// The last lines that a program wrote, where they are known.
    pub fn log(&self) -> impl Iterator<Item = &str> {
        self.0.fields.get(LOG).into_iter().flat_map(|log| log.lines())
    }

    /// How a command that meets this error ends.
    pub fn exit(&self) -> Exit {
        self.0.kind.row().exit
    }
}

/// The hint for an error of the system, where nothing more is known.
fn general_hint(kind: std::io::ErrorKind) -> Option<&'static str> {
    use std::io::ErrorKind as Io;
    Some(match kind {
        Io::NotFound => "Check the path: the file, or a directory on the way to it, is missing.",
        Io::NotADirectory => "Check the path: a file is where a directory should be.",
        Io::IsADirectory => "Give the path of a file; that is a directory.",
        Io::AlreadyExists => "Remove what is there, or give another path.",
        Io::PermissionDenied => "Check the owner and the mode, or run as another user.",
        Io::ReadOnlyFilesystem => {
            "The file system is mounted read-only. Mount it writable, or give a path on another one."
        }
        Io::StorageFull | Io::QuotaExceeded => "Make room on the disk, then try again.",
        Io::FileTooLarge => "The file system, or a limit of this process, allows no larger file.",
        Io::InvalidFilename => "Give a shorter path, or another name.",
        Io::AddrInUse => "Stop the process that has this address, or choose another port.",
        Io::AddrNotAvailable => {
            "No interface of this machine has that address; `ip address` lists those it has."
        }
        Io::NetworkDown | Io::NetworkUnreachable | Io::HostUnreachable => {
            "Check the network of this machine; `ip route` shows where it leads."
        }
        Io::OutOfMemory => "The machine is out of memory. Stop something, then try again.",
        Io::TimedOut => "Try again, or give it more time.",
        _ => return None,
    })
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for context in self.0.context.iter().rev() {
            write!(f, "{context}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

/// One object: `{kind, message, hint, state_changed, fault, retryable, exit_code, fields}`.
/// `message` has the context in it, as a person reads it.
impl Serialize for Error {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut object = serializer.serialize_struct("Error", 8)?;
        object.serialize_field("kind", self.kind().as_str())?;
        object.serialize_field("message", &self.to_string())?;
        object.serialize_field("hint", &self.hint())?;
        object.serialize_field("state_changed", self.state_changed().as_str())?;
        object.serialize_field("fault", self.fault().as_str())?;
        object.serialize_field("retryable", &self.retryable())?;
        object.serialize_field("exit_code", &self.exit().code())?;
        object.serialize_field("fields", self.fields())?;
        object.end()
    }
}

impl From<crux_crdt::name::NameError> for Error {
    fn from(err: crux_crdt::name::NameError) -> Self {
        Self::new(Kind::InvalidName, err.to_string())
    }
}

impl From<crux_crdt::path::PathError> for Error {
    fn from(err: crux_crdt::path::PathError) -> Self {
        Self::new(Kind::InvalidPath, err.to_string())
    }
}

impl From<crux_crdt::path::EndpointError> for Error {
    fn from(err: crux_crdt::path::EndpointError) -> Self {
        Self::new(Kind::InvalidPath, err.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Error {
        Error::new(Kind::DiskFull, "no room on the disk")
            .with_hint("free some room")
            .with_field("dir", "/d")
            .augment("writing the database")
            .augment("registering ntp")
    }

    #[test]
    fn context_adds_and_display_reads_outermost_first() {
        let text = "registering ntp: writing the database: no room on the disk";
        assert_eq!(sample().to_string(), text);
        assert_eq!(sample().message(), "no room on the disk");
    }

    #[test]
    fn what_is_set_near_the_cause_stays() {
        let err = sample().with_hint("another hint").with_field("dir", "/e");
        assert_eq!(err.hint(), Some("free some room"));
        assert_eq!(err.fields()["dir"], "/d");
    }

    #[test]
    fn json_is_one_object_with_stable_fields() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&sample()).unwrap());
    }

    #[test]
    fn io_errors_find_their_kind() {
        let io = |kind| Error::io("reading f", &std::io::Error::from(kind));
        assert_eq!(io(std::io::ErrorKind::BrokenPipe).kind(), Kind::BrokenPipe);
        assert_eq!(io(std::io::ErrorKind::StorageFull).kind(), Kind::DiskFull);
        let denied = io(std::io::ErrorKind::PermissionDenied);
        assert_eq!((denied.kind(), denied.fault()), (Kind::PermissionDenied, Fault::Environment));
    }

    #[test]
    fn an_error_of_the_system_has_a_hint_until_somebody_knows_better() {
        use std::io::ErrorKind as Io;
        for kind in [
            Io::NotFound,
            Io::NotADirectory,
            Io::IsADirectory,
            Io::AlreadyExists,
            Io::PermissionDenied,
            Io::ReadOnlyFilesystem,
            Io::StorageFull,
            Io::AddrInUse,
            Io::AddrNotAvailable,
            Io::TimedOut,
        ] {
            let error = Error::io("writing f", &std::io::Error::from(kind));
            assert!(error.hint().is_some(), "{kind:?}");
            let json = serde_json::to_value(&error).unwrap();
            assert_eq!(json["hint"].as_str(), error.hint());
            assert_eq!(error.with_hint("better").hint(), Some("better"), "{kind:?}");
        }
    }

    #[test]
    fn of_a_log_the_last_lines_are_kept() {
        let lines: Vec<String> = (0..30).map(|n| format!("line {n} {}", "x".repeat(500))).collect();
        let err = sample().with_log(&lines);
        let log: Vec<_> = err.log().collect();
        assert_eq!(log.len(), LOG_LINES_MAX);
        assert!(log[0].starts_with("line 10 ") && log[19].starts_with("line 29 "), "{log:?}");
        assert!(log.iter().all(|line| line.len() == 400), "{log:?}");
        assert_eq!(err.fields()["log"].matches('\n').count(), 19);
        assert_eq!(sample().with_log::<String>(&[]), sample());
    }

    #[test]
    fn is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
