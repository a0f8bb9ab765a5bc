use core::time::Duration;

/// What a node at rest sent and keeps.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim) struct Rest {
    pub(in crate::sim) host: usize,
    /// How many members there are.
    pub(in crate::sim) members: usize,
    /// For how long it is at rest.
    pub(in crate::sim) time: Duration,
    /// How many bytes it sent in that time.
    pub(in crate::sim) sent: u64,
    /// Requests that it waits for, and that it owes.
    pub(in crate::sim) open: usize,
}

/// What a node sends at rest, in bytes per second: a beat a second to eight observers, and beacons
/// of everyone passed on to at most eight. From the goals: 100 kB/s at a thousand nodes.
const SENT_MAX: u64 = 20_000;
/// What it sends beside that, to compare itself with others.
const SENT_ONCE: u64 = 50_000;

/// A node at rest sends little and has nothing open for ever.
///
/// # Errors
/// What is too much.
pub(in crate::sim) fn at_rest(rest: Rest) -> Result<(), String> {
    let Rest { host, members, time, sent, open } = rest;
    let most = SENT_ONCE + SENT_MAX * (time.as_secs() + 1);
    if sent > most {
        return Err(format!("n{host} sent {sent} B in {time:?} of rest, over {most}"));
    }
    if open > 2 * members + 8 {
        return Err(format!("n{host} has {open} requests open at rest, with {members} members"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_seen() {
        let time = Duration::from_secs(9);
        let rest = Rest { host: 1, members: 5, time, sent: 10_000, open: 3 };
        assert_eq!(at_rest(rest), Ok(()));
        assert!(at_rest(Rest { sent: 250_001, ..rest }).is_err());
        assert!(at_rest(Rest { open: 19, ..rest }).is_err());
    }
}
