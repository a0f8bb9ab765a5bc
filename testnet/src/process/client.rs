//! The client of one node, by the client that its own command line uses.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crux_client::model::{Check, Instance, Member, Service, Status};
use crux_client::op::{
    Call, Deregister, Doctor, Forget, GetMembers, GetServices, GetStatus, LeaderPing, LeaderPinged,
    Leave, ListInstances, Register, Registered,
};
use crux_client::{Client, Watch, parse};

use crate::Error;

/// How long one call may take; a node that is paused must not hold up a look at the others.
const CALL_WITHIN: Duration = Duration::from_secs(5);

/// A registration to make.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The service name.
    pub service: String,
    /// The revision.
    pub rev: String,
    /// Where it is reached, HOST:PORT.
    pub address: String,
    /// How many other members must have stored it before the call returns.
    pub sync: u32,
}

impl Registration {
    /// A registration in the default horde, until it is deregistered.
    pub fn new(
        service: impl Into<String>,
        rev: impl Into<String>,
        address: impl std::fmt::Display,
    ) -> Self {
        Self { service: service.into(), rev: rev.into(), address: address.to_string(), sync: 0 }
    }

    fn read(&self) -> Result<Register, crux_client::Error> {
        Ok(Register {
            key: parse::service_key("", &self.service, &self.rev, 0)?,
            endpoint: parse::endpoint(&self.address)?,
            labels: BTreeMap::new(),
            lease: None,
            sync: self.sync,
            sync_within: None,
        })
    }
}

/// A client of one node. Cheap to clone; connects at the first call, and again after a restart.
#[derive(Debug, Clone)]
pub struct NodeClient {
    node: String,
    client: Client,
}

impl NodeClient {
    /// A client of the node with that data directory, whether it runs yet or not.
    ///
    /// Must be called inside a runtime.
    #[must_use]
    pub fn new(node: impl Into<String>, data_dir: &Path) -> Self {
        Self::waiting(node, data_dir, CALL_WITHIN)
    }

    /// As [`NodeClient::new`], with another limit for each call.
    ///
    /// Must be called inside a runtime.
    #[must_use]
    pub fn waiting(node: impl Into<String>, data_dir: &Path, limit: Duration) -> Self {
        Self { node: node.into(), client: Client::lazy(data_dir, limit) }
    }

    /// The name of the node.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Asks the node for an operation.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn call<O: Call>(&self, op: &O) -> Result<O::Answer, Error> {
        self.told::<O, _>(self.client.call(op).await)
    }

    /// The node's state, and its view of the flock.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn status(&self) -> Result<Status, Error> {
        self.call(&GetStatus).await
    }

    /// Every member the node knows, in any state.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn members(&self) -> Result<Vec<Member>, Error> {
        self.call(&GetMembers).await
    }

    /// The services a query finds, live ones only unless `all`.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn services(&self, query: &str, all: bool) -> Result<Vec<Service>, Error> {
        let query = self.told::<GetServices, _>(parse::query(query))?;
        self.call(&GetServices { query, all }).await
    }

    /// The instances of services that the node runs, or is to run.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn instances(&self) -> Result<Vec<Instance>, Error> {
        self.call(&ListInstances { service: None, all: false }).await
    }

    /// Registers a service of this node; returns when it is durable there.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn register(&self, what: &Registration) -> Result<Registered, Error> {
        self.call(&self.told::<Register, _>(what.read())?).await
    }

    /// Removes a registration of this node; returns when that is durable there.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn deregister(&self, service: &str, rev: &str) -> Result<(), Error> {
        let read = || Ok(Deregister { key: parse::service_key("", service, rev, 0)? });
        self.call(&self.told::<Deregister, _>(read())?).await
    }

    /// A snapshot of what the query matches, then every change.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn watch(&self, query: &str) -> Result<Watch, Error> {
        let query = self.told::<Watch, _>(parse::query(query))?;
        self.told::<Watch, _>(self.client.watch(&query, false).await)
    }

    /// The fenced no-op of the leader.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn leader_ping(&self) -> Result<LeaderPinged, Error> {
        self.call(&LeaderPing).await
    }

    /// Retires a member that is not coming back.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn forget(&self, node: &str) -> Result<(), Error> {
        let node = self.told::<Forget, _>(parse::node(node))?;
        self.call(&Forget { node }).await.map(drop)
    }

    /// Leaves the flock gracefully; the node then stops.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn leave(&self) -> Result<(), Error> {
        self.call(&Leave).await
    }

    /// Checks what commonly goes wrong.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub async fn doctor(&self) -> Result<Vec<Check>, Error> {
        self.call(&Doctor).await
    }

    /// Gives an error the node and what it was asked: the name of the operation `O`.
    fn told<O, T>(&self, answer: Result<T, crux_client::Error>) -> Result<T, Error> {
        let call = std::any::type_name::<O>().rsplit("::").next().unwrap_or_default();
        answer.map_err(|error| Error::Refused { node: self.node.clone(), call, error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_that_does_not_run_is_refused_by_name_and_call() {
        let home = tempfile::tempdir().expect("a directory");
        let client = NodeClient::new("n7", home.path());
        let error = client.status().await.expect_err("nobody listens").to_string();
        assert!(error.contains("n7") && error.contains("GetStatus"), "{error}");
    }
}
