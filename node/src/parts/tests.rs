//! One supervisor, with parts that do nothing.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Part, Stop, Supervisor, finished};
use crate::error::{Error, Kind};

/// Far more than anything takes.
const LIMIT: Duration = Duration::from_secs(20);

/// A part that notes its end, and does so when it is asked.
fn add(parts: &Supervisor, part: Part, ended: &Arc<Mutex<Vec<Part>>>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let ended = ended.clone();
    let ask = Stop::Ask(
        Box::pin(async move {
            drop(stop);
            Ok(())
        }),
        LIMIT,
    );
    parts.task(part, ask, async move {
        drop(stopped.await);
        // Others get their turn: those that were not asked yet must not use it.
        tokio::task::yield_now().await;
        ended.lock().unwrap().push(part);
    });
}

#[tokio::test]
async fn parts_stop_in_the_reverse_order_of_the_list() {
    let (parts, ended) = (Supervisor::default(), Arc::default());
    // In whatever order they start.
    for part in [Part::Api, Part::Network, Part::BlobScrub] {
        add(&parts, part, &ended);
    }
    assert_eq!(parts.running(), [Part::Network, Part::BlobScrub, Part::Api]);
    parts.stop().await.unwrap();
    assert_eq!(*ended.lock().unwrap(), [Part::Api, Part::BlobScrub, Part::Network]);
    assert!(parts.running().is_empty() && parts.failure().is_none(), "{parts:?}");
}

#[tokio::test]
async fn a_part_that_does_not_end_in_time_is_dropped() {
    let parts = Supervisor::default();
    let (held, dropped) = oneshot::channel::<()>();
    parts.task(Part::Network, Stop::wait(Duration::from_millis(1)), async move {
        let _held = held;
        pending::<()>().await;
    });
    timeout(LIMIT, parts.stop()).await.unwrap().unwrap();
    assert!(dropped.await.is_err(), "it runs no more");
}

#[tokio::test]
async fn a_part_that_ends_early_failed() {
    let parts = Supervisor::default();
    parts.task(Part::BlobMover, Stop::Drop, async {});
    parts
        .here(Part::Loop, async {
            parts.failed().await;
            Ok(())
        })
        .await
        .unwrap();
    parts.stop().await.unwrap();
    let failure = parts.failure().unwrap();
    assert_eq!(failure.kind(), Kind::PartFailed);
    assert!(failure.to_string().contains("blob-mover"), "{failure}");
}

#[tokio::test]
async fn the_loop_takes_its_error_with_it_and_is_no_failure() {
    let parts = Supervisor::default();
    let refused = Error::new(Kind::Refused, "the key is in use elsewhere");
    let ended = parts.here(Part::Loop, async { Err(refused.clone()) }).await;
    assert_eq!(ended, Err(refused));
    assert!(parts.failure().is_none(), "{parts:?}");
}

/// A database whose thread is gone answers no question.
#[tokio::test]
async fn a_thread_that_panicked_holds_up_no_stop() {
    let parts = Supervisor::default();
    parts.thread(Part::Database, |_| panic!("planted")).unwrap();
    parts.stops_thread(Part::Database, Stop::Ask(Box::pin(pending()), Duration::MAX));
    timeout(LIMIT, parts.stop()).await.unwrap().unwrap();
    let failure = parts.failure().unwrap().to_string();
    assert!(failure.contains("database") && failure.contains("planted"), "{failure}");
}

#[tokio::test]
async fn what_asking_to_end_met_is_the_result_of_stopping() {
    let parts = Supervisor::default();
    let full = Error::new(Kind::DiskFull, "no room");
    let answer = full.clone();
    let ask = async { Err(answer) };
    parts.stops_thread(Part::Database, Stop::Ask(Box::pin(ask), LIMIT));
    assert_eq!(parts.stop().await, Err(full));
}

#[tokio::test]
async fn a_panic_below_a_part_is_the_part_s() {
    let parts = Supervisor::default();
    parts.task(Part::BlobMover, Stop::Drop, async {
        let mut below = tokio::task::JoinSet::new();
        below.spawn(async { panic!("planted") });
        while let Some(joined) = below.join_next().await {
            finished::<()>(joined);
        }
        pending::<()>().await;
    });
    timeout(LIMIT, parts.failed()).await.unwrap();
    assert!(parts.failure().unwrap().to_string().contains("blob-mover"));
}
