use std::num::NonZeroU32;
use std::time::Duration;

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// They pass.
    #[default]
    Open,
    /// They are held back in silence. Connections stay, and go on when the flow is open again; a dial
    /// is not answered.
    Held,
    /// Connections are reset and dials are refused. A connection needs both ways, so one way is enough.
    Refused,
}

/// How the bytes from one node to another fare. The default is a link without faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rule {
    /// Whether they pass at all.
    pub flow: Flow,
    /// How long they take at least.
    pub delay: Duration,
    /// How much longer they take at most; drawn for each chunk. Order is kept.
    pub jitter: Duration,
    /// How many bytes a second pass, for all connections of the pair together; `None`: no limit.
    pub bytes_per_second: Option<NonZeroU32>,
    /// The mean time after which a connection is reset; `None`: never.
    pub life: Option<Duration>,
}

impl Rule {
    /// A link on which nothing passes, in silence.
    #[must_use]
    pub fn held() -> Self {
        Self { flow: Flow::Held, ..Self::default() }
    }

    /// A link on which nothing is possible, and both sides are told.
    #[must_use]
    pub fn refused() -> Self {
        Self { flow: Flow::Refused, ..Self::default() }
    }
}
