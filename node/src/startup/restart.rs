//! The last word of a node that starts again at once.
//!
//! **Invariant**: a restart is announced only while the picket is there to start the node again. A picket that dies takes
//! its fulcrum with it, and the system closes its files before that: for a moment this process sees that the link ended,
//! and runs. A word about a restart would hide the death from the flock for as long as a restart may take.

use crux_protocol::liveness::RESTART_MAX;
use tracing::warn;

use crate::fulcrum::Handle;
use crate::parts::{Part, Supervisor};

/// Tells the flock that this node, a part of which failed, is back soon. Says nothing where no picket starts it
/// again: `restarted` is none, or the part that serves the picket ended. (A link that ended although the picket lives is
/// not told apart: that restart is a short death.)
pub(super) async fn announce(parts: &Supervisor, restarted: Option<Handle>) {
    let Some(handle) = restarted.filter(|_| parts.running().contains(&Part::Picket)) else {
        return;
    };
    if let Err(error) = handle.announce_restart(RESTART_MAX).await {
        warn!(%error, "the restart was not announced; other members may call this node dead until it is back");
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::Arc;

    use tokio::sync::{mpsc, watch};

    use super::*;
    use crate::error::{Error, Kind};
    use crate::fulcrum::Processes;
    use crate::fulcrum::request::Request;
    use crate::parts::Stop;
    use crate::view::testing::view;

    fn handle() -> (Handle, mpsc::Receiver<Request>) {
        let (_, view) = watch::channel(Arc::new(view()));
        let (requests, queue) = mpsc::channel(1);
        let processes = Processes { fulcrum: 2, picket: Some(1) };
        (Handle { view, requests, processes }, queue)
    }

    fn fail() -> impl Future<Output = Result<(), Error>> {
        ready(Err(Error::new(Kind::Internal, "planted")))
    }

    #[tokio::test]
    async fn a_part_that_fails_beside_a_picket_is_a_restart() {
        let (parts, (handle, mut queue)) = (Supervisor::default(), handle());
        parts.task(Part::Picket, Stop::Drop, pending::<()>());
        parts.task(Part::Api, Stop::Drop, fail());
        parts.task(Part::Loop, Stop::Drop, pending::<()>());
        parts.failed().await;
        announce(&parts, Some(handle)).await;
        assert!(queue.try_recv().is_ok(), "the engine was told");
    }

    #[tokio::test]
    async fn the_end_of_the_picket_is_no_restart() {
        let (parts, (handle, mut queue)) = (Supervisor::default(), handle());
        parts.task(Part::Picket, Stop::Drop, fail());
        parts.task(Part::Loop, Stop::Drop, pending::<()>());
        parts.failed().await;
        announce(&parts, Some(handle)).await;
        assert!(queue.try_recv().is_err(), "nobody is there to start it again");
    }
}
