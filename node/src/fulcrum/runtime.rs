//! The loop that drives the engine.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crux_client::model::NodeRef;
use crux_crdt::fact::{self, Fact};
use crux_crdt::record::Record;
use crux_crdt::{Digest, Principal};
use crux_protocol::flock::{
    self, Batch, Command, Control, ControlId, Event, Notice, PersistError, StopReason, Ticket,
};
use crux_protocol::time::Instant;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::answer::answer;
use super::doctor;
use super::doctor::Surroundings;
use super::hush::{Hush, may_pass};
use super::picture::{Frame, draw, sight};
use super::request::{Reply, Request};
use super::wire::Wire;
use crate::burst::Say;
use crate::clock;
use crate::error::{Error, Kind};
use crate::parts::finished;
use crate::store::{self, StoreHandle, WriteError};
use crate::telemetry::{NOTICES, leave_out};
use crate::view::View;

/// Drawing the view takes at most this share of the time: one part in ten. A large flock under churn
/// is then shown a little later instead of costing a core.
const REST_PER_DRAWING: u32 = 9;

/// The least time between two wakes of the engine. Whatever it asks for, the network, the control
/// API and the signal to stop get their turn.
const WAKE_REST: Duration = Duration::from_millis(1);

/// Where everything comes in.
#[derive(Debug)]
pub struct Inputs {
    /// The front ends.
    pub requests: mpsc::Receiver<Request>,
    /// Places found on the link.
    pub found: mpsc::Receiver<String>,
}

/// Drives one node. Executes what the engine commands, and decides nothing.
#[derive(Debug)]
pub struct Runtime {
    state: flock::State,
    frame: Frame,
    network: Wire,
    store: StoreHandle,
    view: watch::Sender<Arc<View>>,
    view_stale: bool,
    next_view: Instant,
    asks: BTreeMap<ControlId, Reply>,
    asked: u64,
    writing: Option<(Ticket, store::Persisted)>,
    recalls: JoinSet<Option<Arc<Record>>>,
    /// What `doctor` waits for; as many as the control API takes calls.
    examinations: JoinSet<()>,
    surroundings: Surroundings,
    hush: Hush,
    stop: Option<StopReason>,
}

impl Runtime {
    /// A runtime around an engine that was not called yet. Returns where its views appear.
    pub fn new(
        state: flock::State,
        surroundings: Surroundings,
        network: Wire,
        store: StoreHandle,
    ) -> (Self, watch::Receiver<Arc<View>>) {
        let frame = Frame {
            flock: surroundings.flock.clone(),
            flock_id: surroundings.flock_id,
            operator: surroundings.operator,
        };
        let (view, shown) = watch::channel(Arc::new(draw(&frame, &state, &[], clock::wall())));
        let runtime = Self {
            state,
            frame,
            network,
            store,
            view,
            view_stale: true,
            next_view: Instant::ORIGIN,
            asks: BTreeMap::new(),
            asked: 0,
            writing: None,
            recalls: JoinSet::new(),
            examinations: JoinSet::new(),
            surroundings,
            hush: Hush::default(),
            stop: None,
        };
        (runtime, shown)
    }

    /// Runs until `shutdown` resolves or the engine stops the node. The network runs until this is dropped.
    ///
    /// # Errors
    /// [`Kind::Refused`] when this identity runs elsewhere; [`Kind::Internal`] when the network ended.
    pub async fn run(
        &mut self,
        mut inputs: Inputs,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        tokio::pin!(shutdown);
        let mut rested = Instant::ORIGIN;
        self.handle(Event::Wake).await?;
        loop {
            if let Some(reason) = self.stop.take() {
                return stopped(reason);
            }
            let now = clock::now();
            self.show(now);
            let due = self.next_due();
            if due <= now && rested <= now {
                self.handle(Event::Wake).await?;
                rested = clock::now() + WAKE_REST;
                tokio::task::yield_now().await;
                continue;
            }
            let due = due.max(rested);
            let writing = self.writing.as_mut();
            tokio::select! {
                () = &mut shutdown => return Ok(()),
                event = self.network.next() => self.handle(Event::Link(event?)).await?,
                (ticket, result) = written(writing) => {
                    self.writing = None;
                    self.on_written(ticket, result).await?;
                }
                Some(read) = self.recalls.join_next() => {
                    if let Some(record) = finished(read).flatten() {
                        self.handle(Event::Recalled { record }).await?;
                    }
                }
                Some(examined) = self.examinations.join_next() => {
                    finished(examined);
                }
                Some(request) = inputs.requests.recv() => self.on_request(request).await?,
                Some(addr) = inputs.found.recv() => self.handle(Event::Found { addr }).await?,
                () = tokio::time::sleep(due.since(now)) => {}
            }
        }
    }

