//! The Control service.

use std::pin::Pin;

use crux_client::model::{Leader, Member, Service as Found, Status as NodeStatus};
use crux_client::op::{self, GetLeader, GetMembers, GetServices, GetStatus, Op, Resolve, Wire};
use crux_client::parse;
use crux_proto::v1;
use futures::Stream;
use rand::Rng as _;
use tokio::sync::watch;
use tonic::{Request as Call, Status};

use super::feed::{Feed, Seen};
use crate::blobs::want::Pantry;
use crate::error::Error;
use crate::fulcrum::Handle;
use crate::fulcrum::request::{Asked, Request};
use crux_client::door::{Answer, Serve, answered, handle};

/// The Control service.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) handle: Handle,
    pub(super) pantry: Pantry,
    /// The state that the watchers saw last.
    pub(super) seen: Seen,
    /// Turns true when the server stops: streams end then.
    pub(super) closing: watch::Receiver<bool>,
}

/// The fulcrum serves each operation that changes state, or needs other nodes.
impl<O: Op> Serve<O> for Service
where
    Request: From<Asked<O>>,
{
    async fn serve(&self, op: O) -> Result<O::Answer, Error> {
        self.handle.ask(op).await
    }
}

impl Serve<GetStatus> for Service {
    async fn serve(&self, _: GetStatus) -> Result<NodeStatus, Error> {
        let mut status = self.handle.view().status();
        let processes = self.handle.processes;
        (status.pid, status.picket_pid) = (processes.fulcrum, processes.picket);
        status.blobs = self.pantry.blobs.count() as u64;
        let moved = self.pantry.blobs.moved();
        (status.blob_bytes_sent, status.blob_bytes_fetched) = (moved.sent, moved.fetched);
        Ok(status)
    }
}

impl Serve<GetLeader> for Service {
    async fn serve(&self, _: GetLeader) -> Result<Option<Leader>, Error> {
        Ok(self.handle.view().leader.clone())
    }
}

impl Serve<GetMembers> for Service {
    async fn serve(&self, _: GetMembers) -> Result<Vec<Member>, Error> {
        Ok(self.handle.view().members.clone())
    }
}

impl Serve<GetServices> for Service {
    async fn serve(&self, op: GetServices) -> Result<Vec<Found>, Error> {
        Ok(self.handle.view().services(&op.query, op.all).into_iter().cloned().collect())
    }
}

impl Serve<Resolve> for Service {
    async fn serve(&self, op: Resolve) -> Result<Found, Error> {
        let random = rand::rng().next_u64();
        let view = self.handle.view();
        match &op.on {
            Some(node) => view.resolve_on(&op.name, node, random).cloned(),
            None => view.resolve(&op.name, random).cloned(),
        }
    }
}

/// A handler for each row of the client's table, and the one that streams.
macro_rules! control {
    ($($call:ident: $Op:ident, $effect:ident;)*) => {
        #[tonic::async_trait]
        impl v1::control_server::Control for Service {
            type WatchStream = Pin<Box<dyn Stream<Item = Result<v1::WatchResponse, Status>> + Send>>;

            $(async fn $call(
                &self,
                call: Call<<op::$Op as Wire>::Request>,
            ) -> Answer<<op::$Op as Wire>::Response> {
                handle::<op::$Op>(self, call.get_ref()).await
            })*

            async fn watch(&self, call: Call<v1::WatchRequest>) -> Answer<Self::WatchStream> {
                answered(self.feed(call.get_ref()))
            }
        }
    };
}
crux_client::control_calls!(control! {});

impl Service {
    fn feed(
        &self,
        wire: &v1::WatchRequest,
    ) -> Result<<Self as v1::control_server::Control>::WatchStream, Error> {
        let query = parse::query(&wire.query)?;
        let (views, closing) = (self.handle.view.clone(), self.closing.clone());
        let feed = Feed::new(views, closing, query, wire.all, self.seen.clone());
        Ok(Box::pin(feed.into_stream()))
    }
}
