use core::time::Duration;

use crux_protocol::flock::Kept;

/// What a node at rest sent and keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest {
    pub(crate) host: usize,
    /// How many members there are.
    pub(crate) members: usize,
    /// Of how many a record is known, members or not.
    pub(crate) known: usize,
    /// For how long it is at rest.
    pub(crate) time: Duration,
    /// How many bytes it sent in that time.
    pub(crate) sent: u64,
    /// Requests that it waits for, and that it owes.
    pub(crate) open: usize,
    /// What its engines keep beside the replica.
    pub(crate) kept: Kept,
}

/// What a node sends at rest in a small flock, in bytes per second: a beat a second to eight observers, and
/// beacons of everyone passed on to at most eight.
const SENT_MAX: u64 = 20_000;
/// What it sends beside that, to compare itself with others.
const SENT_ONCE: u64 = 50_000;
/// In a large one, what it sends beside others' beacons, in bytes per second.
const SENT_ALONE: u64 = 5_000;
/// A beacon of 250 B is passed on to at most eight, and advertised six times to three others.
const SENT_EACH_BEACON: u64 = 2_400;
/// How many seconds there are at least from one beacon of a member to the next when nothing happens.
const BEACON_PERIOD: u64 = 9;
/// How many beacons a second there are of however many members, since the period grows with them.
const BEACONS_MAX: u64 = 37;

/// What is remembered of each that is known: a link, an address, when it died, when to dial it, and
/// what observers said of it. Half of it is the most that was seen.
const KEPT_EACH: usize = 10;
/// What may be under way or remembered where nobody is known.
const KEPT_ALONE: usize = 16;

/// A node at rest sends little, has nothing open for ever and keeps no more than there is to know.
///
/// # Errors
/// What is too much.
pub(crate) fn at_rest(rest: Rest) -> Result<(), String> {
    let Rest { host, members, known, time, sent, open, kept } = rest;
    let most = sent_at_most(members, time);
    if sent > most {
        return Err(format!("n{host} sent {sent} B in {time:?} of rest, over {most}"));
    }
    if open > 2 * members + 8 {
        return Err(format!("n{host} has {open} requests open at rest, with {members} members"));
    }
    if kept.work > members + KEPT_ALONE {
        return Err(format!("n{host} has {} things under way at rest", kept.work));
    }
    if kept.of_others > KEPT_EACH * known + KEPT_ALONE {
        return Err(format!("n{host} keeps {} things of {known} others", kept.of_others));
    }
    Ok(())
}

/// In a large flock, what the protocol's rules come to; the goal is 100 kB/s at a thousand.
fn sent_at_most(members: usize, time: Duration) -> u64 {
    let beacons = (members as u64).div_ceil(BEACON_PERIOD).min(BEACONS_MAX);
    let each_second = SENT_MAX.max(SENT_ALONE + SENT_EACH_BEACON * beacons);
    SENT_ONCE + each_second * (time.as_secs() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_sent_grows_with_the_flock_up_to_a_bound() {
        let second = |members| sent_at_most(members, Duration::ZERO) - SENT_ONCE;
        let expected = [20_000, 20_000, 60_200, 93_800, 93_800];
        assert_eq!([2, 50, 200, 1_000, 3_000].map(second), expected);
    }

    #[test]
    fn too_much_is_seen() {
        let time = Duration::from_secs(9);
        let kept = Kept { work: 3, of_others: 25 };
        let rest = Rest { host: 1, members: 5, known: 6, time, sent: 10_000, open: 3, kept };
        assert_eq!(at_rest(rest), Ok(()));
        assert!(at_rest(Rest { sent: 250_001, ..rest }).is_err());
        assert!(at_rest(Rest { open: 19, ..rest }).is_err());
        assert!(at_rest(Rest { kept: Kept { work: 22, ..kept }, ..rest }).is_err());
        assert!(at_rest(Rest { kept: Kept { of_others: 77, ..kept }, ..rest }).is_err());
    }
}
