//! Whether the log reaches somebody.

use std::time::Duration;

use crux_client::model::{Check, CheckResult};

use super::{line, ok};
use crate::telemetry::{self, Health};

/// A line that takes longer than this waits for a reader that stopped.
const STUCK: Duration = Duration::from_secs(1);

pub(super) fn check_log() -> Check {
    check(telemetry::health().unwrap_or_default(), telemetry::left_out())
}

/// `repeated`: how many lines were left out because there were too many like them.
fn check(Health { lost, stuck }: Health, repeated: u64) -> Check {
    if stuck >= STUCK {
        let detail = format!(
            "nobody has read it for {} s; {lost} lines were dropped since the start",
            stuck.as_secs()
        );
        let hint = "Let the program that reads the node's standard error go on, or log to a file.";
        return line("log", CheckResult::Warn, detail, hint);
    }
    let repeated = match repeated {
        0 => String::new(),
        _ => format!("; {repeated} more that repeat others were left out"),
    };
    if lost > 0 {
        let detail = format!(
            "{lost} lines were dropped since the start, while nobody read or the disk was full\
             {repeated}"
        );
        return line("log", CheckResult::Warn, detail, "The log says where lines are missing.");
    }
    ok("log", format!("every line was written{repeated}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_a_warning() {
        let of = |lost, secs, repeated| {
            let check = check(Health { lost, stuck: Duration::from_secs(secs) }, repeated);
            (check.result, check.detail)
        };
        assert_eq!(of(0, 0, 0), (CheckResult::Ok, "every line was written".to_owned()));
        let (result, detail) = of(0, 0, 5);
        assert_eq!(result, CheckResult::Ok);
        assert!(detail.contains("5 more that repeat others"), "{detail}");
        let (result, detail) = of(7, 0, 0);
        assert_eq!(result, CheckResult::Warn);
        assert!(detail.starts_with("7 lines were dropped"), "{detail}");
        let (result, detail) = of(7, 12, 0);
        assert_eq!(result, CheckResult::Warn);
        assert!(detail.contains("for 12 s"), "{detail}");
    }
}
