use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use crux_client::op::{Deregister, Register};
use crux_crdt::blob::BlobId;
use crux_picket::link::{
    Failure, FromFulcrum, FromPicket, Link, LinkError, Ready, Stated, VERSION,
};
use crux_protocol::picket::Owned;
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{mpsc, oneshot};

use super::placing::{Handed, Placing};
use super::{GOALS_MAX, REQUESTS_MAX, Tie};
use crate::blobs::Hold;
use crate::blobs::want::{Here, Pantry};
use crate::error::{Error, Kind};
use crate::fulcrum::Handle;
use crate::fulcrum::health::Health;

/// Serves the picket until the node stops.
///
/// # Errors
/// [`Kind::Internal`] when the link ended: the picket is gone, or says what is not a message.
pub(crate) async fn serve(
    tie: Tie,
    handle: Handle,
    pantry: Pantry,
    health: Health,
    placing: Placing,
) -> Result<(), Error> {
    let Tie { stream, stop, reload, addresses, .. } = tie;
    let link = Link::new(stream).map_err(|err| Error::io("the link to the picket", &err))?;
    let mut server = Server {
        link,
        handle: handle.clone(),
        pantry,
        health,
        pins: Pins::default(),
        under_way: FuturesUnordered::new(),
        stop: Some(stop),
        reload,
        placing,
        goals: BTreeMap::new(),
        seq: 0,
    };
    server.say(&FromFulcrum::Hello { version: VERSION, pid: std::process::id() })?;
    server.health.set_attached(true);
    let mut is_ready = false;
    let mut shown = handle.shown().map(|()| handle.view().status()).boxed();
    loop {
        tokio::select! {
            message = server.link.next() => server.take(message.map_err(|err| broken(&err))?)?,
            Some(done) = server.under_way.next() => server.answer(done)?,
            Some(handed) = server.placing.handed.recv(), if is_ready => server.hand(handed)?,
            status = &mut shown => {
                shown = futures::future::pending().boxed();
                is_ready = true;
                server.say(&FromFulcrum::Ready(Ready {
                    principal: status.principal,
                    node: status.node,
                    flock: status.flock,
                    addresses: addresses.clone(),
                }))?;
            }
        }
    }
}

/// Carries out what the picket asks.
struct Server {
    link: Link<FromPicket, FromFulcrum>,
    handle: Handle,
    pantry: Pantry,
    health: Health,
    pins: Pins,
    under_way: FuturesUnordered<BoxFuture<'static, Done>>,
    stop: Option<oneshot::Sender<()>>,
    reload: mpsc::Sender<()>,
    placing: Placing,
    /// Those who wait for the answer to their goals, by its number.
    goals: BTreeMap<u64, oneshot::Sender<Result<(), Error>>>,
    seq: u64,
}

/// A request that was carried out, or was not.
enum Done {
    Asked(u64, Result<(), Error>),
    Image(u64, Result<Here, Error>),
}

impl Server {
    fn take(&mut self, message: FromPicket) -> Result<(), Error> {
        match message {
            FromPicket::Hello(_) => Err(broken(&"a second hello")),
            FromPicket::Register { seq, key, endpoint, labels } => {
                let register =
                    Register { key, endpoint, labels, lease: None, sync: 0, sync_within: None };
                let handle = self.handle.clone();
                self.begin(seq, async move { handle.ask(register).await.map(drop) })
            }
            FromPicket::Withdraw { seq, key } => {
                let handle = self.handle.clone();
                self.begin(seq, async move { gone(handle.ask(Deregister { key }).await) })
            }
            FromPicket::Image { seq, blob } => {
                if self.is_full() {
                    return self.answer(Done::Image(seq, Err(busy())));
                }
                let pantry = self.pantry.clone();
                self.under_way
                    .push(async move { Done::Image(seq, pantry.bring(blob).await) }.boxed());
                Ok(())
            }
            FromPicket::Health { services, named } => {
                let stated = services.into_iter().map(|Stated { key, status }| (key, status));
                self.health.state(stated.collect(), named);
                Ok(())
            }
            FromPicket::Pins { blobs } => {
                self.pantry.blobs.set_images(blobs.iter().copied().collect());
                self.pins.set(blobs, |id| self.pantry.blobs.hold(id).ok());
                Ok(())
            }
            FromPicket::Owned { order, rows } => {
                self.placing.owned.send_replace(Some(Owned { order, rows }));
                Ok(())
            }
            FromPicket::Done { seq, outcome } => {
                if let Some(reply) = self.goals.remove(&seq) {
                    // Its caller may have gone.
                    reply.send(outcome.map_err(Error::from)).ok();
                }
                Ok(())
            }
            FromPicket::Reload => {
                // One that waits already reads what is there now.
                self.reload.try_send(()).ok();
                Ok(())
            }
            FromPicket::Stop => {
                if let Some(stop) = self.stop.take() {
                    // The node may be stopping already.
                    stop.send(()).ok();
                }
                Ok(())
            }
        }
    }

