use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::blob::{BlobId, Descriptor};
use crux_crdt::record::{KindFull, Offer, SlotKind as _, SlotSet};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use crate::blobs::{Blobs, Listed};
use crate::fulcrum::request::{Asked, Request, Set};
use crate::view::View;

/// How often it is looked what is to be offered. Pins and registered files change by hand, and whoever
/// asks before that finds the blob all the same.
const LOOK_PERIOD: Duration = Duration::from_secs(2);

/// What is sealed here and not offered in the strew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    /// What was to be offered and found no slot.
    pub(super) kept: Vec<BlobId>,
    pub(super) others: Vec<BlobId>,
}

/// Offers in the registry what is sealed here and pinned, or registered in place: what somebody said
/// is to stay, as far as there are slots. The rest is told to the mover. `fulcrum`: takes the offers; none:
/// there are none. Ends with it, or with the mover.
pub(super) async fn run(
    blobs: Blobs,
    fulcrum: Option<mpsc::Sender<Request>>,
    mover: mpsc::Sender<Stored>,
) {
    let mut ticks = interval(LOOK_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let slots = fulcrum.as_ref().map_or(0, |_| Offer::ROW.most);
    // The last run's offers may still stand.
    let mut offered: Option<Vec<Offer>> = None;
    let mut told: Option<Stored> = None;
    loop {
        ticks.tick().await;
        let (offers, stored) = sort_out(&blobs, slots);
        if told.as_ref() != Some(&stored) {
            let before = told.as_ref().map_or(0, |told| told.kept.len());
            if slots > 0 && before == 0 && !stored.kept.is_empty() {
                info!(
                    "{}: the blobs beyond that are found through Kademlia",
                    KindFull::of(Offer::ROW)
                );
            }
            if mover.send(stored.clone()).await.is_err() {
                return;
            }
            told = Some(stored);
        }
        let Some(fulcrum) = fulcrum.as_ref().filter(|_| offered.as_ref() != Some(&offers)) else {
            continue;
        };
        let set = match SlotSet::new(offers.iter().copied()) {
            Ok(set) => set,
            Err(error) => {
                warn!(%error, "blobs are not offered");
                continue;
            }
        };
        let (reply, answer) = oneshot::channel();
        if fulcrum.send(Asked { op: Set(set), reply }.into()).await.is_err() {
            return;
        }
        match answer.await {
            Ok(Ok(())) => offered = Some(offers),
            Ok(Err(error)) => debug!(%error, "blobs are not offered yet"),
            Err(_) => return,
        }
    }
}

/// What goes into slots, and what does not.
fn sort_out(blobs: &Blobs, slots: usize) -> (Vec<Offer>, Stored) {
    let sealed = blobs.list().into_iter().filter(|listed| listed.sealed);
    let stays = |listed: &Listed| listed.pinned || listed.registered.is_some();
    let (stay, others): (Vec<_>, Vec<_>) = sealed.partition(stays);
    let (offered, kept) = stay.split_at(stay.len().min(slots));
    let offers = offered.iter().filter_map(|listed| blobs.describe(&listed.id).ok());
    let offers = offers.map(Offer).collect();
    let ids = |listed: &[Listed]| listed.iter().map(|listed| listed.id).collect();
    (offers, Stored { kept: ids(kept), others: ids(&others) })
}

/// The members that offer a blob, and what each states of it.
pub(super) fn holders(view: &View, blob: &BlobId) -> Vec<(Principal, Descriptor)> {
    view.said.of::<Offer>(blob).map(|(by, offer)| (by, offer.0)).collect()
}
