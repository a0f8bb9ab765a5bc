//! Looks at all nodes at once, until each shows a change of which no stream tells.
//!
//! A task per node asks, waits a moment, and asks again. Looks cost the nodes time, and find a change late by half of
//! the pause on average: so what is compared is looked for in the same way, and what a stream tells as well is
//! measured both ways.

use std::time::{Duration, Instant};

use crux_client::Kind;
use crux_client::model::DocumentState;
use crux_client::op::ShowDocument;
use crux_crdt::document::Key;
use crux_crdt::path::FlockId;
use futures::future::try_join_all;
use tokio::time::sleep;

use super::rig::SEEN_WITHIN;
use crate::Error;
use crate::process::NodeClient;
use crate::wait::{self, Seen};

/// How long a node is left alone between two looks. 25 nodes looked at without a pause would take both cores.
const LOOK_EVERY: Duration = Duration::from_millis(4);

/// What every node is to show.
#[derive(Debug)]
pub(super) enum Wanted {
    /// A live service with this path.
    Service(FlockId),
    /// The document under this key, of this generation, without a rival and with effect.
    Document(Key, u64),
}

/// Waits until each node shows it; returns how long after `since` each was first seen to.
///
/// # Errors
///
/// [`Error::TimedOut`], [`Error::Refused`], or [`Error::Broken`] when a node shows something else under the key.
pub(super) async fn until_all(
    clients: &[NodeClient],
    wanted: &Wanted,
    since: Instant,
) -> Result<Vec<Duration>, Error> {
    try_join_all(clients.iter().map(|client| until(client, wanted, since))).await
}

async fn until(client: &NodeClient, wanted: &Wanted, since: Instant) -> Result<Duration, Error> {
    // Not all in one instant.
    sleep(LOOK_EVERY.mul_f64(rand::random_range(0.0..1.0))).await;
    let what = format!("each node shows {wanted:?}");
    wait::until_every(LOOK_EVERY, &what, SEEN_WITHIN, async || {
        let shown = shows(client, wanted).await?;
        Ok(Seen::when(shown, since.elapsed(), |_| format!("  not {}", client.node())))
    })
    .await
}

async fn shows(client: &NodeClient, wanted: &Wanted) -> Result<bool, Error> {
    match wanted {
        Wanted::Service(path) => Ok(!client.services(&path.to_string(), false).await?.is_empty()),
        Wanted::Document(key, generation) => shows_document(client, key, *generation).await,
    }
}

async fn shows_document(client: &NodeClient, key: &Key, generation: u64) -> Result<bool, Error> {
    let entry = match client.call(&ShowDocument { key: key.clone() }).await {
        Ok(shown) => shown.entry,
        Err(Error::Refused { error, .. }) if error.kind() == Kind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if entry.state != DocumentState::Current {
        let node = client.node();
        return Err(Error::Broken(format!("{node} shows {entry:?}, which is not current")));
    }
    Ok(entry.generation >= generation)
}