    /// Sends a set of goals to the picket.
    fn hand(&mut self, handed: Handed) -> Result<(), Error> {
        let Handed { goals, reply } = handed;
        if self.goals.len() >= GOALS_MAX {
            reply.send(Err(busy())).ok();
            return Ok(());
        }
        self.seq += 1;
        match self.link.send(&FromFulcrum::Goals { seq: self.seq, goals }) {
            Ok(()) => drop(self.goals.insert(self.seq, reply)),
            Err(error @ LinkError::TooLong { .. }) => {
                let error = Error::new(Kind::LimitReached, error.to_string());
                reply.send(Err(error.augment("the goals for the picket"))).ok();
            }
            Err(error) => return Err(broken(&error)),
        }
        Ok(())
    }

    /// Begins with a request that is answered by whether it was done.
    fn begin(
        &mut self,
        seq: u64,
        work: impl Future<Output = Result<(), Error>> + Send + 'static,
    ) -> Result<(), Error> {
        if self.is_full() {
            return self.answer(Done::Asked(seq, Err(busy())));
        }
        self.under_way.push(work.map(move |result| Done::Asked(seq, result)).boxed());
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.under_way.len() >= REQUESTS_MAX
    }

    fn answer(&mut self, done: Done) -> Result<(), Error> {
        let answer = match done {
            Done::Asked(seq, result) => {
                FromFulcrum::Done { seq, outcome: result.map_err(|error| Failure::from(&error)) }
            }
            Done::Image(seq, Ok(Here { descriptor, path, hold })) => {
                self.pins.hold(descriptor.blob, hold);
                FromFulcrum::ImageReady { seq, descriptor, path: path.into() }
            }
            Done::Image(seq, Err(error)) => {
                FromFulcrum::ImageFailed { seq, failure: Failure::from(&error) }
            }
        };
        self.say(&answer)
    }

    fn say(&mut self, message: &FromFulcrum) -> Result<(), Error> {
        self.link.send(message).map_err(|err| broken(&err))
    }
}

/// The blobs that services need.
struct Pins<H = Hold> {
    wanted: BTreeSet<BlobId>,
    held: BTreeMap<BlobId, H>,
}

impl<H> Default for Pins<H> {
    fn default() -> Self {
        Self { wanted: BTreeSet::new(), held: BTreeMap::new() }
    }
}

impl<H> Pins<H> {
    /// From now on these and no others, as far as `hold` can hold them.
    fn set(&mut self, wanted: Vec<BlobId>, hold: impl Fn(BlobId) -> Option<H>) {
        self.wanted = wanted.into_iter().collect();
        self.held.retain(|id, _| self.wanted.contains(id));
        for id in &self.wanted {
            if !self.held.contains_key(id)
                && let Some(held) = hold(*id)
            {
                self.held.insert(*id, held);
            }
        }
    }

    /// One is here now. It is held if it is wanted.
    fn hold(&mut self, id: BlobId, hold: H) {
        if self.wanted.contains(&id) {
            self.held.insert(id, hold);
        }
    }
}

/// A registration that is not there is withdrawn already.
fn gone(withdrawn: Result<(), Error>) -> Result<(), Error> {
    match withdrawn {
        Err(error) if error.kind() == Kind::NotFound => Ok(()),
        other => other,
    }
}

fn busy() -> Error {
    Error::new(Kind::Busy, "the node carries out as many requests of its picket as it can")
}

/// The link is of no use any more.
fn broken(why: &dyn std::fmt::Display) -> Error {
    Error::new(Kind::Internal, why.to_string()).augment("the link to the picket")
}

#[cfg(test)]
mod tests;
