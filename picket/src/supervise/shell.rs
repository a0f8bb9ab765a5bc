use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use crux_client::{Error, Kind};
use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::record::ServiceKey;
use crux_protocol::picket::{Command, Desired, Event, Image, InstanceId, RequestId, State, Status};
use crux_protocol::time::Instant;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{error, warn};

use super::answer::Pending;
use super::calls::Call;
use super::health::Book;
use super::hold::Hold;
use super::instance::{Instance, exit};
use super::node::Node;
use super::places::Places;
use super::ports::Chooser;
use super::post::{Answer, Post};
use super::work::{Done, Unstarted};
use crate::check::Checks;
use crate::clock::{self, Moment};
use crate::desired::Store;
use crate::events::Events;
use crate::handle::{Keeper, Message};
use crate::image::Images;
use crate::link::{FromFulcrum, FromPicket, Ready};
use crate::logs::Logs;
use crate::record::Record as Kept;
use crate::tree::{Mark, Process};

/// How often it is looked whether somebody stopped a program that no check noticed.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The same while a program is stopped: its checks rest until it continues.
const LOOK_PAUSED: Duration = Duration::from_secs(1);
/// How long callers wait at first until it is known what ran before. Keepers answer within milliseconds; one that does
/// not is waited for much longer, and callers are not.
const ADOPTED_WITHIN: Duration = Duration::from_secs(3);

/// Carries out what the engine decides. See [the module](super).
pub(crate) struct Shell {
    pub(super) places: Places,
    pub(super) engine: State,
    /// Where what is wanted is kept; none: it is damaged, and nothing is started or stopped.
    pub(super) store: Arc<Mutex<Option<Store>>>,
    pub(super) damage: Option<Error>,
    /// Commands of the engine that are not begun yet, and the events that it is told next.
    commands: VecDeque<Command>,
    inbox: VecDeque<Event>,
    pub(super) instances: BTreeMap<InstanceId, Instance>,
    /// Records on the disk whose instances are not started yet.
    pub(super) kept: BTreeMap<InstanceId, Kept>,
    pub(super) images: Arc<Mutex<Images>>,
    /// The hashes of images that were asked for.
    pub(super) roots: BTreeMap<BlobId, Root>,
    /// The images that the engine wants kept.
    pub(super) pins: BTreeSet<BlobId>,
    /// Images that are sealed once the fulcrum said where they are.
    pub(super) seals: BTreeMap<BlobId, Image>,
    pub(super) chooser: Chooser,
    pub(super) node: Node,
    pub(super) post: Post,
    pub(super) unwell: BTreeMap<ServiceKey, Status>,
    pub(super) logs: Arc<Logs>,
    /// Instances whose output is still being read.
    pub(super) drains: BTreeMap<InstanceId, watch::Receiver<()>>,
    pub(super) events: Arc<Events>,
    pub(super) checks: Arc<Checks>,
    pub(super) tasks: JoinSet<Done>,
    calls: mpsc::Receiver<Call>,
    pub(super) waiting: BTreeMap<RequestId, Pending>,
    /// Sets of goals without an answer, each with the fulcrum's number.
    pub(super) goals: BTreeMap<RequestId, u64>,
    pub(super) requests: u64,
    /// Callers that ask for health are answered from this.
    pub(super) book: watch::Sender<Arc<Book>>,
    /// Instances whose keepers were killed, with what marks what they left behind; and whether that is being killed.
    pub(super) lost: Vec<(InstanceId, Mark)>,
    pub(super) is_sweeping: bool,
    /// Instances whose programs are being noted in their records, and those of them that are to be forgotten then.
    pub(super) noting: BTreeSet<InstanceId>,
    pub(super) forget_later: BTreeSet<InstanceId>,
    /// Where images are that the store moved since a content was made.
    pub(super) moved: BTreeMap<BlobId, String>,
    pub(super) fulcrum: Option<Process>,
    look: Instant,
    /// Something else is wanted than when logs had their bounds last.
    pub(super) has_saved: bool,
    /// The kind of what the disk said when the service config was not written last.
    pub(super) disk: Kind,
    pub(super) is_stopping: bool,
    is_over: bool,
    /// It is known what ran before, or it was waited for long enough.
    pub(super) is_adopted: bool,
    pub(super) hold: Hold,
}

