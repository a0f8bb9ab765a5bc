use crux_crdt::document::Setting;
use tokio::sync::oneshot;

use crate::view::{View, Views};

/// The flock's `setting/log`, as this node's replica has it.
#[derive(Debug)]
pub(crate) struct FlockLog {
    views: Source,
    last: Option<String>,
}

#[derive(Debug)]
enum Source {
    /// The node has not started yet.
    Awaited(oneshot::Receiver<Views>),
    Here(Views),
    /// The node stops.
    Gone,
}

impl FlockLog {
    /// Follows what a node will show.
    pub(crate) fn of(started: oneshot::Receiver<Views>) -> Self {
        Self { views: Source::Awaited(started), last: None }
    }

    /// Waits until it is another one, and returns it; none if there is none now. Nothing is lost where this is
    /// dropped before it returns.
    pub(super) async fn changed(&mut self) -> Option<String> {
        loop {
            match &mut self.views {
                Source::Awaited(started) => match started.await {
                    Ok(mut views) => {
                        views.mark_changed();
                        self.views = Source::Here(views);
                    }
                    Err(_) => self.views = Source::Gone,
                },
                Source::Here(views) => {
                    if views.changed().await.is_err() {
                        self.views = Source::Gone;
                        continue;
                    }
                    let now = log_of(&views.borrow_and_update());
                    if now != self.last {
                        self.last.clone_from(&now);
                        return now;
                    }
                }
                Source::Gone => std::future::pending().await,
            }
        }
    }
}

fn log_of(view: &View) -> Option<String> {
    match view.documents.setting(Setting::LOG)? {
        Setting::Log(directives) => Some(directives),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crux_crdt::Digest;
    use crux_crdt::document::{Body, Document, Documents};
    use crux_crdt::sign::Identity;
    use tokio::sync::watch;

    use super::*;

    fn with(documents: &Documents) -> Arc<View> {
        let documents = Arc::new(documents.clone());
        Arc::new(View { documents, ..crate::view::testing::view() })
    }

    #[tokio::test]
    async fn each_other_value_is_told_once() {
        let operator = Identity::from_seed(&[1; 32]);
        let mut documents = Documents::default();
        let (show, views) = watch::channel(with(&documents));
        let (start, started) = oneshot::channel();
        let mut log = FlockLog::of(started);
        start.send(views).unwrap();
        let mut set = |generation, content: Option<&[u8]>| {
            let key = Setting::key_of(Setting::LOG).unwrap();
            let body = Body::new(key, 1, generation, content.map(Into::into));
            let document = Document::sign(body, &Digest([7; 32]), &operator, None).unwrap();
            documents.merge(Arc::new(document));
            show.send_replace(with(&documents));
        };
        set(1, Some(b"debug"));
        assert_eq!(log.changed().await.as_deref(), Some("debug"));
        // The same again is no change; and what cannot be read is as if there were none.
        set(2, Some(b"debug"));
        set(3, Some(b"\x07"));
        assert_eq!(log.changed().await, None);
        set(4, Some(b"info"));
        assert_eq!(log.changed().await.as_deref(), Some("info"));
        set(5, None);
        assert_eq!(log.changed().await, None);
    }
}
