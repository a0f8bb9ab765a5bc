//! Runs checks, not too many at once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crux_crdt::name::ServiceName;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::exec::{self, Runner};
use super::outcome::{Outcome, Tried};
use super::target::Target;
use super::{grpc, http};
use crate::clock;

/// How many checks of a node run at once: each may have a socket and 64 KiB of buffer, or a process.
pub const RUNNING_MAX: usize = 64;
/// How many of one service: a service whose checks all hang holds an eighth of the places.
pub const RUNNING_OF_SERVICE_MAX: usize = 8;

/// The places in which checks run.
#[derive(Debug)]
pub struct Checks {
    pub(super) node: Semaphore,
    services: Mutex<BTreeMap<ServiceName, Arc<Semaphore>>>,
}

impl Default for Checks {
    fn default() -> Self {
        Self { node: Semaphore::new(RUNNING_MAX), services: Mutex::default() }
    }
}

impl Checks {
    /// Runs a check once it has a place, for as long as `timeout` at most.
    pub async fn run(
        &self,
        service: &ServiceName,
        target: &Target,
        timeout: Duration,
        runner: &dyn Runner,
    ) -> Outcome {
        let of_service = self.places_of(service);
        let _place = take(&of_service).await;
        let _place_on_node = take(&self.node).await;
        let begun = clock::now().at;
        let tried = tokio::time::timeout(timeout, attempt(target, runner)).await;
        let tried = tried.unwrap_or_else(|_| Err(format!("no answer within {timeout:?}").into()));
        Outcome::new(tried, clock::now().at.since(begun))
    }

    /// The places of a service. Services without a check that runs or waits are forgotten.
    fn places_of(&self, service: &ServiceName) -> Arc<Semaphore> {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.retain(|_, places| Arc::strong_count(places) > 1);
        let places = services.entry(service.clone());
        places.or_insert_with(|| Arc::new(Semaphore::new(RUNNING_OF_SERVICE_MAX))).clone()
    }
}

/// Waits for a place. None only if the places were closed, which nobody does.
async fn take(places: &Semaphore) -> Option<SemaphorePermit<'_>> {
    places.acquire().await.ok()
}

async fn attempt(target: &Target, runner: &dyn Runner) -> Tried {
    match target {
        Target::Tcp(at) => {
            connect(*at).await?;
            Ok("connected".to_owned())
        }
        Target::Http { at, path } => http::get(*at, path).await,
        Target::Grpc { at, service } => grpc::check(*at, service).await,
        Target::Exec(command) => exec::run(runner, command).await,
    }
}

/// A connection.
pub(super) async fn connect(at: SocketAddr) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(at).await.map_err(|err| format!("no connection: {err}"))?;
    // A port in the range of outgoing connections may be that of this very connection.
    if stream.local_addr().ok() == Some(at) {
        return Err("no connection: nobody listens".to_owned());
    }
    Ok(stream)
}
