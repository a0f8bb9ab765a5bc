//! The way from the proctor to the picket: what a target wants of this node, and what the node has of it.

use crux_protocol::picket::{Goals, Owned};
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::{Error, Kind};

/// How many sets wait to be sent. One that waits is outdated by the next, so their sender waits instead.
const HANDED_MAX: usize = 1;

/// Hands sets of goals to the picket, and shows what it has of the target. Clones are for the same picket.
#[derive(Debug, Clone)]
pub struct Placer {
    handed: mpsc::Sender<Handed>,
    owned: watch::Receiver<Option<Owned>>,
}

/// A set on its way to the picket.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) goals: Goals,
    pub(super) reply: oneshot::Sender<Result<(), Error>>,
}

/// The end of the link, which serves a [`Placer`].
#[derive(Debug)]
pub struct Placing {
    pub(super) handed: mpsc::Receiver<Handed>,
    pub(super) owned: watch::Sender<Option<Owned>>,
}

/// Both ends. Sets wait until the picket is there.
pub fn placing() -> (Placer, Placing) {
    let (handed, sets) = mpsc::channel(HANDED_MAX);
    let (told, owned) = watch::channel(None);
    (Placer { handed, owned }, Placing { handed: sets, owned: told })
}

impl Placer {
    /// Has the picket run what the target wants of this node: all of it, and nothing else that the target placed.
    /// Returns once it is durable there, and being enacted. A set that its caller no longer waits for may be accepted all
    /// the same; the same set again changes nothing.
    ///
    /// # Errors
    /// [`Kind::Generation`]: the picket accepted a later order. [`Kind::LimitReached`]: the set is too long for the link.
    /// [`Kind::Busy`]: too many wait. [`Kind::ShuttingDown`]: the node stops. Others, as of a disk that is full, are the
    /// picket's. The set before holds.
    pub async fn goals(&self, goals: Goals) -> Result<(), Error> {
        let stops = || Error::new(Kind::ShuttingDown, "the node is stopping");
        let (reply, answer) = oneshot::channel();
        self.handed.send(Handed { goals, reply }).await.map_err(|_| stops())?;
        answer.await.map_err(|_| stops())?
    }

    /// Everything that the target placed on this node, and the order that the picket accepted last. None: the picket did not say
    /// yet. It says it when it is there, and at each change; the last one holds.
    pub fn owned(&self) -> watch::Receiver<Option<Owned>> {
        self.owned.clone()
    }
}
