use bytes::Bytes;
use futures::stream::iter;
use tokio::sync::mpsc;

use super::*;
use crate::api::tests::FakeNode;
use crate::api::{Client, Get, Got};
use crate::blobs::want::Wanted;
use crate::blobs::{Blobs, Config};
use crate::view::testing::view;

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
    let (id, size) =
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
    assert_eq!(client.list_blobs().await.unwrap().len(), 1, "nothing of the others is there");
    let large = Bytes::from(vec![0; 2 << 20]);
    assert!(client.put_blob(0, iter([Some(large), None])).await.is_err(), "a chunk has a limit");
}

/// A service with a store and whatever fetches for it.
async fn service() -> (Service, mpsc::Receiver<Wanted>, watch::Sender<bool>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(Config::new(vec![dir.path().to_owned()])).await.unwrap();
    let (wishes, wished) = mpsc::channel(1);
    let (close, closing) = watch::channel(false);
    let pantry = Pantry { blobs, wishes: Some(wishes) };
    (Service { pantry, closing }, wished, close, dir)
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
