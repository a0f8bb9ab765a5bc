//! Health of this node's services: what the picket states, kept for those who ask, and said in the node's record.
//!
//! The picket states all of it whenever it changes, and again to a fulcrum that starts. `unwell` of the engines decides
//! what goes into the record, and when; here is the loop around it. Callers on the control socket are answered from
//! what was stated last, at once.

use std::collections::BTreeMap;

use crux_client::model::ServiceStatus;
use crux_crdt::record::{Condition, ServiceKey, SlotSet};
use crux_protocol::unwell::{Command, Event, State};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, warn};

use super::request::{Asked, Request, Set};
use crate::clock;
use crate::error::Error;

/// Whether there is a picket, and whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Picket {
    /// The node runs no services and has none.
    #[default]
    None,
    /// There is one, and it is not connected.
    Away,
    /// It is connected.
    Attached,
}

/// The picket's last statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stated {
    /// Whether it is there.
    pub picket: Picket,
    /// How each registration is of what it runs; none: it did not say yet.
    pub services: Option<BTreeMap<ServiceKey, ServiceStatus>>,
    /// Whether what it runs serves, registered or not, by all names that it has.
    pub named: BTreeMap<String, bool>,
}

/// Where the picket states how its services are. Clones state for the same node.
#[derive(Debug, Clone)]
pub struct Health(watch::Sender<Stated>);

impl Health {
    /// Of a node without a picket: all is well.
    pub fn without_picket() -> (Self, watch::Receiver<Stated>) {
        let services = Some(BTreeMap::new());
        Self::of(Stated { picket: Picket::None, services, named: BTreeMap::new() })
    }

    /// Of a node that waits for its picket: what the node's record says of its services holds meanwhile.
    pub fn of_picket() -> (Self, watch::Receiver<Stated>) {
        Self::of(Stated { picket: Picket::Away, ..Stated::default() })
    }

    fn of(stated: Stated) -> (Self, watch::Receiver<Stated>) {
        let (sender, receiver) = watch::channel(stated);
        (Self(sender), receiver)
    }

    /// The picket is connected, or not any more.
    pub fn set_attached(&self, attached: bool) {
        let picket = if attached { Picket::Attached } else { Picket::Away };
        self.0.send_modify(|stated| stated.picket = picket);
    }

    /// How the registrations of all services are that the picket runs, those that are up, too; and whether what it runs
    /// serves, by its names. Replaces what was stated before. Of two with one key the later one counts.
    ///
    /// The picket states it once it is connected, and at each change; what the flock sees follows within a second.
    pub fn state(&self, all: Vec<(ServiceKey, ServiceStatus)>, named: BTreeMap<String, bool>) {
        let services = Some(all.into_iter().collect());
        self.0.send_if_modified(|stated| {
            let changes = stated.services != services || stated.named != named;
            (stated.services, stated.named) = (services, named);
            changes
        });
    }
}

/// Says in the node's record which services are not up, for ever.
pub async fn run(mut stated: watch::Receiver<Stated>, fulcrum: mpsc::Sender<Request>) {
    let (mut engine, mut answer) = (State::new(), None);
    let mut event = told(&mut stated);
    loop {
        for command in handle(&mut engine, event.take()) {
            match command {
                Command::Set(set) => answer = Some(ask(&fulcrum, set).await),
                Command::Full(error) => warn!(%error, "health of services is not published"),
            }
        }
        let due = engine.deadline().since(clock::now());
        event = tokio::select! {
            Ok(()) = stated.changed() => told(&mut stated),
            durable = answered(&mut answer) => {
                answer = None;
                Some(Event::Answered(durable))
            }
            () = tokio::time::sleep(due) => Some(Event::Wake),
        };
    }
}

fn handle(engine: &mut State, event: Option<Event>) -> Vec<Command> {
    let mut commands = Vec::new();
    if let Some(event) = event {
        engine.handle(event, clock::now(), &mut commands);
    }
    commands
}

/// The last statement; none: there was none.
fn told(stated: &mut watch::Receiver<Stated>) -> Option<Event> {
    let stated = stated.borrow_and_update();
    let services = stated.services.as_ref()?;
    let all = services.iter().map(|(key, status)| (key.clone(), condition(*status)));
    Some(Event::Stated(all.collect()))
}

const fn condition(status: ServiceStatus) -> Option<Condition> {
    match status {
        ServiceStatus::Up => None,
        ServiceStatus::Degraded => Some(Condition::Degraded),
        ServiceStatus::Unknown => Some(Condition::Unknown),
        ServiceStatus::Down => Some(Condition::Down),
    }
}

type Reply = oneshot::Receiver<Result<(), Error>>;

/// Has the fulcrum say it. One that ended answers no more, and this part is about to be stopped.
async fn ask(fulcrum: &mpsc::Sender<Request>, set: SlotSet) -> Reply {
    let (reply, answer) = oneshot::channel();
    drop(fulcrum.send(Asked { op: Set(set), reply }.into()).await);
    answer
}

/// Resolves when what was asked last is durable or refused.
async fn answered(answer: &mut Option<Reply>) -> bool {
    let Some(answer) = answer else { return std::future::pending().await };
    match answer.await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            debug!(%error, "health of services is not published yet");
            false
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
