use core::time::Duration;

use crux_crdt::blob::BlobId;

/// How long a port takes to accept.
pub(crate) const ACCEPTS_AFTER: Duration = Duration::from_millis(200);
/// How long one that crashes runs.
pub(crate) const CRASHES_AFTER: Duration = Duration::from_millis(700);

/// How the programs of an image behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// They get ready, and stay so.
    Good,
    /// Their ports accept nothing.
    NeverUp,
    /// They end soon after they began.
    Crashes,
}

impl Content {
    /// An image of such programs, in so many versions.
    pub(crate) const fn image(self, version: u8) -> BlobId {
        let mut id = [version; 32];
        id[0] = match self {
            Self::Good => 0,
            Self::NeverUp => 1,
            Self::Crashes => 2,
        };
        BlobId(id)
    }

    /// The programs of an image.
    pub(crate) const fn of(image: BlobId) -> Self {
        match image.0[0] {
            1 => Self::NeverUp,
            2 => Self::Crashes,
            _ => Self::Good,
        }
    }
}