/// Everything that a shell begins with.
pub(super) struct Beginning {
    pub(super) places: Places,
    pub(super) desired: Result<(Store, Desired), Error>,
    pub(super) seed: [u8; 32],
    pub(super) node: Node,
    pub(super) post: Post,
    pub(super) events: Arc<Events>,
    pub(super) calls: mpsc::Receiver<Call>,
    pub(super) book: watch::Sender<Arc<Book>>,
}

impl Shell {
    pub(super) fn new(begin: Beginning) -> Self {
        let Beginning { places, desired, seed, node, post, events, calls, book } = begin;
        let now = clock::now().at;
        let (store, desired, damage) = match desired {
            Ok((store, desired)) => (Some(store), desired, None),
            Err(error) => (None, Desired::default(), Some(error)),
        };
        let mut tasks = JoinSet::new();
        let logs = Arc::new(Logs::new(places.logs()));
        let writing = Arc::clone(&logs);
        let hold = Hold::new(places.ended().exists());
        tasks.spawn(super::happen::write(Arc::clone(&events)));
        tasks.spawn(async move {
            writing.write(|service, notice| warn!(%service, ?notice, "the log of a service")).await;
            Done::Nothing
        });
        Self {
            places,
            engine: State::new(desired, seed, now),
            store: Arc::new(Mutex::new(store)),
            damage,
            commands: VecDeque::new(),
            inbox: VecDeque::new(),
            instances: BTreeMap::new(),
            kept: BTreeMap::new(),
            images: Arc::default(),
            roots: BTreeMap::new(),
            pins: BTreeSet::new(),
            seals: BTreeMap::new(),
            chooser: Chooser::new(u16::from_le_bytes([seed[0], seed[1]])),
            node,
            post,
            unwell: BTreeMap::new(),
            logs,
            drains: BTreeMap::new(),
            events,
            checks: Arc::default(),
            tasks,
            calls,
            waiting: BTreeMap::new(),
            goals: BTreeMap::new(),
            requests: 0,
            book,
            lost: Vec::new(),
            is_sweeping: false,
            noting: BTreeSet::new(),
            forget_later: BTreeSet::new(),
            moved: BTreeMap::new(),
            fulcrum: None,
            look: now + ADOPTED_WITHIN,
            has_saved: false,
            disk: Kind::Io,
            is_stopping: false,
            is_over: false,
            is_adopted: false,
            hold,
        }
    }

    /// The record of events, for those who read it.
    pub(crate) fn events(&self) -> Arc<Events> {
        Arc::clone(&self.events)
    }

    /// Whether a service runs, or is to run.
    pub(crate) fn has_services(&self) -> bool {
        !self.instances.is_empty() || self.engine.all_wanted().next().is_some()
    }

    /// Whether the node stops and nothing of any service is left.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Waits for the next thing to happen, and does what follows. May be dropped at any time and called again.
    pub(crate) async fn next(&mut self) {
        let due = self.deadline().since(clock::now().at);
        tokio::select! {
            Some(done) = self.tasks.join_next() => match done {
                Ok(done) => self.on_done(done),
                // A bug; it is not to be hidden behind a service that does not start.
                Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
                Err(_) => {}
            },
            (id, message) = next_message(&mut self.instances) => self.on_message(&id, message),
            // Before that there is nothing to show, and nothing to change.
            Some(call) = self.calls.recv(), if self.is_adopted => self.on_call(call),
            id = next_gone(&mut self.waiting) => self.on_caller_gone(id),
            () = tokio::time::sleep(due) => self.on_time(),
        }
        self.settle();
    }

    fn deadline(&self) -> Instant {
        let waits = self.waiting.values().filter_map(Pending::deadline).min();
        let engine = self.engine.deadline().min(self.post.deadline());
        engine.min(self.look).min(waits.unwrap_or(Instant::NEVER))
    }

    fn on_time(&mut self) {
        let now = clock::now().at;
        if self.engine.deadline() <= now {
            self.tell(Event::Wake);
        }
        if self.look <= now {
            self.is_adopted = true;
            self.look_at_all();
            let is_paused = self.instances.values().any(|instance| instance.paused);
            self.look = now + if is_paused { LOOK_PAUSED } else { LOOK_EVERY };
        }
        self.give_up_waits(now);
    }

    /// Tells the engine something, when its turn comes.
    pub(super) fn tell(&mut self, event: Event) {
        self.inbox.push_back(event);
    }

