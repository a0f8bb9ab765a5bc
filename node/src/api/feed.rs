//! The stream of `Watch`: a snapshot, then changes.
//!
//! The reader pulls. A reader that is slow finds, when it comes back, one delta from what it saw
//! last to what is there now, so nothing piles up for it. Where that delta is long, it gets a new
//! snapshot instead. Invariant: applying the events in order gives the answer to the query at the
//! view of the last event.
//!
//! A delta needs the view that the reader saw last. Readers that stopped would keep many old views of a
//! large flock in memory, so [`Seen`] keeps the last [`SEEN_MAX`] of them for all readers together. One
//! whose view is gone gets a snapshot. A reader that reads is never among those, however many stopped.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crux_client::model::Service;
use crux_client::wire::{Message as _, to_status};
use crux_crdt::path::Query;
use crux_proto::v1::{ServicesResponse, WatchResponse, watch_response::Event};
use futures::Stream;
use tokio::sync::watch;
use tonic::Status;

use crate::error::{Error, Kind};
use crate::view::{Delta, View};

/// From how many changes on a snapshot replaces the delta. A wild guess: above it a reader is behind,
/// below it a snapshot of a big flock costs more.
const DELTA_MAX: usize = 256;

/// How many old views are kept for all readers. A reader that reads saw the newest or the one before.
const SEEN_MAX: usize = 8;

/// The views that readers saw last, the oldest first. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Mutex<VecDeque<Arc<View>>>>);

impl Seen {
    /// Keeps a view for those who saw it, as long as it is among the last.
    fn keep(&self, view: &Arc<View>) -> Weak<View> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|old| Arc::weak_count(old) > 0);
        if !kept.iter().any(|old| Arc::ptr_eq(old, view)) {
            kept.push_back(view.clone());
        }
        while kept.len() > SEEN_MAX {
            kept.pop_front();
        }
        Arc::downgrade(view)
    }
}

/// One reader's place in the stream of views.
pub(super) struct Feed {
    views: watch::Receiver<Arc<View>>,
    closing: watch::Receiver<bool>,
    query: Query,
    all: bool,
    /// The view that the reader has once it took the pending events; `None` before the first snapshot.
    last: Option<Weak<View>>,
    seen: Seen,
    pending: VecDeque<Event>,
    ended: bool,
}

impl Feed {
    pub(super) fn new(
        views: watch::Receiver<Arc<View>>,
        closing: watch::Receiver<bool>,
        query: Query,
        all: bool,
        seen: Seen,
    ) -> Self {
        let (last, pending) = (None, VecDeque::new());
        Self { views, closing, query, all, last, seen, pending, ended: false }
    }

