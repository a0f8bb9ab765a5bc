use std::time::Instant;

use bytes::Bytes;
use crux_client::model::MemberState;
use crux_client::model::Prefix;
use crux_client::{Client, Get, Got};
use crux_crdt::blob::{Descriptor, Root};
use crux_crdt::record::SlotKind as _;
use crux_proto::v1::blobs_client::BlobsClient;
use futures::TryStreamExt as _;
use futures::stream::iter;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tonic::transport::{Channel, Endpoint, Uri};

use super::*;
use crate::api::tests::FakeNode;
use crate::blobs::want::Wanted;
use crate::blobs::{Blobs, Config};
use crate::view::Said;
use crate::view::testing::{principal, view};

async fn client(node: &FakeNode) -> Client {
    Client::connect(node.dir.path(), Duration::from_secs(10)).await.unwrap()
}

const fn chunk(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

async fn all(get: &mut Get) -> Result<Vec<Got>, Error> {
    let mut all = Vec::new();
    while let Some(got) = get.next().await? {
        all.push(got);
    }
    Ok(all)
}

#[tokio::test]
async fn a_put_is_over_when_it_says_so() {
    let node = FakeNode::start(view());
    let client = client(&node).await;
    let Taken { id, size } =
        client.put_blob(0, iter([Some(chunk("ab")), Some(chunk("c")), None])).await.unwrap();
    assert_eq!(size, 3);
    let mut get = client.get_blob(id, WAIT).await.unwrap();
    let abc = Got::Chunk(Bytes::from_static(b"abc"));
    assert_eq!(all(&mut get).await, Ok(vec![Got::Size(3), abc]));
    for broken in [vec![Some(chunk("abd"))], vec![]] {
        let err = client.put_blob(0, iter(broken)).await.unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidArgument, "{err}");
    }
    let err = client.put_blob(u64::MAX, iter([None])).await.unwrap_err();
    assert_eq!(err.kind(), Kind::LimitReached, "{err}");
    assert_eq!(client.call(&ListBlobs).await.unwrap().len(), 1, "nothing of the others is there");
    let large = Bytes::from(vec![0; 2 << 20]);
    assert!(client.put_blob(0, iter([Some(large), None])).await.is_err(), "a chunk has a limit");
}

/// How many calls are under way at a time.
const AT_ONCE: usize = 48;

/// How long a call may be refused because the places of calls that were dropped are not free yet.
const FREE_WITHIN: Duration = Duration::from_secs(30);

/// Makes so many calls, some at a time.
async fn many<F: Future<Output = Result<(), Error>>>(calls: usize, call: impl FnMut(usize) -> F) {
    let calls = stream::iter(0..calls).map(call).buffer_unordered(AT_ONCE);
    calls.try_collect::<()>().await.unwrap();
}

