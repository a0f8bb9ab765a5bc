//! Many callers at once, most of whom do nothing.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::Frame;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::{Body as HttpBody, Bytes, Service, http};
use tonic::transport::Endpoint;

use super::*;
use crux_client::door::{LONG_PER_CONNECTION, Limits};

/// How long a short call may take here. A newcomer may have to wait until others had their moment.
const SOON: Duration = Duration::from_secs(5);

fn start(limits: Limits) -> FakeNode {
    FakeNode::start_within(limits, view(), async {})
}

impl FakeNode {
    async fn watch(&self) -> Result<Watch, Error> {
        let mut watch = self.client().await.watch(&"".parse().unwrap(), false).await?;
        assert!(matches!(watch.next().await, Ok(Some(WatchEvent::Snapshot { .. }))));
        Ok(watch)
    }

    async fn silent(&self) -> UnixStream {
        UnixStream::connect(self.dir.path().join(SOCKET_NAME)).await.unwrap()
    }

    /// Short calls, each over a connection of its own.
    async fn answers(&self) {
        for _ in 0..10 {
            let answer = timeout(SOON, async { self.client().await.call(&GetStatus).await });
            assert_eq!(answer.await.expect("it answers soon"), Ok(status()));
        }
    }
}

#[tokio::test]
async fn streams_and_silent_connections_keep_no_short_call_waiting() {
    let limits = Limits::of(64);
    let node = start(limits);
    let mut watches = Vec::new();
    for _ in 0..limits.watches {
        watches.push(node.watch().await.unwrap());
    }
    let err = node.watch().await.unwrap_err();
    assert_eq!((err.kind(), err.retryable()), (Kind::LimitReached, true));
    assert_eq!(err.fields()["limit"], limits.watches.to_string());
    let mut silent = Vec::new();
    for i in 0..limits.connections * 5 {
        let mut stream = node.silent().await;
        if i % 2 == 1 {
            stream.write_all(b"PRI * HTTP/2").await.unwrap();
        }
        silent.push(stream);
    }
    node.answers().await;
    let mut said = Vec::new();
    // The node's own greeting, then the end; whether it is an error does not matter.
    drop(timeout(SOON, silent[0].read_to_end(&mut said)).await.expect("it was closed"));
    node.views.send_replace(Arc::new(View { services: vec![], ..view() }));
    for watch in &mut watches {
        let event = timeout(SOON, watch.next()).await.expect("it is still watched");
        assert!(matches!(event, Ok(Some(WatchEvent::Removed { .. }))), "{event:?}");
    }
    drop(watches.pop());
    let again = async {
        while node.watch().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, again).await.expect("a watch that ended makes room");
}

#[tokio::test]
async fn one_connection_full_of_streams_still_answers() {
    let node = start(Limits::of(1 << 20));
    let client = node.client().await;
    let mut watches = Vec::new();
    let query = "".parse().unwrap();
    for _ in 0..LONG_PER_CONNECTION {
        watches.push(client.watch(&query, false).await.unwrap());
    }
    let err = client.watch(&query, false).await.unwrap_err();
    assert_eq!(err.kind(), Kind::LimitReached);
    assert_eq!(timeout(SOON, client.call(&GetStatus)).await, Ok(Ok(status())));
    node.answers().await;
}

/// Clients that opened streams and read nothing of what comes, as when they are stopped.
#[tokio::test]
async fn the_node_stops_whatever_its_clients_do() {
    let mut node = start(Limits::of(64));
    let silent = [node.silent().await, node.silent().await];
    let watch = node.watch().await.unwrap();
    timeout(SOON, node.stop()).await.expect("it stops");
    drop((silent, watch));
}

/// Puts that never go on have a limit of their own, and neither watches nor short calls feel it.
#[tokio::test]
async fn transfers_that_do_nothing_take_only_their_own_places() {
    let limits = Limits::of(64);
    let node = start(limits);
    let mut puts = Vec::new();
    for _ in 0..limits.transfers {
        let client = node.client().await;
        puts.push(tokio::spawn(async move {
            client.put_blob(1 << 20, futures::stream::pending()).await
        }));
    }
    let refused = async {
        loop {
            let put = node.client().await.put_blob(3, futures::stream::iter([None])).await;
            match put {
                Err(err) if err.kind() == Kind::LimitReached => return err,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    let err = timeout(SOON, refused).await.expect("they are counted");
    assert!(err.to_string().contains("puts and gets"), "{err}");
    node.answers().await;
    assert!(node.watch().await.is_ok());
    puts.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Calls whose requests never end, of every kind that is answered at once, over more connections than there are.
#[tokio::test]
async fn requests_that_never_end_keep_no_short_call_waiting() {
    let limits = Limits::of(64);
    let node = start(limits);
    let mut open = Vec::new();
    for path in ["Status", "Register", "Doctor"].iter().cycle().take(limits.connections * 4) {
        let stream = node.silent().await;
        let mut stream = Some(TokioIo::new(stream));
        let connector = tower::service_fn(move |_: http::Uri| {
            let stream = stream.take().ok_or(std::io::ErrorKind::NotConnected);
            async move { stream.map_err(std::io::Error::from) }
        });
        let endpoint = Endpoint::from_static("http://node.crux.invalid");
        let mut channel = endpoint.connect_with_connector(connector).await.expect("a socket");
        let request =
            http::Request::post(format!("http://node.crux.invalid/crux.v1.Control/{path}"))
                .header("content-type", "application/grpc")
                .body(Body::new(Endless))
                .unwrap();
        poll_fn(|cx| Service::<http::Request<Body>>::poll_ready(&mut channel, cx)).await.unwrap();
        let answer = tokio::spawn(Service::call(&mut channel, request));
        open.push((channel, answer));
    }
    node.answers().await;
    open.iter().for_each(|(_, answer)| answer.abort());
}

/// A body that never ends and says nothing.
struct Endless;

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        Poll::Pending
    }
}

/// A client keeps its connection between calls. When others needed the room meanwhile, it makes another
/// one, and the caller feels nothing.
#[tokio::test]
async fn a_connection_that_made_room_is_made_again() {
    let limits = Limits::of(64);
    let node = start(limits);
    let client = node.client().await;
    assert_eq!(client.call(&GetStatus).await, Ok(status()));
    let mut others = Vec::new();
    for _ in 0..limits.connections * 2 {
        let other = node.client().await;
        assert_eq!(timeout(SOON * 4, other.call(&GetStatus)).await, Ok(Ok(status())));
        others.push(other);
    }
    for client in others.iter().chain([&client]) {
        assert_eq!(
            timeout(SOON * 4, client.call(&register("web"))).await.map(|it| it.is_ok()),
            Ok(true)
        );
    }
}
