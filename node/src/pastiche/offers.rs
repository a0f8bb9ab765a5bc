use std::time::Duration;

use crux_crdt::blob::Descriptor;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

use crate::api::Ask;
use crate::blobs::Blobs;
use crate::fulcrum::request::Request;

/// How often it is looked what is to be offered. Pins and registered files change by hand, and whoever
/// asks before that finds the blob all the same.
const LOOK_PERIOD: Duration = Duration::from_secs(2);

/// Offers in the registry what is sealed here and pinned, or registered in place: what somebody said
/// is to stay. What is merely stored may be evicted, and is found by asking. Ends with the fulcrum.
pub(super) async fn run(blobs: Blobs, fulcrum: mpsc::Sender<Ask>) {
    let mut ticks = interval(LOOK_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The last run's offers may still stand.
    let mut offered: Option<Vec<Descriptor>> = None;
    loop {
        ticks.tick().await;
        let now = to_offer(&blobs);
        if offered.as_ref() == Some(&now) {
            continue;
        }
        let (answer_in, answer) = oneshot::channel();
        if fulcrum.send((Request::Offer(now.clone()), answer_in)).await.is_err() {
            return;
        }
        match answer.await {
            Ok(Ok(_)) => offered = Some(now),
            Ok(Err(error)) => debug!(%error, "blobs are not offered yet"),
            Err(_) => return,
        }
    }
}

fn to_offer(blobs: &Blobs) -> Vec<Descriptor> {
    let stays = |listed: &crate::blobs::Listed| {
        listed.sealed && (listed.pinned || listed.registered.is_some())
    };
    let listed = blobs.list().into_iter().filter(stays);
    listed.filter_map(|listed| blobs.describe(&listed.id).ok()).collect()
}
