//! Has this node run its part of its horde's target: the loop around the engine of the node, which decides.
//!
//! ```text
//!   View ───▶ target document, plans ──┐             ┌─▶ Pantry   images, earlier generations
//!   Placer ─▶ what the target placed ──┼─▶ enactor ──┼─▶ Placer   goals
//!             outcomes ────────────────┘             └─▶ Set      a slot of the node's record
//! ```
//!
//! **Invariants**
//!
//! * Each command that names an answer gets exactly one, also where the node cannot carry it out.
//! * An image that the engine wants is held from the moment that it is here, so it is not evicted before the picket has it
//!   in its list of pins.
//!
//! The loop around the engine of the leader is in [`planner`].
//!
//! **Out of scope.** It decides nothing: which plan counts, what is fetched and when something is tried again
//! is in [`crux_protocol::proctor::enactor`]; what starts and stops is decided in the picket.

mod errand;
pub(crate) mod planner;

use std::collections::BTreeMap;
use std::sync::Arc;

use crux_crdt::blob::BlobId;
use crux_crdt::document::{Document, Marker};
use crux_crdt::name::Label;
use crux_crdt::record::SlotSet;
use crux_crdt::service::Machine;
use crux_protocol::proctor::enactor::{Command, Event, State};
use crux_protocol::proctor::{Assignment, Goals, Held};
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{mpsc, watch};
use tracing::{debug, warn};

use crate::blobs::Hold;
use crate::blobs::want::Pantry;
use crate::clock;
use crate::fulcrum::request::Request;
use crate::picket::Placer;
use crate::view::{Enacted, Views};

/// Everything that the loop has of the node.
#[derive(Debug)]
pub(crate) struct Wiring {
    /// The horde whose target this node runs.
    pub(crate) horde: Label,
    /// The kind of machine that this is.
    pub(crate) machine: Machine,
    /// The replica, as the fulcrum shows it.
    pub(crate) views: Views,
    /// The way to the picket.
    pub(crate) placer: Placer,
    /// The store of blobs, and what fetches those that are missing.
    pub(crate) pantry: Pantry,
    /// The way to the node's record.
    pub(crate) fulcrum: mpsc::Sender<Request>,
    /// The goals, and what is there of them, for people.
    pub(crate) shown: watch::Sender<Arc<Enacted>>,
}

/// An errand that ended, and what the engine is told of it.
enum Done {
    /// An image is here.
    Image(BlobId, errand::Image),
    /// Anything else.
    Event(Event),
}

/// Enacts the target's plans until the node stops.
pub(crate) async fn run(wiring: Wiring) {
    let (mut views, mut owned) = (wiring.views.clone(), wiring.placer.owned());
    views.mark_changed();
    owned.mark_changed();
    let mut proctor = Proctor::new(wiring);
    loop {
        let due = proctor.engine.deadline().since(clock::now());
        let event = tokio::select! {
            Ok(()) = views.changed() => proctor.look(),
            Ok(()) = owned.changed() => owned.borrow_and_update().clone().map(Event::Owned),
            Some(done) = proctor.under_way.next() => Some(proctor.take(done)),
            () = tokio::time::sleep(due) => Some(Event::Wake),
        };
        if let Some(event) = event {
            proctor.handle(event);
        }
    }
}

/// The engine, with what it is in the middle of.
struct Proctor {
    engine: State,
    wiring: Wiring,
    under_way: FuturesUnordered<BoxFuture<'static, Done>>,
    /// The images that the engine wants, as far as they are here.
    held: BTreeMap<BlobId, Hold>,
    /// The part of the replica that the engine was told last.
    seen: Option<(Option<Marker>, Vec<Assignment>)>,
}

impl Proctor {
    fn new(wiring: Wiring) -> Self {
        Self {
            engine: State::new(wiring.horde.clone(), wiring.machine),
            wiring,
            under_way: FuturesUnordered::new(),
            held: BTreeMap::new(),
            seen: None,
        }
    }

    /// The part of the replica that is for the engine; none: it is what it was.
    fn look(&mut self) -> Option<Event> {
        let view = self.wiring.views.borrow().clone();
        let document = view.documents.target(&self.wiring.horde);
        let seen = (document.map(Document::marker), view.plans.clone());
        if self.seen.as_ref() == Some(&seen) {
            return None;
        }
        let plans = seen.1.clone();
        self.seen = Some(seen);
        Some(Event::Seen { target: document.map(Held::of), plans })
    }

    /// The event that an errand ended with.
    fn take(&mut self, done: Done) -> Event {
        match done {
            Done::Image(blob, errand::Image { image, hold }) => {
                self.held.insert(blob, hold);
                Event::Fetched(image)
            }
            Done::Event(event) => event,
        }
    }

    fn handle(&mut self, event: Event) {
        let mut commands = Vec::new();
        self.engine.handle(event, clock::now(), &mut commands);
        commands.into_iter().for_each(|command| self.execute(command));
        self.show();
        self.held.retain(|blob, _| self.engine.wants(blob));
    }

    fn show(&self) {
        let goals = self.engine.goals().cloned();
        let rows = self.engine.owned().map(|owned| owned.rows.clone()).unwrap_or_default();
        let enacted = Enacted { goals, rows };
        self.wiring.shown.send_if_modified(|shown| {
            let is_new = **shown != enacted;
            if is_new {
                *shown = Arc::new(enacted);
            }
            is_new
        });
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Fetch(blob) => self.fetch(blob),
            Command::Read(blob) => self.read(blob),
            Command::Hand(goals) => self.hand(goals),
            Command::Say(set) => self.say(set),
            Command::Unfit(error) => {
                warn!(%error, "the plan is more than this node can run; everything stays as it is");
            }
            Command::Full(error) => {
                warn!(%error, "what the target has on this node is not published");
            }
        }
    }

    fn fetch(&mut self, blob: BlobId) {
        let pantry = self.wiring.pantry.clone();
        let errand = async move {
            errand::image(&pantry, blob).await.map_or_else(
                |error| {
                    debug!(%blob, %error, "an image of the target is not here yet");
                    Done::Event(Event::FetchFailed(blob))
                },
                |image| Done::Image(blob, image),
            )
        };
        self.under_way.push(errand.boxed());
    }

    fn read(&mut self, blob: BlobId) {
        let pantry = self.wiring.pantry.clone();
        let errand = async move {
            let content = errand::content(&pantry, blob).await;
            if let Err(error) = &content {
                debug!(%blob, %error, "an earlier generation of the target is not here yet");
            }
            Done::Event(Event::Read { blob, content: content.ok() })
        };
        self.under_way.push(errand.boxed());
    }

    fn hand(&mut self, goals: Goals) {
        let placer = self.wiring.placer.clone();
        let errand = async move {
            let accepted = placer.goals(goals).await;
            if let Err(error) = &accepted {
                warn!(%error, "the picket does not take what the target wants of this node");
            }
            Done::Event(Event::Answered(accepted.is_ok()))
        };
        self.under_way.push(errand.boxed());
    }

    fn say(&mut self, set: SlotSet) {
        let fulcrum = self.wiring.fulcrum.clone();
        let errand = async move {
            let said = errand::say(&fulcrum, set).await;
            if let Err(error) = &said {
                debug!(%error, "what the target has on this node is not published yet");
            }
            Done::Event(Event::Said(said.is_ok()))
        };
        self.under_way.push(errand.boxed());
    }
}

#[cfg(test)]
mod tests;
