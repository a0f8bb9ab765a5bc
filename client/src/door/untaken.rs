//! Answers that wait to be taken.
//!
//! A caller can make a call, and never read what it asked for: a list of thousands of services is a megabyte.
//! An answer that nobody waits for must not keep one from who does, so none is refused for it. It is handed
//! to the connection in parts, as the caller has room for them, and the rest waits here.
//!
//! **Invariant**: what waits takes at most as many bytes as there may be, or is one answer. When another
//! one comes, those go of which nothing was taken for longest; their calls fail, with a status. The transport has up to 400 kB of a call
//! beside that, if the caller says that it has the room and then reads nothing.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use crate::wire::to_status;
use http_body::Frame;
use tonic::body::Body;
use tonic::codegen::{Body as HttpBody, Bytes, http};

use crate::error::StateChanged;
use crate::{Error, Kind};

/// How much of an answer is handed over at a time.
const PART: usize = 16 * 1024;
/// The memory that an answer takes beside its bytes, about.
const EACH: usize = 512;

/// All answers that wait. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Untaken(Arc<Mutex<Table>>);

#[derive(Debug)]
struct Table {
    /// By when something of them was taken last.
    waiting: BTreeMap<u64, Left>,
    next: u64,
    /// The memory that all of them take.
    total: usize,
    max: usize,
}

/// The rest of an answer.
#[derive(Debug)]
struct Left {
    bytes: Bytes,
    /// The memory that it takes: parts that were handed over stay in memory until the last one was.
    cost: usize,
}

impl Table {
    fn insert(&mut self, left: Left) -> u64 {
        self.total += left.cost;
        let id = self.next;
        self.next += 1;
        self.waiting.insert(id, left);
        while self.total > self.max && self.waiting.len() > 1 {
            let longest = self.waiting.first_key_value().map(|(id, _)| *id);
            longest.into_iter().for_each(|id| drop(self.remove(id)));
        }
        id
    }

    fn remove(&mut self, id: u64) -> Option<Left> {
        let left = self.waiting.remove(&id)?;
        self.total -= left.cost;
        Some(left)
    }
}

impl Untaken {
    /// At most so many bytes.
    pub(super) fn new(max: usize) -> Self {
        let table = Table { waiting: BTreeMap::new(), next: 0, total: 0, max };
        Self(Arc::new(Mutex::new(table)))
    }

    /// The same answer to a short call, which waits here. It is there as a whole, or soon will be. `lost` says
    /// whether the call may have changed something, for the case that its answer has to go.
    pub(super) async fn keep(
        &self,
        answer: http::Response<Body>,
        lost: StateChanged,
    ) -> http::Response<Body> {
        let (parts, mut body) = answer.into_parts();
        let (mut all, mut end) = (Vec::new(), None);
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => all.push(data),
                Ok(Err(frame)) => end = frame.into_trailers().ok(),
                Err(status) => return status.into_http(),
            }
        }
        let bytes = match &mut all[..] {
            [one] => std::mem::take(one),
            many => many.concat().into(),
        };
        let cost = bytes.len() + EACH;
        let id = (!bytes.is_empty()).then(|| self.table().insert(Left { bytes, cost }));
        let rest = Rest { untaken: self.clone(), id, end, lost };
        http::Response::from_parts(parts, Body::new(rest))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer on its way to the caller.
#[derive(Debug)]
struct Rest {
    untaken: Untaken,
    /// Where it waits; none once all of it is taken.
    id: Option<u64>,
    end: Option<http::HeaderMap>,
    /// The state that the error reports when the answer had to go.
    lost: StateChanged,
}

impl Rest {
    /// The next part; none if it had to go.
    fn part(&mut self, id: u64) -> Option<Bytes> {
        self.id = None;
        let mut table = self.untaken.table();
        let mut left = table.remove(id)?;
        let part = left.bytes.split_to(left.bytes.len().min(PART));
        if !left.bytes.is_empty() {
            self.id = Some(table.insert(left));
        }
        Some(part)
    }
}

impl HttpBody for Rest {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        let Some(id) = self.id else {
            return Poll::Ready(self.end.take().map(|end| Ok(Frame::trailers(end))));
        };
        if let Some(part) = self.part(id) {
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        // An error of the body would reset the stream, and the caller would not learn why.
        self.end = None;
        let mut end = http::HeaderMap::new();
        let refused = refusal(self.lost).add_header(&mut end);
        Poll::Ready(Some(refused.map(|()| Frame::trailers(end))))
    }

    /// A refusal has no body: its status goes with the headers, and they end it.
    fn is_end_stream(&self) -> bool {
        self.id.is_none() && self.end.is_none()
    }
}

