use std::fmt;

use crux_client::{Error, Exit, Kind};
use rustix::process::WaitStatus;

/// How a fulcrum ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Code(u8),
    /// By this signal.
    Signal(i32),
}

impl End {
    /// How a process ended that was reaped. Only for one that did.
    pub fn of(status: WaitStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Self::Code(u8::try_from(code).unwrap_or(u8::MAX)),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "ended with exit code {code}"),
            Self::Signal(signal) => write!(f, "was ended by signal {signal}"),
        }
    }
}

/// What an end means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Another one is started.
    Again,
    /// `run` ends with this code; an error was printed already.
    Final(u8),
    /// The same, and the node is not to serve again by itself: it left, was evicted, or runs elsewhere.
    Gone(u8),
    /// `run` ends with this error, which nobody has printed.
    Failed(Error),
}

/// What is known when a fulcrum ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Known {
    /// It was told to stop.
    pub(super) told: bool,
    /// It, or one before it, was ready.
    pub(super) was_ready: bool,
    /// A service runs, or is to run.
    pub(super) has_services: bool,
    /// The kind of the error that ended it; none: it did not say.
    pub(super) kind: Option<Kind>,
}

impl Known {
    /// Whether this node is not to serve again: nobody stopped it and it ended well, so it left; or it is refused.
    fn is_gone(&self, code: u8) -> bool {
        code == LEFT && !self.told || code == REFUSED && self.kind == Some(Kind::Refused)
    }

    /// Whether there is no sense in another start: it cannot be started as it is set up. Once it was ready it was set
    /// up well, and what is in its way goes by itself, or a person removes it, while services run on.
    fn is_set_up_wrong(&self, code: u8) -> bool {
        matches!(code, USAGE | REFUSED) && !self.was_ready && !(self.has_services && self.passes())
    }

    /// Whether what is in the way may go by itself: a full disk, a port that another process has, a fulcrum before
    /// this one that still waits for the disk.
    fn passes(&self) -> bool {
        self.kind.is_some_and(|kind| kind.row().retryable || kind == Kind::DataDirInUse)
    }
}

const LEFT: u8 = Exit::Done.code();
const USAGE: u8 = Exit::Usage.code();
const REFUSED: u8 = Exit::Refused.code();

/// The table in [`super`].
pub(super) fn judge(end: End, known: Known) -> Verdict {
    match end {
        End::Code(code) if known.is_gone(code) => Verdict::Gone(code),
        End::Code(code) if known.is_set_up_wrong(code) => Verdict::Final(code),
        _ if !known.told && (known.was_ready || known.has_services) => Verdict::Again,
        End::Code(code) => Verdict::Final(code),
        End::Signal(_) => Verdict::Failed(by_signal(end, known.told)),
    }
}

fn by_signal(end: End, told: bool) -> Error {
    let when = if told { "while it stopped" } else { "before it served" };
    Error::new(Kind::PartFailed, format!("the fulcrum, the child process of the node, {end} {when}"))
        .with_field("part", "fulcrum")
        .with_hint(
            "The log of the system says who sent the signal; when memory runs out, it is the kernel. Start the \
             node again.",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Known = Known { told: false, was_ready: false, has_services: false, kind: None };
    const READY: Known = Known { was_ready: true, ..NEW };
    /// What passes by itself.
    const PASSES: [Kind; 4] = [Kind::PortInUse, Kind::DiskFull, Kind::DataDirInUse, Kind::Busy];

    fn all() -> Vec<Known> {
        let flags = |n: u8| Known {
            told: n & 1 > 0,
            was_ready: n & 2 > 0,
            has_services: n & 4 > 0,
            kind: None,
        };
        (0..8).map(flags).collect()
    }

    #[test]
    fn one_that_left_or_is_refused_is_not_started_again_whatever_else_is_known() {
        for known in all() {
            let left = if known.told { Verdict::Final(0) } else { Verdict::Gone(0) };
            assert_eq!(judge(End::Code(0), known), left, "{known:?}");
            let known = Known { kind: Some(Kind::Refused), ..known };
            assert_eq!(judge(End::Code(5), known), Verdict::Gone(5), "{known:?}");
        }
    }

    #[test]
    fn what_is_set_up_wrong_is_final_at_the_first_start_only() {
        for known in all().into_iter().filter(|known| !known.told) {
            for (code, kind) in
                [(2, Kind::InvalidConfig), (5, Kind::WrongFlock), (5, Kind::DatabaseCorrupt)]
            {
                for kind in [Some(kind), None] {
                    let verdict = judge(End::Code(code), Known { kind, ..known });
                    let expected =
                        if known.was_ready { Verdict::Again } else { Verdict::Final(code) };
                    assert_eq!(verdict, expected, "{known:?} {code} {kind:?}");
                }
            }
        }
    }

    #[test]
    fn services_outlive_what_passes_by_itself() {
        for known in all().into_iter().filter(|known| !known.told) {
            for kind in PASSES {
                let verdict = judge(End::Code(5), Known { kind: Some(kind), ..known });
                let runs = known.was_ready || known.has_services;
                let expected = if runs { Verdict::Again } else { Verdict::Final(5) };
                assert_eq!(verdict, expected, "{known:?} {kind}");
            }
        }
    }

    #[test]
    fn one_that_was_ready_is_started_again_and_so_is_one_that_has_services() {
        for end in [End::Code(1), End::Code(6), End::Code(101), End::Signal(9)] {
            assert_eq!(judge(end, READY), Verdict::Again);
            assert_eq!(judge(end, Known { has_services: true, ..NEW }), Verdict::Again);
            assert_ne!(judge(end, NEW), Verdict::Again);
            assert_ne!(judge(end, Known { told: true, ..READY }), Verdict::Again);
        }
    }

    #[test]
    fn a_code_says_enough_and_a_signal_needs_an_error() {
        assert_eq!(judge(End::Code(1), NEW), Verdict::Final(1));
        let Verdict::Failed(error) = judge(End::Signal(9), NEW) else { panic!("no error") };
        assert!(error.to_string().contains("signal 9 before it served"), "{error}");
        let Verdict::Failed(error) = judge(End::Signal(9), Known { told: true, ..READY }) else {
            panic!("no error")
        };
        assert!(error.to_string().contains("while it stopped"), "{error}");
    }
}
