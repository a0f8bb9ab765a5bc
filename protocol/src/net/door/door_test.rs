use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::io::Cursor;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, TryFuture};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::{Multiaddr, Transport};
use tokio::time::Instant;

use super::super::limits::{CROWDED_REST, FIRST_BYTE_TIMEOUT, HANDSHAKE_TIMEOUT};
use super::knock::Knock;
use super::*;

const FIRST_LINE: &[u8] = b"\x13/multistream/1.0.0\n";

fn handshake() -> Arc<Handshake> {
    Arc::new(Handshake::new(Instant::now()))
}

/// An incoming connection that is made by the future.
fn knock<F>(made: F) -> (Knock<F>, Arc<Handshake>)
where
    F: TryFuture,
    F::Error: std::error::Error + Send + Sync + 'static,
{
    let handshake = handshake();
    (Knock::new(made, handshake.clone(), FIRST_BYTE_TIMEOUT), handshake)
}

fn broken(error: &io::Error) -> Option<Broken> {
    error.get_ref()?.downcast_ref().copied()
}

/// Reads all that a peer sent, a few bytes at a time. Returns how it ended, and the handshake.
async fn read(sent: &[u8], step: usize) -> (Option<Broken>, Arc<Handshake>) {
    let handshake = handshake();
    let mut stream = Watched::new(Cursor::new(sent), Some(handshake.clone()));
    let mut buffer = vec![0; step];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return (None, handshake),
            Ok(_) => {}
            Err(error) => return (broken(&error), handshake),
        }
    }
}

#[tokio::test]
async fn the_first_line_is_checked_byte_by_byte() {
    for step in [1, 7, 512] {
        let (ended, handshake) = read(b"GET / HTTP/1.1\r\n", step).await;
        assert_eq!(ended, Some(Broken::NotCrux));
        assert!(handshake.progress().heard);
        let almost = [&FIRST_LINE[..19], b"\r"].concat();
        assert_eq!(read(&almost, step).await.0, Some(Broken::NotCrux));
        let more = [FIRST_LINE, b"anything"].concat();
        assert_eq!(read(&more, step).await.0, Some(Broken::Closed));
        let (ended, handshake) = read(b"", step).await;
        assert_eq!(ended, Some(Broken::Closed));
        assert!(!handshake.progress().heard);
    }
}

#[tokio::test]
async fn a_handshake_that_is_done_is_left_alone() {
    let handshake = handshake();
    handshake.finish();
    let mut stream = Watched::new(Cursor::new(b"anything"), Some(handshake));
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.expect("an orderly end");
    assert_eq!(all, b"anything");
}

/// A peer that takes what it is sent.
struct Peer(Cursor<Vec<u8>>);

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn it_advances_by_answers_and_not_by_bytes() {
    let handshake = handshake();
    let sent = [FIRST_LINE, &[7; 100]].concat();
    let mut stream = Watched::new(Peer(Cursor::new(sent)), Some(handshake.clone()));
    let mut advanced = vec![handshake.progress().advanced];
    let mut note = || {
        let now = handshake.progress().advanced;
        advanced.extend((advanced.last() != Some(&now)).then_some(now));
        advanced.len() - 1
    };
    for byte in 0..10 {
        stream.read_exact(&mut [0]).await.expect("a byte");
        assert_eq!(note(), 1, "byte {byte}");
    }
    for round in 1..=2 * STEPS_MAX {
        stream.read_exact(&mut [0]).await.expect("a byte");
        for _ in 0..3 {
            stream.write_all(b"answer").await.expect("room");
        }
        let steps = round.min(STEPS_MAX);
        assert_eq!((handshake.progress().steps, note()), (steps, 1 + usize::from(steps)));
    }
}

#[tokio::test]
async fn silence_and_slowness_end_in_time() {
    let begun = Instant::now();
    let (silent, _) = knock(pending::<io::Result<()>>());
    assert_eq!(broken(&silent.await.expect_err("silence")), Some(Broken::Silent));
    assert!((FIRST_BYTE_TIMEOUT..HANDSHAKE_TIMEOUT).contains(&begun.elapsed()));
    let begun = Instant::now();
    let (slow, handshake) = knock(pending::<io::Result<()>>());
    handshake.hear(Instant::now());
    assert_eq!(broken(&slow.await.expect_err("slowness")), Some(Broken::Late));
    assert!(begun.elapsed() >= HANDSHAKE_TIMEOUT);
}

#[tokio::test]
async fn who_has_to_make_room_is_closed_at_once_unless_it_is_done() {
    let (waiting, handshake) = knock(pending::<io::Result<()>>());
    let waiting = tokio::spawn(waiting);
    tokio::task::yield_now().await;
    handshake.make_room();
    let error = waiting.await.expect("no panic").expect_err("closed");
    assert_eq!(broken(&error), Some(Broken::MadeRoom));
    let (made, handshake) = knock(std::future::ready(Ok::<_, io::Error>(())));
    made.await.expect("made");
    assert!(handshake.progress().done);
}

/// A transport to which somebody connects whenever it is polled.
struct Crowd;

impl Transport for Crowd {
    type Output = ();
    type Error = io::Error;
    type ListenerUpgrade = std::future::Ready<io::Result<()>>;
    type Dial = std::future::Ready<io::Result<()>>;

    fn listen_on(&mut self, _: ListenerId, _: Multiaddr) -> Result<(), TransportError<io::Error>> {
        Ok(())
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(&mut self, _: Multiaddr, _: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        Ok(std::future::ready(Ok(())))
    }

    fn poll(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        let addr: Multiaddr = "/memory/1".parse().expect("an address");
        Poll::Ready(TransportEvent::Incoming {
            listener_id: ListenerId::next(),
            upgrade: std::future::ready(Ok(())),
            local_addr: addr.clone(),
            send_back_addr: addr,
        })
    }
}

#[tokio::test]
async fn after_room_was_made_the_door_rests_once() {
    let doorstep = Doorstep::default();
    let mut door = Door::new(Crowd, doorstep.clone());
    assert!(comes(&mut door).await, "nobody was closed");
    doorstep.crowd();
    let crowded_at = Instant::now();
    assert!(!comes(&mut door).await, "somebody was closed");
    poll_fn(|cx| Pin::new(&mut door).poll(cx)).await;
    assert!(crowded_at.elapsed() >= CROWDED_REST);
    assert!(comes(&mut door).await, "it rested once");
}

/// Whether somebody is taken in at once.
async fn comes(door: &mut Door<Crowd>) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *door).poll(cx).is_ready())).await
}