/// The status of a call whose answer had to go.
fn refusal(lost: StateChanged) -> tonic::Status {
    let what = "nothing of the answer was taken while other callers waited for theirs";
    let hint = "Read the answer of one call before you make many others.";
    to_status(&Error::new(Kind::LimitReached, what).with_hint(hint).with_state(lost))
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.id.into_iter().for_each(|id| drop(self.untaken.table().remove(id)));
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::from_status;

    use super::*;

    /// An answer of so many bytes, all of them this one.
    async fn answer(untaken: &Untaken, size: usize, byte: u8) -> Body {
        let frames = [
            Frame::data(Bytes::from(vec![byte; size])),
            Frame::trailers(http::HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-status"),
                http::HeaderValue::from_static("0"),
            )])),
        ];
        let body = Body::new(Frames(frames.into_iter().collect()));
        untaken.keep(http::Response::new(body), StateChanged::No).await.into_body()
    }

    struct Frames(std::collections::VecDeque<Frame<Bytes>>);

    impl HttpBody for Frames {
        type Data = Bytes;
        type Error = tonic::Status;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    async fn next(body: &mut Body) -> Option<Result<Frame<Bytes>, tonic::Status>> {
        poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
    }

    /// All that is left of an answer, and whether it has its end.
    async fn rest(mut body: Body) -> Result<(Vec<u8>, bool), tonic::Status> {
        let (mut all, mut ended) = (Vec::new(), false);
        while let Some(frame) = next(&mut body).await {
            match frame?.into_data() {
                Ok(data) => {
                    assert!(data.len() <= PART);
                    all.extend_from_slice(&data);
                }
                Err(frame) => {
                    let end = frame.into_trailers().expect("data or trailers");
                    let status = tonic::Status::from_header_map(&end).expect("a status");
                    if status.code() != tonic::Code::Ok {
                        return Err(status);
                    }
                    ended = true;
                }
            }
        }
        Ok((all, ended))
    }

    #[tokio::test]
    async fn an_answer_comes_in_parts_and_whole() {
        let untaken = Untaken::new(1 << 20);
        for size in [0, 1, PART, PART + 1, 100_000] {
            let body = answer(&untaken, size, 7).await;
            assert!(!body.is_end_stream());
            let (all, ended) = rest(body).await.unwrap();
            assert!(ended && all == vec![7; size], "{size}");
            assert_eq!(untaken.table().total, 0);
        }
        let refusal = http::Response::new(Body::default());
        let refusal = untaken.keep(refusal, StateChanged::No).await;
        assert!(refusal.body().is_end_stream());
    }

    #[tokio::test]
    async fn answers_that_nobody_takes_wait_up_to_the_bound_and_the_stalest_goes() {
        const SIZE: usize = 100_000;
        let untaken = Untaken::new(10 * (SIZE + EACH));
        let mut all = Vec::new();
        for byte in 0..10 {
            all.push(answer(&untaken, SIZE, byte).await);
        }
        assert_eq!(untaken.table().waiting.len(), 10, "up to the bound");
        // The first is being read, so the second is the stalest.
        next(&mut all[0]).await.unwrap().unwrap();
        all.push(answer(&untaken, SIZE, 10).await);
        all.push(answer(&untaken, SIZE, 11).await);
        assert!(untaken.table().total <= 10 * (SIZE + EACH));
        let mut lost = Vec::new();
        for (number, body) in all.into_iter().enumerate() {
            match rest(body).await {
                Ok((bytes, ended)) => {
                    let read = if number == 0 { PART } else { 0 };
                    assert!(ended && bytes == vec![u8::try_from(number).unwrap(); SIZE - read]);
                }
                Err(status) => {
                    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
                    assert_eq!(from_status(&status).kind(), Kind::LimitReached);
                    lost.push(number);
                }
            }
        }
        assert_eq!(lost, [1, 2]);
        assert_eq!(untaken.table().total, 0);
    }

    /// The bytes of an answer are one block of memory, so a caller that leaves the last byte holds all of it.
    #[tokio::test]
    async fn an_answer_takes_all_its_memory_until_the_last_of_it_is_taken() {
        let untaken = Untaken::new(1 << 20);
        let mut body = answer(&untaken, 2 * PART + 1, 7).await;
        for _ in 0..2 {
            next(&mut body).await.unwrap().unwrap();
            assert_eq!(untaken.table().total, 2 * PART + 1 + EACH);
        }
        next(&mut body).await.unwrap().unwrap();
        assert_eq!(untaken.table().total, 0);
    }

    #[tokio::test]
    async fn one_answer_may_be_larger_and_a_call_that_ends_frees_its_own() {
        let untaken = Untaken::new(1_000);
        let large = answer(&untaken, 100_000, 3).await;
        assert_eq!(untaken.table().waiting.len(), 1);
        drop(large);
        assert_eq!(untaken.table().total, 0);
    }
}
