//! TCP (or memory), Noise and Yamux.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use crux_crdt::Digest;
use futures::FutureExt;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent, SubstreamBox};
use libp2p::core::transport::{Boxed, MemoryTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, Transport as _, noise, tcp, yamux};
use tokio::time::Sleep;

use super::door::{Door, Doorstep, Watched};
use super::fair::Fair;
use super::limits::{CLOSE_TIMEOUT, STREAMS_MAX};
use super::source::FromHere;
use super::{Error, Transport};

/// Builds the transport, which dials from where the node listens. The genesis is the Noise prologue: a
/// handshake between two flocks fails. How pending connections get on is left on the doorstep.
pub(super) fn build(
    transport: Transport,
    listen: &[SocketAddr],
    keys: &Keypair,
    genesis: &Digest,
    doorstep: Doorstep,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, Error> {
    match transport {
        Transport::Tcp => {
            let tcp = tcp::tokio::Transport::new(tcp::Config::new().nodelay(true));
            upgrade(FromHere::new(tcp, listen), keys, genesis, doorstep)
        }
        Transport::Memory => upgrade(MemoryTransport::new(), keys, genesis, doorstep),
    }
}

fn upgrade<T>(
    base: T,
    keys: &Keypair,
    genesis: &Digest,
    doorstep: Doorstep,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, Error>
where
    T: libp2p::Transport + Send + Unpin + 'static,
    T::Output: futures::AsyncRead + futures::AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    let noise = noise::Config::new(keys)
        .map_err(|error| Error::Setup(error.to_string()))?
        .with_prologue(genesis.as_bytes().to_vec());
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(STREAMS_MAX);
    let layers = base
        .map_err(BeforeUpgrade)
        .map(|stream, _| Watched::new(Fair::new(stream), Door::current()))
        .upgrade(Version::V1)
        .authenticate(noise)
        .multiplex(yamux);
    Ok(Door::new(layers, doorstep)
        .map(|(peer, muxer), _| {
            let inner = StreamMuxerBox::new(muxer);
            (peer, StreamMuxerBox::new(Prompt { inner, deadline: None }))
        })
        .boxed())
}

/// An error of TCP itself.
///
/// libp2p puts errors of several layers into an `Either`, which passes over the error that it
/// holds when asked for its source. This one is there to be passed over, and not the system's.
#[derive(Debug, thiserror::Error)]
#[error("not connected")]
struct BeforeUpgrade<E: std::error::Error + 'static>(#[source] E);

/// A muxer that closes in bounded time, whatever the peer does.
///
/// Closing flushes. The kernel of a stopped process takes a window full of bytes and then no more,
/// for as long as it is stopped; until the close is done libp2p keeps the connection among the
/// established ones.
struct Prompt {
    inner: StreamMuxerBox,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl StreamMuxer for Prompt {
    type Substream = SubstreamBox;
    type Error = <StreamMuxerBox as StreamMuxer>::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        Pin::new(&mut self.inner).poll_inbound(cx)
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        Pin::new(&mut self.inner).poll_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if let Poll::Ready(done) = Pin::new(&mut self.inner).poll_close(cx) {
            return Poll::Ready(done);
        }
        self.deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(CLOSE_TIMEOUT)))
            .poll_unpin(cx)
            .map(Ok)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::poll_fn;
    use std::time::Duration;

    use futures::io::Cursor;

    use super::*;

    /// A muxer whose peer drains nothing.
    struct Stuck;

    impl StreamMuxer for Stuck {
        type Substream = Cursor<Vec<u8>>;
        type Error = Infallible;

        fn poll_inbound(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<Self::Substream, Infallible>> {
            Poll::Pending
        }

        fn poll_outbound(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<Self::Substream, Infallible>> {
            Poll::Pending
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Pending
        }

        fn poll(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<StreamMuxerEvent, Infallible>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_connection_to_a_stopped_peer_closes() {
        let mut prompt = Prompt { inner: StreamMuxerBox::new(Stuck), deadline: None };
        let close = poll_fn(|cx| Pin::new(&mut prompt).poll_close(cx));
        let closed = tokio::time::timeout(Duration::from_secs(20), close).await;
        closed.expect("in time").expect("without an error");
    }
}
