use core::num::NonZeroU64;
use core::time::Duration;

/// How blobs move.
///
/// Figures without a source were chosen by the simulated swarm of `tests/pastiche`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How many blobs are fetched at once; more wait. More share the same links and finish later.
    pub fetches_max: usize,
    /// How many blobs wait to be fetched. One more is refused.
    pub queued_max: usize,
    /// How many peers are asked for one blob. Those that offer it come first.
    pub peers_max: usize,
    /// How many providers of one blob have requests in flight. From the design, page 04.
    pub providers_max: usize,
    /// How many pieces may be in flight from one provider. 32 of 1 MiB were fastest on loopback
    /// (design, page 04).
    pub window_max: usize,
    /// How many pieces may be in flight or on their way to the disk, over all fetches. With
    /// [`Config::reads_max`] it bounds the memory: a piece and its proof are some 1.1 MiB. Pieces that are
    /// late count half, so that silent peers do not keep others waiting: twice as many may come at worst.
    pub in_flight_max: usize,
    /// How many pieces are read, or sent and not yet gone, at once: 48 are below the 64 MiB that the
    /// design allows.
    pub reads_max: usize,
    /// How many requests of one peer wait to be served; one more is told to come later. Should be at
    /// least [`Config::window_max`].
    pub waiting_per_peer_max: usize,
    /// How much may wait to be served, as the time in which it goes out; what is more is told to come
    /// later, so that it is not stuck here while others have it by now. Must be well below the time in
    /// which the network calls a request lost, 10 s.
    pub waiting_max: Duration,
    /// How long a provider that has pieces in flight may take for one before another is asked too.
    pub stall_min: Duration,
    /// A window grows while pieces come faster than this, and shrinks when they take twice as long.
    /// So a window is about as much as a provider delivers in this time.
    pub target: Duration,
    /// How long to wait for more statements once a root is known.
    pub settle: Duration,
    /// How often a peer that holds a part is asked what it holds by now, and how often everybody is
    /// asked while nobody has the blob.
    pub ask_period: Duration,
    /// How long those that are linked have to say that they hold a blob before the flock's index is
    /// asked, where there is a place for each of them. Most often one does, and a search costs more
    /// than a small blob.
    pub seek_after: Duration,
    /// How long until the flock's index is asked again for holders of a blob that nobody within reach
    /// is known to have.
    pub seek_period: Duration,
    /// How long no piece may come before the flock's index is asked although somebody offers the blob, or
    /// is known to have it: those may lie.
    pub seek_idle: Duration,
    /// How many statements to the flock's index are under way at once.
    pub provides_max: usize,
    /// How long until the flock's index is told again of a blob. Its entries live three times as long.
    pub provide_period: Duration,
    /// The same when it could not be told.
    pub provide_retry: Duration,
    /// Bytes a second sent at most; none: as fast as it goes.
    pub up_rate: Option<NonZeroU64>,
    /// Bytes a second fetched at most; none: as fast as it goes.
    pub down_rate: Option<NonZeroU64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            fetches_max: 32,
            queued_max: 16 * 1024,
            peers_max: 64,
            providers_max: 8,
            window_max: 32,
            in_flight_max: 48,
            reads_max: 48,
            waiting_per_peer_max: 32,
            waiting_max: Duration::from_millis(500),
            stall_min: Duration::from_secs(2),
            target: Duration::from_millis(500),
            settle: Duration::from_millis(50),
            ask_period: Duration::from_millis(500),
            seek_after: Duration::from_millis(100),
            seek_period: Duration::from_secs(5),
            seek_idle: Duration::from_secs(2),
            provides_max: 4,
            provide_period: Duration::from_secs(4 * 3600),
            provide_retry: Duration::from_secs(30),
            up_rate: None,
            down_rate: None,
        }
    }
}
