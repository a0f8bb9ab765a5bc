use core::time::Duration;

use crux_protocol::flock::MemberState;

/// How a process fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Body {
    /// Whether it runs, and is not stopped.
    pub(crate) runs: bool,
    /// For how long that is so.
    pub(crate) since: Duration,
    /// Whether it was started, and not resumed, then.
    pub(crate) fresh: bool,
}

/// A node that ran for less knows too little to be held to it.
const SETTLED: Duration = Duration::from_secs(5);
/// From the design, page 02: a stopped node is shown dead by then,
const DEAD_WITHIN: Duration = Duration::from_secs(5);
/// and alive by then when it was resumed.
const ALIVE_WITHIN: Duration = Duration::from_secs(1);
/// A started one has to find and meet the others first.
const MET_WITHIN: Duration = Duration::from_secs(5);

/// What an observer shows of a subject is true, or too young a truth. `slack` is what the weather
/// is allowed.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn truthful(
    observer: Body,
    subject: Body,
    shown: MemberState,
    slack: Duration,
) -> Result<(), String> {
    if !observer.runs || observer.since < SETTLED + slack {
        return Ok(());
    }
    let known = if subject.fresh { MET_WITHIN } else { ALIVE_WITHIN };
    match shown {
        MemberState::Dead if subject.runs && subject.since >= known + slack => {
            Err(format!("is shown dead, and runs for {:?}", subject.since))
        }
        MemberState::Alive | MemberState::Suspect
            if !subject.runs && subject.since >= DEAD_WITHIN + slack =>
        {
            Err(format!("is shown {shown:?}, and is stopped for {:?}", subject.since))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn body(runs: bool, millis: u64) -> Body {
        Body { runs, since: Duration::from_millis(millis), fresh: false }
    }

    fn check(observer: Body, subject: Body, shown: MemberState) -> bool {
        truthful(observer, subject, shown, Duration::ZERO).is_ok()
    }

    #[test]
    fn verdicts_must_be_true_in_time() {
        let fit = body(true, 60_000);
        assert!(check(fit, body(true, 999), MemberState::Dead));
        assert!(!check(fit, body(true, 1_000), MemberState::Dead));
        assert!(check(fit, body(true, 1_000), MemberState::Suspect));
        assert!(check(fit, body(false, 4_999), MemberState::Alive));
        assert!(!check(fit, body(false, 5_000), MemberState::Alive));
        assert!(!check(fit, body(false, 5_000), MemberState::Suspect));
        assert!(check(fit, body(false, 5_000), MemberState::Dead));
        let started = Body { fresh: true, ..body(true, 4_999) };
        assert!(check(fit, started, MemberState::Dead));
    }

    #[test]
    fn nobody_is_held_to_what_it_cannot_know() {
        assert!(check(body(true, 4_999), body(false, 9_000), MemberState::Alive));
        assert!(check(body(false, 9_000), body(false, 9_000), MemberState::Alive));
        let shown = MemberState::Alive;
        let slack = Duration::from_secs(2);
        assert!(truthful(body(true, 60_000), body(false, 6_999), shown, slack).is_ok());
        assert!(truthful(body(true, 60_000), body(false, 7_000), shown, slack).is_err());
    }
}