    fn next_due(&mut self) -> Instant {
        let view = if self.view_stale { self.next_view } else { Instant::NEVER };
        self.state.deadline().min(view)
    }

    async fn handle(&mut self, event: Event) -> Result<(), Error> {
        let commands = self.state.handle(event, clock::now());
        for command in commands {
            self.execute(command).await?;
        }
        Ok(())
    }

    async fn execute(&mut self, command: Command) -> Result<(), Error> {
        match command {
            Command::Link(command) => self.network.send(command).await?,
            Command::Persist { ticket, batch } => {
                self.writing = Some((ticket, self.store.persist(for_store(batch))));
            }
            Command::Save(batch) => {
                if let Err(error) = self.store.save(for_store(batch)) {
                    warn!(%error, "not saved");
                }
            }
            Command::Recall { author } => _ = self.recalls.spawn(recall(&self.store, author)),
            Command::Answer { id, result } => self.answer(id, result),
            Command::Changed => self.view_stale = true,
            Command::Notice(notice) => self.tell(&notice),
            Command::Stop(reason) => self.stop = Some(reason),
        }
        Ok(())
    }

    async fn on_written(
        &mut self,
        ticket: Ticket,
        result: Result<(), WriteError>,
    ) -> Result<(), Error> {
        if let Err(error) = &result {
            // The store itself says it loudly, with what to do.
            debug!(%error, "not written");
        }
        let result = result.map_err(|error| match error {
            WriteError::Full(_) => PersistError::Full,
            _ => PersistError::Failed,
        });
        self.handle(Event::Persisted { ticket, result }).await
    }

    async fn on_request(&mut self, request: Request) -> Result<(), Error> {
        let (request, reply) = match request {
            Request::Engine(control, reply) => (control, reply),
            Request::Forget(node, reply) => match self.find(&node) {
                Ok(member) => (Control::Forget(member), Reply::Forgotten(member, reply)),
                Err(error) => {
                    answer(reply, Err(error));
                    return Ok(());
                }
            },
            Request::Look(reply) => {
                answer(reply, Ok(sight(&self.state)));
                return Ok(());
            }
            Request::Doctor(reply) => {
                let around = &self.surroundings;
                let checks = doctor::examine(&self.state, around, &self.store);
                self.examinations.spawn(async move { answer(reply, Ok(checks.await)) });
                return Ok(());
            }
        };
        self.asked += 1;
        let id = ControlId(self.asked);
        self.asks.insert(id, reply);
        self.handle(Event::Control { id, request }).await
    }

    fn find(&self, node: &NodeRef) -> Result<Principal, Error> {
        let members = self.state.members();
        let members: Vec<_> = members.into_iter().map(|it| (it.node, it.principal)).collect();
        node.pick(&members).map(|(_, principal)| *principal)
    }

    fn answer(&mut self, id: ControlId, result: Result<flock::Answer, flock::ControlError>) {
        let Some(reply) = self.asks.remove(&id) else { return };
        // A caller that reads after the answer sees the change.
        self.draw(clock::now());
        reply.send(result, &self.frame, &self.state);
    }