    /// Has the engine take in all that happened, and begins with what it says.
    pub(super) fn settle(&mut self) {
        let mut is_changed = false;
        loop {
            let mut out = Vec::new();
            while let Some(event) = self.inbox.pop_front() {
                self.engine.handle(event, clock::now().at, &mut out);
                is_changed = true;
            }
            self.commands.extend(out);
            match self.commands.pop_front() {
                Some(Command::AllStopped) => self.is_over = true,
                Some(command) => self.execute(command),
                None => break,
            }
        }
        if let Some(ledger) = self.post.take_unwritten(clock::now().at) {
            self.write_ledger(ledger);
        }
        if let Some(seq) = self.post.published() {
            self.tell(Event::Published { seq });
            return self.settle();
        }
        if std::mem::take(&mut self.has_saved) {
            self.bound_logs();
        }
        if is_changed {
            self.show_health();
        }
    }

    /// The messages for the fulcrum. Those that the caller takes count as sent.
    pub(crate) fn outgoing(&mut self) -> &mut VecDeque<FromPicket> {
        self.post.outgoing(clock::now().at)
    }

    /// The fulcrum's process, if there is one.
    pub(super) fn fulcrum_pid(&self) -> Option<u32> {
        self.fulcrum.and_then(|process| u32::try_from(process.pid).ok())
    }

    /// A fulcrum serves.
    pub(crate) fn on_ready(&mut self, ready: Ready, restarted: bool) {
        if self.node.set(ready) {
            self.keep_node();
        }
        self.post.attach(true);
        self.tell(Event::FulcrumAttached { restarted });
        self.serves();
        self.ask_images();
        self.settle();
        self.show_health();
    }

    /// The fulcrum ended.
    pub(crate) fn on_away(&mut self) {
        let lost = self.post.attach(false);
        for blob in lost {
            self.on_no_image(blob, None);
        }
        self.tell(Event::FulcrumAway);
        self.cancel_goals();
        self.settle();
        self.show_health();
    }

    /// The fulcrum said something.
    pub(crate) fn on_said(&mut self, said: FromFulcrum) {
        match self.post.take(said, clock::now().at) {
            Some(Answer::Image(descriptor, path)) => self.on_image(descriptor, &path),
            Some(Answer::NoImage(blob, failure)) => self.on_no_image(blob, Some(failure)),
            Some(Answer::Goals(seq, goals)) => self.on_goals(seq, goals),
            None => {}
        }
        self.settle();
    }

    fn on_image(&mut self, descriptor: Descriptor, path: &std::ffi::OsStr) {
        let Some(path) = path.to_str() else {
            // The engine, and the file of what is wanted, have texts.
            let text = "the path of the blob store is not UTF-8; give --blob-dir another one";
            let failure = Error::new(Kind::ImageUnusable, text);
            return self.on_no_image(descriptor.blob, Some((&failure).into()));
        };
        let image = Image { descriptor, path: path.to_owned() };
        if self.seals.remove(&descriptor.blob).is_some() {
            self.seal_now(image.clone(), true);
        }
        self.request_with(&image);
    }

    /// The node stops. All services are stopped within this time; [`Shell::is_over`] says when.
    pub(crate) fn stop(&mut self, within: Duration) {
        // Then nothing is stopped here; keepers that are alone for long end what they have.
        self.is_over |= self.damage.is_some() || self.hold.adopts();
        self.is_stopping = true;
        self.tell(Event::Stop { within });
        self.let_go();
        self.settle();
    }

    /// Writes what waits in memory: before the process ends.
    pub(crate) fn flush(&mut self) {
        self.logs.flush();
        if let Err(error) = self.events.close(clock::now()) {
            warn!(%error, "the last events are not kept");
        }
    }

    /// A keeper said something.
    fn on_message(&mut self, id: &InstanceId, message: Message) {
        match message {
            Message::Started { program, output } => {
                let Some(instance) = self.instances.get_mut(id) else { return };
                instance.program = Some(program);
                match output {
                    Some(output) => self.drain(id, output),
                    // It would wait for ever for a reader of its pipes.
                    None if !self.drains.contains_key(id) => return self.no_output(id),
                    None => {}
                }
                self.on_started(id, program);
            }
            Message::Failed { text } => {
                if let Some(instance) = self.instances.get_mut(id) {
                    instance.failed = Some(text);
                }
            }
            Message::Exited(how) => {
                if let Some(instance) = self.instances.get_mut(id) {
                    instance.program = None;
                }
                self.tell(Event::Exited { instance: id.clone(), exit: exit(how) });
            }
            Message::Stuck { left } => {
                warn!(instance = %id, left, "the kernel does not let go of processes; they are killed again");
            }
            Message::Gone { clean: true, .. } => self.on_gone(id),
            Message::Gone { clean: false, .. } => {
                error!(instance = %id, "the keeper of an instance was killed, and its program with it");
                let leader = self.instances.get(id).and_then(|instance| instance.leader);
                self.lost.push((id.clone(), Mark::new(id.as_str(), leader)));
            }
            // Answered while it was adopted.
            Message::Adopted { .. } => {}
        }
    }

