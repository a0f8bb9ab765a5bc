//! Has this node plan its horde's target while it leads: the loop around the leader's engine, which decides.
//!
//! ```text
//!   View ──▶ nodes, target, plans, term ─┐              ┌─▶ Pantry   the generation before
//!            outcomes ───────────────────┴─▶ planner ───┼─▶ Set      the slots of a plan
//!                                                       ├─▶ Outbid   a greater term
//!                                                       └─▶ log
//! ```
//!
//! **Invariants**
//!
//! * Each command that names an answer gets exactly one, also where the node cannot carry it out.
//! * The engine has seen the horde of now before it is told that it leads, so it never plans what an earlier term saw.
//!
//! **Out of scope.** It decides nothing: which nodes count, what runs where and when a plan goes out is in
//! [`crux_protocol::proctor::planner`].

use std::sync::Arc;

use crux_crdt::blob::BlobId;
use crux_crdt::document::{Document, Marker};
use crux_crdt::name::Label;
use crux_crdt::record::{Pass, SlotSet};
use crux_protocol::proctor::Held;
use crux_protocol::proctor::planner::{Command, Event, State, Step, Tell};
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::errand;
use crate::blobs::want::Pantry;
use crate::clock;
use crate::fulcrum::request::Request;
use crate::view::{Leads, Views};

/// How many changes of one plan the log has; of the others, their number. Guess: as many as a screen has lines.
const STEPS_TOLD: usize = 24;

/// Everything that the loop has of the node.
#[derive(Debug)]
pub(crate) struct Wiring {
    /// The horde whose target is planned.
    pub(crate) horde: Label,
    /// The replica, as the fulcrum shows it.
    pub(crate) views: Views,
    /// The store of blobs, and what fetches those that are missing.
    pub(crate) pantry: Pantry,
    /// The way to the node's record.
    pub(crate) fulcrum: mpsc::Sender<Request>,
}

/// Plans until the node stops.
pub(crate) async fn run(wiring: Wiring) {
    let mut views = wiring.views.clone();
    views.mark_changed();
    let mut planner = Planner::new(wiring);
    loop {
        let due = planner.engine.deadline().since(clock::now());
        tokio::select! {
            Ok(()) = views.changed() => {
                views.mark_unchanged();
                planner.look();
            }
            Some(done) = planner.under_way.next() => {
                if let Some(event) = done {
                    planner.handle(event);
                }
            }
            () = tokio::time::sleep(due) => planner.handle(Event::Wake),
        }
    }
}

/// The engine, with what it is in the middle of.
struct Planner {
    engine: State,
    wiring: Wiring,
    /// Each ends with the event that the engine waits for, if it waits.
    under_way: FuturesUnordered<BoxFuture<'static, Option<Event>>>,
    term: Option<u64>,
    /// The part of the replica that the engine was told last.
    seen: Option<(Arc<Leads>, Option<Marker>)>,
    /// The target, read.
    target: Option<Held>,
}

impl Planner {
    fn new(wiring: Wiring) -> Self {
        let me = wiring.views.borrow().principal;
        Self {
            engine: State::new(me, wiring.horde.clone()),
            wiring,
            under_way: FuturesUnordered::new(),
            term: None,
            seen: None,
            target: None,
        }
    }

    /// Tells the engine what changed in the replica, then whether this node leads.
    fn look(&mut self) {
        let view = self.wiring.views.borrow().clone();
        if let Some(leads) = &view.leads {
            self.see(leads, view.documents.target(&self.wiring.horde));
        }
        let term = view.leads.as_ref().map(|leads| leads.term);
        if self.term != term {
            self.term = term;
            self.handle(Event::Led(term));
        }
    }

    fn see(&mut self, leads: &Arc<Leads>, document: Option<&Document>) {
        let marker = document.map(Document::marker);
        let is_same = |(last, target): &(Arc<Leads>, _)| last == leads && *target == marker;
        if self.seen.as_ref().is_some_and(is_same) {
            return;
        }
        self.seen = Some((leads.clone(), marker));
        if self.target.as_ref().map(|held| held.marker) != marker {
            self.target = document.map(Held::of);
        }
        let (view, newest) = (leads.nodes.clone(), leads.newest.clone());
        self.handle(Event::Seen { view, target: self.target.clone(), newest });
    }

    fn handle(&mut self, event: Event) {
        let mut commands = Vec::new();
        self.engine.handle(event, clock::now(), &mut commands);
        commands.into_iter().for_each(|command| self.execute(command));
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Plan(slots) => self.say(slots),
            Command::Read(blob) => self.read(blob),
            Command::Outbid(greater) => self.outbid(greater),
            Command::Tell(what) => tell(&what),
        }
    }

    fn say(&mut self, slots: SlotSet) {
        let fulcrum = self.wiring.fulcrum.clone();
        let errand = async move {
            let said = errand::say(&fulcrum, slots).await;
            if let Err(error) = &said {
                warn!(%error, "a plan is not published; the leader plans again later");
            }
            Some(Event::Planned(said.is_ok()))
        };
        self.under_way.push(errand.boxed());
    }

    fn read(&mut self, blob: BlobId) {
        let pantry = self.wiring.pantry.clone();
        let errand = async move {
            let content = errand::content(&pantry, blob).await;
            if let Err(error) = &content {
                debug!(%blob, %error, "the generation before the target is not here yet");
            }
            Some(Event::Read { blob, content: content.ok() })
        };
        self.under_way.push(errand.boxed());
    }

    fn outbid(&mut self, greater: Pass) {
        let fulcrum = self.wiring.fulcrum.clone();
        let errand = async move {
            match errand::outbid(&fulcrum, greater).await {
                Ok(()) => info!(term = greater.term, "nodes obey the plan of a greater term"),
                Err(error) => warn!(%error, "a greater term is not asked for"),
            }
            None
        };
        self.under_way.push(errand.boxed());
    }
}

fn tell(what: &Tell) {
    match what {
        Tell::Changes { number, steps } => tell_steps(*number, steps),
        Tell::Failed(version, failure) => {
            warn!(%version, reason = %failure, "a version of a service failed");
        }
        Tell::Stuck(trouble) => {
            warn!(error = %trouble, "nothing is planned, and what runs, runs on");
        }
    }
}

fn tell_steps(number: Pass, steps: &[Step]) {
    info!(term = number.term, pass = number.pass, changes = steps.len(), "planned");
    steps.iter().take(STEPS_TOLD).for_each(|step| info!("{step}"));
    if let Some(more) = steps.len().checked_sub(STEPS_TOLD).filter(|more| *more > 0) {
        info!("{more} more changes");
    }
}

#[cfg(test)]
mod tests;
