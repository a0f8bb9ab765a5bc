use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{FutureExt, TryFuture};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::{Multiaddr, Transport};
use tokio::time::{Instant, Sleep, sleep};

use super::super::limits::{CROWDED_REST, FIRST_BYTE_TIMEOUT, HANDSHAKE_TIMEOUT};
use super::handshake::{Broken, Handshake};

tokio::task_local! {
    /// The handshake of the connection that is being polled.
    static CURRENT: Arc<Handshake>;
}

/// Where the door leaves the handshake of a connection that just came, for the gate: the swarm asks
/// the gate about a connection before it asks the door for the next one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doorstep(Arc<Mutex<Step>>);

#[derive(Debug, Default)]
struct Step {
    handshake: Option<Arc<Handshake>>,
    /// Whether the gate closed another connection to make room for the last one.
    crowded: bool,
}

impl Doorstep {
    fn lock(&self) -> MutexGuard<'_, Step> {
        // Nothing that holds it panics, and each field is right by itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, handshake: Arc<Handshake>) {
        self.lock().handshake = Some(handshake);
    }

    /// Takes the handshake of the connection that came last.
    pub(crate) fn take(&self) -> Option<Arc<Handshake>> {
        self.lock().handshake.take()
    }

    /// Another connection was closed to make room for this one: the door rests before it takes in the next.
    pub(crate) fn crowd(&self) {
        self.lock().crowded = true;
    }

    fn take_crowded(&self) -> bool {
        std::mem::take(&mut self.lock().crowded)
    }
}

/// A transport whose connections are made in bounded time, or closed when the gate says so.
pub(crate) struct Door<T> {
    inner: T,
    doorstep: Doorstep,
    /// Until when nobody is taken in.
    rest: Option<Pin<Box<Sleep>>>,
}

impl<T> Door<T> {
    pub(crate) const fn new(inner: T, doorstep: Doorstep) -> Self {
        Self { inner, doorstep, rest: None }
    }
}

impl Door<()> {
    /// The handshake of the connection that is being made by this task now.
    pub(crate) fn current() -> Option<Arc<Handshake>> {
        CURRENT.try_with(Arc::clone).ok()
    }
}

impl<T> Transport for Door<T>
where
    T: Transport + Unpin,
    T::Error: Send + Sync + 'static,
{
    type Output = T::Output;
    type Error = io::Error;
    type ListenerUpgrade = Knock<T::ListenerUpgrade>;
    type Dial = Knock<T::Dial>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        addr: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        self.inner.listen_on(id, addr).map_err(|error| error.map(io::Error::other))
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        addr: Multiaddr,
        opts: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        let dial = self.inner.dial(addr, opts);
        let dial = dial.map_err(|error| error.map(io::Error::other))?;
        Ok(Knock::new(dial, Arc::new(Handshake::new(Instant::now())), HANDSHAKE_TIMEOUT))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        let doorstep = self.doorstep.clone();
        if doorstep.take_crowded() {
            self.rest = Some(Box::pin(sleep(CROWDED_REST)));
        }
        if let Some(rest) = &mut self.rest {
            ready!(rest.poll_unpin(cx));
            self.rest = None;
        }
        Pin::new(&mut self.inner).poll(cx).map(|event| {
            event
                .map_upgrade(|upgrade| {
                    let handshake = Arc::new(Handshake::new(Instant::now()));
                    doorstep.put(handshake.clone());
                    Knock::new(upgrade, handshake, FIRST_BYTE_TIMEOUT)
                })
                .map_err(io::Error::other)
        })
    }
}

/// A connection that is being made.
pub(crate) struct Knock<F> {
    inner: Pin<Box<F>>,
    handshake: Arc<Handshake>,
    first_byte: Pin<Box<Sleep>>,
    whole: Pin<Box<Sleep>>,
}

impl<F> Knock<F> {
    /// Gives up when the peer has sent nothing after `first_byte`.
    pub(super) fn new(inner: F, handshake: Arc<Handshake>, first_byte: Duration) -> Self {
        Self {
            inner: Box::pin(inner),
            handshake,
            first_byte: Box::pin(sleep(first_byte)),
            whole: Box::pin(sleep(HANDSHAKE_TIMEOUT)),
        }
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> Option<Broken> {
        let progress = self.handshake.progress();
        if progress.yields {
            return Some(Broken::MadeRoom);
        }
        if self.whole.poll_unpin(cx).is_ready() {
            return Some(Broken::Late);
        }
        let silent = !progress.heard && self.first_byte.poll_unpin(cx).is_ready();
        silent.then_some(Broken::Silent)
    }
}

impl<F> Future for Knock<F>
where
    F: TryFuture,
    F::Error: std::error::Error + Send + Sync + 'static,
{
    type Output = io::Result<F::Ok>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.handshake.watch(cx.waker());
        if this.handshake.progress().yields {
            return Poll::Ready(Err(Broken::MadeRoom.into()));
        }
        let inner = this.inner.as_mut();
        match CURRENT.sync_scope(this.handshake.clone(), || inner.try_poll(cx)) {
            Poll::Ready(Ok(made)) => {
                this.handshake.finish();
                Poll::Ready(Ok(made))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(io::Error::other(error))),
            Poll::Pending => match this.is_over(cx) {
                Some(broken) => Poll::Ready(Err(broken.into())),
                None => Poll::Pending,
            },
        }
    }
}