    /// The feed as a stream; it ends with an error when the node stops.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<WatchResponse, Status>> + Send {
        futures::stream::unfold(self, |mut feed| async move {
            let event = feed.next().await?;
            let event = event.map(|event| WatchResponse { event: Some(event) });
            Some((event.map_err(|err| to_status(&err)), feed))
        })
    }

    /// The next event; waits for a change. `None` after an error.
    async fn next(&mut self) -> Option<Result<Event, Error>> {
        loop {
            if self.ended {
                return None;
            }
            if let Some(event) = self.pending.pop_front() {
                return Some(Ok(event));
            }
            if self.last.is_some() && !self.changed().await {
                self.ended = true;
                return Some(Err(Error::new(Kind::ShuttingDown, "the node is stopping")));
            }
            let view = self.views.borrow_and_update().clone();
            self.take(&view);
        }
    }

    /// Waits for a new view; false when none will come.
    async fn changed(&mut self) -> bool {
        if *self.closing.borrow() {
            return false;
        }
        tokio::select! {
            changed = self.views.changed() => changed.is_ok(),
            _ = self.closing.changed() => false,
        }
    }

    /// Puts what the view changes for the reader among what is pending.
    fn take(&mut self, view: &Arc<View>) {
        let last = self.last.as_ref().and_then(Weak::upgrade);
        let delta = last.map(|last| Delta::between(&last, view, &self.query, self.all));
        match delta {
            Some(delta) if delta.len() <= DELTA_MAX => {
                let removed = delta.removed.iter().map(Service::to_wire).map(Event::Removed);
                let added = delta.added.iter().map(Service::to_wire).map(Event::Added);
                self.pending.extend(removed.chain(added));
            }
            _ => {
                let services = view.services(&self.query, self.all).into_iter();
                let services = services.map(Service::to_wire).collect();
                self.pending.push_back(Event::Snapshot(ServicesResponse { services }));
            }
        }
        self.last = Some(self.seen.keep(view));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{service, view};

    struct Fixture {
        feed: Feed,
        views: watch::Sender<Arc<View>>,
        close: watch::Sender<bool>,
    }

    fn fixture(services: Vec<Service>) -> Fixture {
        let (views, receiver) = watch::channel(Arc::new(View { services, ..view() }));
        let (close, closing) = watch::channel(false);
        let feed = Feed::new(receiver, closing, Query::default(), false, Seen::default());
        Fixture { feed, views, close }
    }

    impl Fixture {
        fn publish(&self, services: Vec<Service>) {
            self.views.send_replace(Arc::new(View { services, ..view() }));
        }

        /// Another reader of the same views.
        fn reader(&self) -> Feed {
            let Feed { views, closing, seen, .. } = &self.feed;
            Feed::new(views.clone(), closing.clone(), Query::default(), false, seen.clone())
        }

        async fn next(&mut self) -> String {
            Self::next_of(&mut self.feed).await
        }

        async fn next_of(feed: &mut Feed) -> String {
            match feed.next().await {
                Some(Ok(Event::Snapshot(all))) => format!("snapshot {}", all.services.len()),
                Some(Ok(Event::Added(service))) => format!("added {}", service.path),
                Some(Ok(Event::Removed(service))) => format!("removed {}", service.path),
                Some(Err(err)) => err.kind().to_string(),
                None => "end".to_owned(),
            }
        }
    }

    #[tokio::test]
    async fn a_snapshot_then_what_changed() {
        let mut f = fixture(vec![service("n1", "a", "r1")]);
        assert_eq!(f.next().await, "snapshot 1");
        f.publish(vec![service("n2", "b", "r1")]);
        assert_eq!(f.next().await, "removed /dev/main/n1/a/r1");
        assert_eq!(f.next().await, "added /dev/main/n2/b/r1");
        f.close.send_replace(true);
        assert_eq!(f.next().await, "shutting_down");
        assert_eq!(f.next().await, "end");
    }

    #[tokio::test]
    async fn a_slow_reader_gets_one_delta() {
        let mut f = fixture(vec![]);
        assert_eq!(f.next().await, "snapshot 0");
        f.publish(vec![service("n1", "a", "r1")]);
        f.publish(vec![]);
        f.publish(vec![service("n1", "b", "r1")]);
        assert_eq!(f.next().await, "added /dev/main/n1/b/r1");
    }

    #[tokio::test]
    async fn a_reader_far_behind_gets_a_snapshot() {
        let mut f = fixture(vec![]);
        assert_eq!(f.next().await, "snapshot 0");
        f.publish((0..300).map(|i| service("n1", &format!("a{i}"), "r1")).collect());
        assert_eq!(f.next().await, "snapshot 300");
    }

    /// Readers that stop, each at another view, keep few views in memory and end up with the truth; one
    /// that reads meanwhile sees each change.
    #[tokio::test]
    async fn readers_that_stopped_keep_few_views() {
        let mut f = fixture(vec![]);
        assert_eq!(f.next().await, "snapshot 0");
        let (mut stopped, mut views) = (Vec::new(), Vec::new());
        for i in 0..50 {
            f.publish(vec![service("n1", &format!("a{i}"), "r1")]);
            let mut reader = f.reader();
            assert_eq!(Fixture::next_of(&mut reader).await, "snapshot 1");
            stopped.push(reader);
            views.push(Arc::downgrade(&f.views.borrow()));
            if i > 0 {
                assert_eq!(f.next().await, format!("removed /dev/main/n1/a{}/r1", i - 1));
            }
            assert_eq!(f.next().await, format!("added /dev/main/n1/a{i}/r1"));
        }
        f.publish(vec![]);
        assert_eq!(f.next().await, "removed /dev/main/n1/a49/r1");
        let kept = views.iter().filter(|view| view.strong_count() > 0).count();
        assert!(kept <= SEEN_MAX, "{kept} old views are kept");
        assert_eq!(Fixture::next_of(&mut stopped[0]).await, "snapshot 0");
        assert_eq!(Fixture::next_of(&mut stopped[49]).await, "removed /dev/main/n1/a49/r1");
    }

    #[tokio::test]
    async fn the_end_of_the_fulcrum_ends_the_feed() {
        let mut f = fixture(vec![]);
        assert_eq!(f.next().await, "snapshot 0");
        let (views, _) = watch::channel(Arc::new(view()));
        drop(std::mem::replace(&mut f.views, views));
        assert_eq!(f.next().await, "shutting_down");
        assert_eq!(f.next().await, "end");
    }
}
