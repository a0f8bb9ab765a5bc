use std::pin::Pin;
use std::sync::Arc;

use crux_client::Error;
use crux_client::model::{Inspected, Instance, Picket, Settled};
use crux_client::op::{
    AddService, GetPicket, InspectService, ListInstances, ReadEvents, ReadLogs, RemoveService,
    RestartService, RollBackService, ShowService, Shown, StartService, StopService, UpdateService,
    Wire,
};
use crux_client::wire::to_status;
use crux_proto::v1;
use crux_proto::v1::services_server::Services;
use futures::Stream;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::streams;
use crate::events::Events;
use crate::supervise::calls::{Ask, Call, Desk};
use crux_client::door::{Answer, Serve, handle};

/// The handlers.
#[derive(Debug)]
pub(crate) struct Service {
    desk: Desk,
    events: Arc<Events>,
    /// Turns true when the server stops.
    pub(super) closing: watch::Receiver<bool>,
}

impl Service {
    /// Not served yet.
    pub(crate) fn new(desk: Desk, events: Arc<Events>) -> Self {
        Self { desk, events, closing: watch::channel(false).1 }
    }
}

impl Serve<GetPicket> for Service {
    async fn serve(&self, _: GetPicket) -> Result<Picket, Error> {
        self.desk.call(Call::Picket).await
    }
}

impl Serve<AddService> for Service {
    async fn serve(&self, op: AddService) -> Result<Settled, Error> {
        let AddService { config, until } = op;
        self.desk
            .call(|reply| Call::Change(Box::new(Ask::Add(Box::new(config))), until, reply))
            .await
    }
}

impl Serve<UpdateService> for Service {
    async fn serve(&self, op: UpdateService) -> Result<Settled, Error> {
        let UpdateService { service, new, until } = op;
        self.desk
            .call(|reply| Call::Change(Box::new(Ask::Update(service, new)), until, reply))
            .await
    }
}

/// Operations that only name a service.
macro_rules! serve_changes {
    ($($Op:ident: $Ask:ident,)*) => {
        $(impl Serve<$Op> for Service {
            async fn serve(&self, op: $Op) -> Result<Settled, Error> {
                let ask = Box::new(Ask::$Ask(op.service));
                self.desk.call(|reply| Call::Change(ask, op.until, reply)).await
            }
        })*
    };
}

serve_changes! {
    RollBackService: RollBack,
    StartService: Start,
    StopService: Stop,
    RestartService: Restart,
    RemoveService: Remove,
}

impl Serve<ListInstances> for Service {
    async fn serve(&self, op: ListInstances) -> Result<Vec<Instance>, Error> {
        self.desk.call(|reply| Call::List(op, reply)).await
    }
}

impl Serve<InspectService> for Service {
    async fn serve(&self, op: InspectService) -> Result<Inspected, Error> {
        self.desk.call(|reply| Call::Inspect(op.service, reply)).await
    }
}

impl Serve<ShowService> for Service {
    async fn serve(&self, op: ShowService) -> Result<Shown, Error> {
        self.desk.call(|reply| Call::Show(op.service, reply)).await
    }
}

/// A stream of answers.
pub(super) type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

macro_rules! handlers {
    ($($call:ident: $Op:ident, $effect:ident;)*) => {
        #[tonic::async_trait]
        impl Services for Service {
            $(async fn $call(
                &self,
                request: Request<<$Op as Wire>::Request>,
            ) -> Answer<<$Op as Wire>::Response> {
                handle::<$Op>(self, request.get_ref()).await
            })*

            type LogsStream = Streamed<v1::LogsResponse>;

            async fn logs(&self, request: Request<v1::LogsRequest>) -> Answer<Self::LogsStream> {
                let op = ReadLogs::from_wire(request.get_ref()).map_err(|err| to_status(&err))?;
                let stream = streams::logs(&self.desk, op, self.closing.clone()).await;
                stream.map(Response::new).map_err(|err| to_status(&err))
            }

            type EventsStream = Streamed<v1::EventsResponse>;

            async fn events(&self, request: Request<v1::EventsRequest>) -> Answer<Self::EventsStream> {
                let op = ReadEvents::from_wire(request.get_ref()).map_err(|err| to_status(&err))?;
                Ok(Response::new(streams::events(&self.events, op, self.closing.clone())))
            }
        }
    };
}

crux_client::services_calls!(handlers! {});
