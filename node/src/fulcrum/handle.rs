//! How front ends reach the fulcrum.

use std::sync::Arc;
use std::time::Duration;

use crux_client::op::Op;
use crux_protocol::liveness::RESTART_LINGER;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::request::{Asked, Request, Restart};
use crate::error::{Error, Kind, StateChanged};
use crate::view::View;

/// How long a caller waits for the fulcrum, whatever it allows itself. A register with `--sync`
/// across a slow flock is the longest thing asked for; a minute is a wild guess above that.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// How long a node that starts may take until it shows itself among the members. One write to the disk, mostly;
/// where that fails, as on a full disk, commands have to be answered all the same.
const SHOWN_WITHIN: Duration = Duration::from_secs(1);

/// The processes of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Processes {
    /// The one that this is.
    pub fulcrum: u32,
    /// The one that started it; `None`: the node is one process.
    pub picket: Option<u32>,
}

/// A front end's access to the fulcrum: the latest view, and a bounded queue for requests.
#[derive(Debug, Clone)]
pub struct Handle {
    /// The snapshot the fulcrum published last.
    pub view: watch::Receiver<Arc<View>>,
    /// Where requests go.
    pub requests: mpsc::Sender<Request>,
    /// The processes of the node.
    pub processes: Processes,
}

impl Handle {
    /// The snapshot the fulcrum published last.
    pub fn view(&self) -> Arc<View> {
        self.view.borrow().clone()
    }

    /// Resolves when the node shows itself among the members, or does not within `SHOWN_WITHIN`. A caller that asks
    /// right after the start would otherwise hear of a flock of none.
    pub async fn shown(&self) {
        let mut views = self.view.clone();
        let shown =
            views.wait_for(|view| view.members.iter().any(|it| it.principal == view.principal));
        drop(timeout(SHOWN_WITHIN, shown).await);
    }

    /// Asks the fulcrum and waits for the answer.
    ///
    /// # Errors
    /// Those of the fulcrum; [`Kind::Busy`] when its queue stays full, [`Kind::TimedOut`] when it
    /// took the request and does not answer, [`Kind::ShuttingDown`] when it is gone.
    pub async fn ask<O: Op>(&self, op: O) -> Result<O::Answer, Error>
    where
        Request: From<Asked<O>>,
    {
        self.ask_within(op, ANSWER_MAX).await
    }

    /// Tells the flock that another process of this node takes over within this time, ten seconds at most, and gives
    /// that the time to spread. The caller stops the node then; no member calls it dead meanwhile.
    ///
    /// # Errors
    /// As [`Handle::ask`]: the restart is a short death then, and nothing worse.
    pub async fn announce_restart(&self, within: Duration) -> Result<(), Error> {
        self.ask_within(Restart(within), RESTART_LINGER).await?;
        tokio::time::sleep(RESTART_LINGER).await;
        Ok(())
    }

    /// [`Handle::ask`] with another limit, which holds for the queue and for the answer.
    async fn ask_within<O: Op>(&self, op: O, limit: Duration) -> Result<O::Answer, Error>
    where
        Request: From<Asked<O>>,
    {
        let busy = |_| Error::new(Kind::Busy, "the node has more requests than it can take");
        let slot = timeout(limit, self.requests.reserve()).await.map_err(busy)?;
        let slot = slot.map_err(|_| Error::new(Kind::ShuttingDown, "the node is stopping"))?;
        let (reply, answer) = oneshot::channel();
        slot.send(Asked { op, reply }.into());
        match timeout(limit, answer).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(unknown(Kind::ShuttingDown, "the node stopped before it answered")),
            Err(_) => Err(unknown(Kind::TimedOut, "the node took the request and does not answer")),
        }
    }
}

/// An error after which nobody can tell whether the request was carried out.
fn unknown(kind: Kind, message: &str) -> Error {
    Error::new(kind, message).with_state(StateChanged::Unknown)
}

#[cfg(test)]
mod tests {
    use crux_client::op::Leave;

    use super::*;
    use crate::view::testing::view;

    fn handle(capacity: usize) -> (Handle, mpsc::Receiver<Request>) {
        let (requests, queue) = mpsc::channel(capacity);
        let (_, view) = watch::channel(Arc::new(view()));
        let processes = Processes { fulcrum: 2, picket: None };
        (Handle { view, requests, processes }, queue)
    }

    async fn ask(handle: &Handle) -> Error {
        handle.ask_within(Leave, Duration::from_millis(20)).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_full_queue_is_busy_and_changes_nothing() {
        let (handle, _queue) = handle(1);
        let _taken = handle.requests.reserve().await.unwrap();
        let err = ask(&handle).await;
        assert_eq!((err.kind(), err.state_changed()), (Kind::Busy, StateChanged::No));
    }

    #[tokio::test]
    async fn silence_is_unknown() {
        let (handle, _queue) = handle(1);
        let err = ask(&handle).await;
        assert_eq!((err.kind(), err.state_changed()), (Kind::TimedOut, StateChanged::Unknown));
    }

    #[tokio::test]
    async fn a_fulcrum_that_is_gone_took_nothing() {
        let (handle, queue) = handle(1);
        drop(queue);
        let err = ask(&handle).await;
        assert_eq!((err.kind(), err.state_changed()), (Kind::ShuttingDown, StateChanged::No));
    }
}
