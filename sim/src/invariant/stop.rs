use crux_protocol::flock::StopReason;

/// A process stops by itself only if it was told to leave, or if its identity was started elsewhere.
///
/// # Errors
/// What did not give it a reason.
pub(crate) fn may_stop(reason: &StopReason, told: bool, twin: bool) -> Result<(), String> {
    match reason {
        StopReason::Left if !told => Err("left, and nobody told it to".to_owned()),
        StopReason::Cloned { elsewhere } if !twin => {
            let at = elsewhere.join(" ");
            Err(format!("stopped for a clone at {at}, and its key was never started elsewhere"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_needs_its_cause() {
        let cloned = StopReason::Cloned { elsewhere: vec!["10.0.0.9:7000".to_owned()] };
        for (told, twin) in [(false, false), (false, true), (true, false), (true, true)] {
            assert_eq!(may_stop(&StopReason::Left, told, twin).is_ok(), told);
            assert_eq!(may_stop(&cloned, told, twin).is_ok(), twin);
        }
    }
}