    /// Publishes the view if it is stale and drawing had its rest.
    fn show(&mut self, now: Instant) {
        if self.view_stale && self.next_view <= now {
            self.draw(now);
        }
    }

    fn draw(&mut self, now: Instant) {
        self.view_stale = false;
        let before = self.view.borrow().clone();
        let view = draw(&self.frame, &self.state, &before.members, clock::wall());
        self.view.send_replace(Arc::new(view));
        let took = clock::now().since(now);
        // A small view costs microseconds; rounding that down to no rest keeps it immediate.
        let rest = if took < Duration::from_millis(1) { Duration::ZERO } else { took };
        self.next_view = now + took + rest * REST_PER_DRAWING;
    }

    fn tell(&mut self, notice: &Notice) {
        self.surroundings.copies.note(notice);
        if let Notice::OtherFlock { addr } = notice
            && !self.surroundings.note_other_flock(addr)
        {
            // Said once per place, not at every dial.
            return;
        }
        match self.hush.hear(notice, clock::now()) {
            Say::Nothing => return leave_out(),
            Say::Tell { left_out: 0 } => {}
            Say::Tell { left_out } => {
                warn!(target: NOTICES, "{left_out} more like the next one were left out");
            }
        }
        match notice {
            Notice::JoinFailed { refusal, joining: false, .. } if may_pass(*refusal) => {
                info!(target: NOTICES, "{notice}");
            }
            Notice::Recovered { lost, .. } if !lost.is_empty() => {
                warn!(target: NOTICES, "{notice}");
            }
            Notice::JoinFailed { .. }
            | Notice::OtherFlock { .. }
            | Notice::OtherVersion { .. }
            | Notice::Seed(_)
            | Notice::Misbehaved { .. }
            | Notice::SignedTwice(_)
            | Notice::ReadOnly
            | Notice::ReplicaFull { .. }
            | Notice::HandedOver { .. }
            | Notice::RemovedInVain { .. }
            | Notice::LeftBehind { .. }
            | Notice::NotTakenOver { .. }
            | Notice::TookOver { .. }
            | Notice::LostWithTwin { .. }
            | Notice::LeadLost { .. }
            | Notice::NameLost { .. } => warn!(target: NOTICES, "{notice}"),
            _ => info!(target: NOTICES, "{notice}"),
        }
    }
}

/// Resolves when the write under way, if any, ended.
async fn written(
    writing: Option<&mut (Ticket, store::Persisted)>,
) -> (Ticket, Result<(), WriteError>) {
    match writing {
        Some((ticket, persisted)) => (*ticket, persisted.await),
        None => std::future::pending().await,
    }
}

/// Reads the record of an author from the disk.
fn recall(
    store: &StoreHandle,
    author: Principal,
) -> impl Future<Output = Option<Arc<Record>>> + use<> {
    let read = store.read(fact::Kind::RECORD, Digest(author.0));
    async move {
        read.await.into_iter().find_map(|found| {
            let Fact::Record(record) = found else { return None };
            Some(record)
        })
    }
}

fn for_store(batch: Batch) -> store::Batch {
    store::Batch {
        facts: batch.facts,
        gone: batch.gone,
        forgotten: batch.forgotten.map(|claim| (claim.n, claim.principal)).into_iter().collect(),
        fence: batch.fence.map(|claim| (claim.n, claim.principal)),
        incarnation: None,
        removed: batch.removed,
    }
}

fn stopped(reason: StopReason) -> Result<(), Error> {
    match reason {
        StopReason::Left => {
            info!("left the flock");
            Ok(())
        }
        StopReason::Cloned { elsewhere } => {
            let place = if elsewhere.is_empty() {
                "an unknown address".into()
            } else {
                elsewhere.join(", ")
            };
            let message = format!(
                "this node's key is in use elsewhere, at {place}, and the other one continues"
            );
            Err(Error::new(Kind::Refused, message).with_hint(
                "Stop one of them. A copy of a data directory needs a key of its own: delete \
                 principal.key and the database in the copy.",
            ))
        }
    }
}
