//! Looks at every node, all the time.

use std::sync::Arc;
use std::time::Duration;

use crux_client::model::Status;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::history::{Look, Sample};
use super::recorder::Recorder;
use crate::process::NodeClient;

/// How often each node is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a node may take to say how it is.
const ANSWER_WITHIN: Duration = Duration::from_millis(800);

/// Looks at one node until the future is dropped.
pub(super) async fn observe(host: usize, node: NodeClient, recorder: Arc<Recorder>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let at = recorder.now();
        let said = timeout(ANSWER_WITHIN, node.status()).await;
        let look = said.ok().and_then(Result::ok).map(look);
        recorder.sample(Sample { at, host, look });
    }
}

fn look(status: Status) -> Look {
    let counts = status.members;
    Look {
        incarnation: status.incarnation,
        digest: status.state_digest.to_string(),
        leader: status.leader.map(|leader| (leader.node.to_string(), leader.term)),
        alive: counts.alive,
        suspect: counts.suspect,
        dead: counts.dead,
    }
}
