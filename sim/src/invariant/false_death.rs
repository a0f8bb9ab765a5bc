use core::time::Duration;

use super::Body;

/// A node that ran throughout so long is not to be shown dead. From the design, page 02.
const RAN: Duration = Duration::from_secs(3);
/// A cut may cost verdicts for so long after it: suspicions on the way, and connections that retry.
const AFTER_CUT: Duration = Duration::from_secs(10);

/// An observer calls a subject dead that it did not call dead before. `uncut` is for how long no cut
/// touched the subject.
///
/// # Errors
/// It ran all the time, and could be heard.
pub(crate) fn false_death(observer: Body, subject: Body, uncut: Duration) -> Result<(), String> {
    let fit = |body: Body| body.runs && body.since >= RAN;
    if fit(observer) && fit(subject) && uncut >= AFTER_CUT {
        return Err(format!("is called dead, and ran for {:?}", subject.since));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn body(runs: bool, millis: u64) -> Body {
        Body { runs, since: Duration::from_millis(millis), fresh: false }
    }

    #[test]
    fn only_who_ran_and_could_be_heard_is_wronged() {
        let (fit, long) = (body(true, 3_000), Duration::from_secs(10));
        assert!(false_death(fit, fit, long).is_err());
        assert!(false_death(fit, body(true, 2_999), long).is_ok());
        assert!(false_death(fit, body(false, 9_000), long).is_ok());
        assert!(false_death(body(true, 2_999), fit, long).is_ok());
        assert!(false_death(fit, fit, Duration::from_secs(9)).is_ok());
    }
}
