//! Connections that were closed before they were a member's.

use crux_client::model::{Check, CheckResult};
use crux_protocol::net::Report;

use super::{line, ok};

/// Warns when connections had to be closed for others: somebody holds places and does nothing.
pub(super) fn check_strangers(lately: &Report) -> Check {
    if lately.crowded() > 0 {
        return line(
            "strangers",
            CheckResult::Warn,
            format!("closed in the last minutes to make room for others: {lately}"),
            "Let only the networks of members and newcomers reach the port. Members keep places of \
             their own; a newcomer may need more than one attempt meanwhile.",
        );
    }
    if *lately == Report::default() {
        return ok("strangers", "no connection of theirs was closed lately");
    }
    ok("strangers", format!("closed in the last minutes: {lately}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_a_warning_and_a_probe_is_none() {
        let last = Some([192, 0, 2, 1].into());
        let quiet = check_strangers(&Report::default());
        let probes = check_strangers(&Report { foreign: 3, late: 1, last, ..Report::default() });
        for check in [&quiet, &probes] {
            assert_eq!(check.result, CheckResult::Ok, "{}", check.detail);
        }
        assert!(probes.detail.contains("3 that do not speak Crux"), "{}", probes.detail);
        for crowd in [
            Report { pending: 150, last, ..Report::default() },
            Report { strangers: 150, last, ..Report::default() },
            Report { no_descriptor: 150, last, ..Report::default() },
        ] {
            let check = check_strangers(&crowd);
            assert_eq!(check.result, CheckResult::Warn);
            assert!(check.detail.contains("150") && check.detail.contains("192.0.2.1"));
            assert!(check.hint.is_some());
        }
    }
}
