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

/// The meaning of an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Another one is started.
    Again,
    /// `run` ends with this code; an error was printed already.
    Final(u8),
    /// The same, and this node is not to serve again by itself: it left, was evicted, or runs elsewhere.
    Gone(u8),
    /// `run` ends with this error, which nobody has printed.
    Failed(Error),
}

/// The facts about a fulcrum that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Known {
    /// The kind of its last words; none: it had none.
    pub(super) said: Option<Kind>,
    /// It was told to stop.
    pub(super) told: bool,
    /// It, or one before it, was ready.
    pub(super) was_ready: bool,
    /// A service runs, or is to run.
    pub(super) has_services: bool,
}

/// The table in [`super`].
pub(super) fn judge(end: End, known: Known) -> Verdict {
    const LEFT: u8 = Exit::Done.code();
    const USAGE: u8 = Exit::Usage.code();
    const REFUSED: u8 = Exit::Refused.code();
    match end {
        // Nobody stopped it.
        End::Code(LEFT) if !known.told => Verdict::Gone(LEFT),
        End::Code(USAGE) if !known.was_ready => Verdict::Final(USAGE),
        End::Code(REFUSED) if known.said == Some(Kind::Refused) => Verdict::Gone(REFUSED),
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

    const NEW: Known = Known { said: None, told: false, was_ready: false, has_services: false };
    const READY: Known = Known { was_ready: true, ..NEW };

    #[test]
    fn what_is_final_is_so_whatever_else_is_known() {
        for n in 0..8 {
            let [told, was_ready, has_services] = [1, 2, 4].map(|bit| n & bit != 0);
            let known = Known { said: None, told, was_ready, has_services };
            let left = if told { Verdict::Final(0) } else { Verdict::Gone(0) };
            assert_eq!(judge(End::Code(0), known), left, "{known:?}");
            let known = Known { said: Some(Kind::Refused), ..known };
            assert_eq!(judge(End::Code(5), known), Verdict::Gone(5), "{known:?}");
        }
    }

    /// Neither a full disk, nor a taken port, nor settings that became wrong stop what runs.
    #[test]
    fn what_may_pass_is_not_final_for_a_node_that_served_or_has_services() {
        let kinds = [Kind::DiskFull, Kind::PortInUse, Kind::DatabaseCorrupt].map(Some);
        for known in [READY, Known { has_services: true, ..NEW }] {
            for (code, said) in
                kinds.map(|said| (5, said)).into_iter().chain([(5, None), (1, None)])
            {
                let known = Known { said, ..known };
                assert_eq!(judge(End::Code(code), known), Verdict::Again, "{code} {known:?}");
                let stops = Known { told: true, ..known };
                assert_eq!(judge(End::Code(code), stops), Verdict::Final(code));
            }
        }
        let settings = Known { said: Some(Kind::InvalidConfig), ..READY };
        assert_eq!(judge(End::Code(2), settings), Verdict::Again);
        for (code, said) in [(5, Kind::PortInUse), (2, Kind::InvalidConfig), (5, Kind::DiskFull)] {
            let known = Known { said: Some(said), ..NEW };
            assert_eq!(judge(End::Code(code), known), Verdict::Final(code));
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
