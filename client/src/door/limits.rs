//! How much a socket takes at once, from all callers together.

use rustix::process::{Resource, getrlimit};

/// The fewest connections served at once, however few descriptors there are.
const CONNECTIONS_MIN: usize = 16;
/// The most connections served at once. An idle one costs the node some 10 KiB.
const CONNECTIONS_MAX: usize = 512;

/// How many calls of one connection are long ones: watches, puts and gets. Below [`STREAMS_MAX`], so
/// that a caller whose long calls fill its own connection can still make short ones.
pub const LONG_PER_CONNECTION: usize = 64;
/// How many bytes of answers wait for callers to take them, of all callers together: a flock of 3,000 with ten
/// services each, asked for by a dozen at once.
pub(super) const UNTAKEN_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How many bytes of long requests there are at once, of all callers together: a handful of the longest. Each is
/// there twice while it is decoded.
pub(super) const BULK_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How many calls one connection has open at a time.
pub const STREAMS_MAX: u32 = 128;

/// The limits of one control socket.
///
/// Invariant: all calls that are counted fit into fewer connections than there are, so one that is
/// open and says nothing can always be closed in favour of a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// Watches: of services, of health, and reflection.
    pub watches: usize,
    /// Puts and gets of blobs.
    pub transfers: usize,
    /// Calls that the node has to work for. Those that only read what it shows are not counted.
    pub requests: usize,
}

impl Limits {
    /// The limits of a process that may open so many files: a quarter of them for connections.
    pub fn of(descriptors: u64) -> Self {
        let quarter = usize::try_from(descriptors / 4).unwrap_or(usize::MAX);
        let connections = quarter.clamp(CONNECTIONS_MIN, CONNECTIONS_MAX);
        Self {
            connections,
            watches: connections / 4,
            transfers: connections / 4,
            requests: connections * 3 / 8,
        }
    }

    /// The limits of this process.
    pub fn of_process() -> Self {
        Self::of(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_calls_never_need_all_connections() {
        for descriptors in [0, 64, 100, 1024, 1 << 20, u64::MAX] {
            let all = Limits::of(descriptors);
            assert!((CONNECTIONS_MIN..=CONNECTIONS_MAX).contains(&all.connections));
            assert!(all.watches + all.transfers + all.requests < all.connections, "{all:?}");
        }
        let usual = Limits { connections: 512, watches: 128, transfers: 128, requests: 192 };
        assert_eq!(Limits::of(1 << 20), usual);
        assert_eq!(Limits::of(64).connections, 16);
    }
}