    fn on_started(&mut self, id: &InstanceId, program: Process) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        (instance.told, instance.leader) = (true, Some(program));
        self.note_program(id, program);
        let pid = u32::try_from(program.pid).unwrap_or_default();
        self.tell(Event::Spawned { instance: id.clone(), pid });
    }

    /// A keeper was started, or was not.
    pub(super) fn on_spawned(&mut self, id: &InstanceId, started: Result<Keeper, Unstarted>) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        let reason = match started.map(|keeper| instance.attach(keeper)) {
            Ok(Ok(())) => return,
            Ok(Err((keeper, err))) => {
                let reason = format!("the keeper cannot be waited for: {err}");
                return self.end_unattached(id.clone(), keeper, reason);
            }
            Err(Unstarted::Image(blob, reason)) => {
                // It is looked for again, where the store has it by now.
                self.tell(Event::SealFailed { blob, reason: reason.clone() });
                reason
            }
            Err(Unstarted::Other(reason)) => reason,
        };
        self.not_spawned(id, reason);
    }

    /// An instance was not started, and nothing of it is left.
    pub(super) fn not_spawned(&mut self, id: &InstanceId, reason: String) {
        self.instances.remove(id);
        self.tell(Event::SpawnFailed { instance: id.clone(), reason });
    }

    /// Nothing of an instance is left.
    pub(super) fn on_gone(&mut self, id: &InstanceId) {
        let Some(instance) = self.instances.remove(id) else { return };
        match instance.failed {
            Some(reason) if !instance.told => {
                self.tell(Event::SpawnFailed { instance: id.clone(), reason });
            }
            _ => {
                let ports = instance.record.ports.iter();
                let taken = ports.filter(|(_, port)| self.is_taken(**port));
                let taken = taken.map(|(name, _)| name.clone()).collect();
                self.tell(Event::Gone { instance: id.clone(), taken });
            }
        }
    }

    fn is_taken(&self, port: u16) -> bool {
        let probed = super::ports::probe(self.node.addr(), port);
        probed.is_err_and(|err| err.kind() == std::io::ErrorKind::AddrInUse)
    }

    /// Looks whether somebody stopped a program, or let it go on.
    fn look_at_all(&mut self) {
        let ids: Vec<InstanceId> = self.instances.keys().cloned().collect();
        for id in ids {
            self.look_at(&id);
        }
    }

    /// The same for one of them, before a failed check of it counts.
    pub(super) fn look_at(&mut self, id: &InstanceId) {
        let Some(instance) = self.instances.get_mut(id).filter(|it| it.program.is_some()) else {
            return;
        };
        if instance.wake_keeper() {
            warn!(instance = %id, "somebody stopped the keeper of an instance; it was told to continue");
        }
        let paused = instance.is_stopped();
        if paused != instance.paused {
            instance.paused = paused;
            if paused {
                self.look = clock::now().at + LOOK_PAUSED;
            }
            self.tell(Event::Paused { instance: id.clone(), paused });
        }
    }
}

/// The next message of any keeper.
async fn next_message(instances: &mut BTreeMap<InstanceId, Instance>) -> (InstanceId, Message) {
    poll_fn(|cx| {
        for (id, instance) in instances.iter_mut() {
            if let Poll::Ready(message) = instance.poll_message(cx) {
                return Poll::Ready((id.clone(), message));
            }
        }
        Poll::Pending
    })
    .await
}

/// The next caller that does not wait any longer.
async fn next_gone(waiting: &mut BTreeMap<RequestId, Pending>) -> RequestId {
    poll_fn(|cx| {
        for (id, pending) in waiting.iter_mut() {
            if pending.poll_gone(cx).is_ready() {
                return Poll::Ready(*id);
            }
        }
        Poll::Pending
    })
    .await
}

impl std::fmt::Debug for Shell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shell").field("instances", &self.instances.len()).finish_non_exhaustive()
    }
}

/// The moment that logs and events have.
pub(super) fn moment() -> Moment {
    clock::now()
}