/// Gets the size of a blob and drops the get. The node learns of the drop when its thread has the time, so
/// with places for all calls at a time it may still count more; a place that is never free fails the test.
async fn size_of(client: &Client, id: BlobId) -> Result<u64, Error> {
    let refused_since = Instant::now();
    loop {
        let first = async { client.get_blob(id, WAIT).await?.next().await };
        match first.await {
            Ok(Some(Got::Size(size))) => return Ok(size),
            Ok(other) => panic!("{other:?} before the size"),
            Err(err)
                if err.kind() == Kind::LimitReached && refused_since.elapsed() < FREE_WITHIN =>
            {
                yield_now().await;
            }
            Err(err) => return Err(err),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_bears_many_gets_that_are_dropped_early() {
    let node = FakeNode::start(view());
    let client = client(&node).await;
    let chunk = Bytes::from(vec![7; 4096]);
    let Taken { id, size } = client.put_blob(0, iter([Some(chunk), None])).await.unwrap();
    many(10_000, async |_| {
        assert_eq!(size_of(&client, id).await?, size);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_bears_many_puts_that_are_refused_early() {
    let node = FakeNode::start(view());
    let client = client(&node).await;
    many(5000, async |_| {
        let chunks = iter(vec![Some(Bytes::from(vec![7; 4096])); 8]);
        let err = client.put_blob(u64::MAX, chunks).await.unwrap_err();
        assert_eq!(err.kind(), Kind::LimitReached, "{err}");
        Ok(())
    })
    .await;
}

/// A gRPC client that is not ours: it knows the service and sets nothing.
async fn stranger(node: &FakeNode) -> BlobsClient<Channel> {
    let path = node.dir.path().join("control.sock");
    let connect = tower::service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    let channel = Endpoint::from_static("http://node").connect_with_connector(connect).await;
    BlobsClient::new(channel.unwrap())
}

/// A put of which each part, and the end, goes out by itself.
fn in_small_steps(bytes: Bytes) -> impl Stream<Item = v1::PutRequest> {
    use v1::put_request::Part;
    let parts = [Part::Begin(0), Part::Chunk(bytes), Part::Finish(v1::PutFinish {})];
    stream::unfold(parts.into_iter(), async |mut parts| {
        for _ in 0..3 {
            yield_now().await;
        }
        let part = parts.next()?;
        Some((v1::PutRequest { part: Some(part) }, parts))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strangers_connection_bears_many_small_puts_and_gets() {
    let node = FakeNode::start(view());
    let stranger = stranger(&node).await;
    many(2500, async |number| {
        let mut stranger = stranger.clone();
        let bytes = Bytes::from(number.to_string());
        let put = stranger.put(in_small_steps(bytes.clone())).await.expect("put").into_inner();
        let get = stranger.get(ask(&put.id)).await.expect("got").into_inner();
        let parts: Vec<_> = get.try_collect().await.expect("all of it");
        let chunk = v1::get_response::Part::Chunk(bytes);
        assert_eq!(parts.last().and_then(|part| part.part.clone()), Some(chunk));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_put_is_answered_when_its_stream_is_over() {
    let node = FakeNode::start(view());
    let client = client(&node).await;
    let after_the_end = iter([Some(chunk("a")), None, Some(chunk("b"))]);
    let err = client.put_blob(0, after_the_end).await.unwrap_err();
    assert_eq!(err.kind(), Kind::InvalidArgument, "{err}");
    assert_eq!(client.call(&ListBlobs).await, Ok(vec![]));
}

/// A service with a store and whatever fetches for it.
async fn service() -> (Service, mpsc::Receiver<Wanted>, watch::Sender<bool>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(Config::new(vec![dir.path().to_owned()])).await.unwrap();
    let (wishes, wished) = mpsc::channel(1);
    let (close, closing) = watch::channel(false);
    let pantry = Pantry { blobs, wishes: Some(wishes) };
    let (_, seen) = watch::channel(Arc::new(view()));
    (Service { pantry, view: seen, closing }, wished, close, dir)
}

fn ask(id: &str) -> v1::GetRequest {
    v1::GetRequest { id: id.to_owned(), timeout_ms: Some(70) }
}

/// The next part, or the kind of the error.
async fn next(parts: &mut Parts) -> Option<Result<v1::get_response::Part, String>> {
    let part = parts.next().await?;
    Some(part.map(|part| part.part.unwrap()).map_err(|status| status.message().to_owned()))
}

#[tokio::test]
async fn what_is_not_here_is_fetched_and_progress_is_told() {
    use v1::get_response::Part;
    let (service, mut wished, _close, _dir) = service().await;
    let id = "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532";
    let mut parts = service.get(&ask(id)).unwrap();
    let Wanted { id: wanted, timeout, progress, done } = wished.recv().await.unwrap();
    assert_eq!((wanted.to_string().as_str(), timeout), (id, Duration::from_millis(70)));
    progress.send_replace(Progress { held: 1, size: 3, providers: 2 });
    let told = v1::FetchProgress { held: 1, size: 3, providers: 2 };
    assert_eq!(next(&mut parts).await, Some(Ok(Part::Progress(told))));
    service.pantry.blobs.put(&b"abc"[..]).await.unwrap();
    done.send(Ok(())).unwrap();
    assert_eq!(next(&mut parts).await, Some(Ok(Part::Size(3))));
    assert_eq!(next(&mut parts).await, Some(Ok(Part::Chunk(Bytes::from_static(b"abc")))));
    assert_eq!(next(&mut parts).await, None);
}

#[tokio::test]
async fn a_fetch_that_fails_is_told_and_so_is_one_too_many() {
    let (service, mut wished, close, _dir) = service().await;
    let id = "ab".repeat(32);
    let mut parts = service.get(&ask(&id)).unwrap();
    let busy = service.get(&ask(&id)).err().unwrap();
    assert_eq!(busy.kind(), Kind::Busy);
    let wanted = wished.recv().await.unwrap();
    wanted.done.send(Err(Error::new(Kind::BlobUnknown, "nobody has it"))).unwrap();
    assert_eq!(next(&mut parts).await, Some(Err("nobody has it".to_owned())));
    assert_eq!(next(&mut parts).await, None);

    let mut parts = service.get(&ask(&id)).unwrap();
    drop(wished.recv().await);
    assert_eq!(next(&mut parts).await, Some(Err("the node is stopping".to_owned())));

    let mut parts = service.get(&ask(&id)).unwrap();
    close.send_replace(true);
    assert_eq!(next(&mut parts).await, Some(Err("the node is stopping".to_owned())));
    assert_eq!(next(&mut parts).await, None);
    drop(wished);
}

fn id(hex: &str) -> BlobId {
    format!("{hex:0<64}").parse().unwrap()
}

fn find(prefix: &str, elsewhere: bool) -> op::FindBlob {
    op::FindBlob { prefix: Prefix::parse(prefix).unwrap(), elsewhere }
}

#[tokio::test]
async fn a_blob_is_found_by_as_few_digits_as_tell_it_from_the_others() {
    let node = FakeNode::start(view());
    let client = client(&node).await;
    let put = client.put_blob(3, iter([Some(chunk("abc")), None])).await.unwrap();
    assert!(put.id.to_string().starts_with("3a985da7"));
    // A liar offers one that begins alike, and others two that nobody here has.
    let mut said = Said::default();
    let (b31, b32) = ("b".repeat(31), "b".repeat(32));
    let (one, other) = (format!("{b31}1"), format!("{b31}2"));
    for hex in ["3a985da7", &one, &other] {
        let offer = Offer(Descriptor { blob: id(hex), root: Root([1; 32]), size: 1 });
        said.add(principal("n2"), &Arc::new(offer.into_slot()));
    }
    node.views.send_replace(Arc::new(View { said, ..view() }));
    assert_eq!(client.call(&find("3a98", false)).await, Ok(put.id));
    assert_eq!(
        client.call(&find("3a985da7", true)).await,
        Ok(put.id),
        "an offer takes nothing away"
    );
    assert_eq!(client.call(&find(&other, true)).await, Ok(id(&other)));
    for (prefix, elsewhere, kind) in [
        (other.as_str(), false, Kind::BlobUnknown),
        (&b31, true, Kind::BlobUnknown),
        (&b32, true, Kind::BlobUnknown),
        ("3a995", true, Kind::BlobUnknown),
    ] {
        let err = client.call(&find(prefix, elsewhere)).await.unwrap_err();
        assert_eq!(err.kind(), kind, "{prefix}: {err}");
    }
}

#[tokio::test]
async fn a_blob_is_held_while_a_live_member_offers_it() {
    let node = FakeNode::start(view());
    let client = client(&node).await;
    let put = client.put_blob(3, iter([Some(chunk("abc")), None])).await.unwrap();
    let there = id("ab");
    let held = async |ids: &[BlobId]| client.call(&op::HeldBlobs { ids: ids.to_vec() }).await;
    let offer = Offer(Descriptor { blob: there, root: Root([1; 32]), size: 1 });
    let all = [there, id("cd"), put.id];
    for state in MemberState::ALL {
        let mut view = view();
        view.said = Said::default();
        view.said.add(principal("n2"), &Arc::new(offer.into_slot()));
        let n2 = view.members.iter_mut().find(|it| it.principal == principal("n2"));
        n2.unwrap().state = state;
        node.views.send_replace(Arc::new(view));
        let live = matches!(state, MemberState::Alive | MemberState::Suspect);
        let expected = if live { vec![there, put.id] } else { vec![put.id] };
        assert_eq!(held(&all).await, Ok(expected), "{state}");
    }
    assert_eq!(held(&[]).await, Ok(vec![]));
}
