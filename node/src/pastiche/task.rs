use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crux_client::model::MemberState;
use crux_crdt::Principal;
use crux_crdt::blob::{BlobId, Descriptor};
use crux_crdt::sign::{Identity, Signed};
use crux_protocol::context::Context;
use crux_protocol::link::{self, Protocol};
use crux_protocol::pastiche::{
    Command, Config, Event, Facts, Failure, Holding, Report, State, StoreFailure, WHOLE_BYTES_MAX,
    Waiter,
};
use crux_protocol::time::Instant;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::{Instrument, debug, warn};

use super::disk;
use super::offers::{self, Stored};
use crate::blobs::Blobs;
use crate::blobs::want::{Progress, Wanted};
use crate::clock;
use crate::error::{Error, Kind};
use crate::fulcrum::request::{Asked, Reach, Request};
use crate::parts::finished;
use crate::view::View;

/// How often it is looked whether those who wait are still there.
const LOOK_PERIOD: Duration = Duration::from_millis(500);

/// What the mover needs.
#[derive(Debug)]
pub struct Parts {
    /// How blobs move.
    pub config: Config,
    /// Which flock, and who this node is.
    pub context: Context,
    /// Signs what this node sealed.
    pub identity: Arc<Identity>,
    /// What it draws comes from this.
    pub seed: [u8; 32],
    /// Where blobs are kept.
    pub blobs: Blobs,
    /// Fetch requests.
    pub wishes: mpsc::Receiver<Wanted>,
    /// The members, and their offers.
    pub view: watch::Receiver<Arc<View>>,
    /// Takes what this node offers; none: it offers nothing.
    pub fulcrum: Option<mpsc::Sender<Request>>,
    /// Takes requests and replies.
    pub network: mpsc::Sender<link::Command>,
    /// Gives what is about blobs.
    pub bulk: mpsc::Receiver<link::Event>,
}

/// The mover, and what tells it and the fulcrum what is to be offered. Both run once they are polled, and
/// end with the network or the fulcrum.
pub fn mover(
    parts: Parts,
) -> (impl Future<Output = ()> + Send + 'static, impl Future<Output = ()> + Send + 'static) {
    let (stored_in, stored) = mpsc::channel(1);
    let offers = offers::run(parts.blobs.clone(), parts.fulcrum.clone(), stored_in);
    let state = State::new(parts.config, parts.context.clone(), parts.seed);
    let task = Task {
        state,
        context: parts.context,
        identity: parts.identity,
        blobs: parts.blobs,
        network: parts.network,
        fulcrum: parts.fulcrum,
        linked: BTreeSet::new(),
        seen: parts.view.borrow().clone(),
        members: BTreeSet::new(),
        waiting: BTreeMap::new(),
        next_waiter: 0,
        disk: JoinSet::new(),
        again: Vec::new(),
    };
    let span = tracing::error_span!("pastiche");
    let (wishes, bulk, view) = (parts.wishes, parts.bulk, parts.view);
    let inputs = Inputs { wishes, bulk, view, stored };
    (task.run(inputs).instrument(span), offers)
}

struct Inputs {
    wishes: mpsc::Receiver<Wanted>,
    bulk: mpsc::Receiver<link::Event>,
    view: watch::Receiver<Arc<View>>,
    stored: mpsc::Receiver<Stored>,
}

struct Task {
    state: State,
    context: Context,
    identity: Arc<Identity>,
    blobs: Blobs,
    network: mpsc::Sender<link::Command>,
    fulcrum: Option<mpsc::Sender<Request>>,
    linked: BTreeSet<Principal>,
    /// The view that it saw last.
    seen: Arc<View>,
    members: BTreeSet<Principal>,
    waiting: BTreeMap<Waiter, Wanted>,
    next_waiter: u64,
    /// What the store is doing.
    disk: JoinSet<Event>,
    /// What the store knew at once.
    again: Vec<Event>,
}

impl Task {
    async fn run(mut self, mut inputs: Inputs) {
        let view = inputs.view.borrow_and_update().clone();
        self.see(view);
        let mut looked = clock::now();
        loop {
            let now = clock::now();
            if now.since(looked) >= LOOK_PERIOD && !self.waiting.is_empty() {
                looked = now;
                self.forget_the_gone().await;
            }
            let due = self.state.deadline(now).min(self.next_look(looked));
            let event = tokio::select! {
                event = inputs.bulk.recv() => match event {
                    Some(event) => of_link(event),
                    None => return,
                },
                Some(joined) = self.disk.join_next() => finished(joined),
                Some(wanted) = inputs.wishes.recv() => self.on_wanted(wanted),
                Some(Stored { kept, others }) = inputs.stored.recv() => {
                    Some(Event::Stored { kept, others })
                }
                changed = inputs.view.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let view = inputs.view.borrow_and_update().clone();
                    self.see(view);
                    Some(Event::Wake)
                }
                () = tokio::time::sleep(due.since(now)) => Some(Event::Wake),
            };
            if let Some(event) = event
                && !self.handle(event).await
            {
                return;
            }
        }
    }

    fn next_look(&self, looked: Instant) -> Instant {
        if self.waiting.is_empty() { Instant::NEVER } else { looked + LOOK_PERIOD }
    }

    /// Learns who is there.
    fn see(&mut self, view: Arc<View>) {
        let others = view.members.iter().filter(|member| member.principal != view.principal);
        let linked = others.filter(|member| member.state <= MemberState::Suspect);
        self.linked = linked.map(|member| member.principal).collect();
        let members = view.members.iter().filter(|member| member.state != MemberState::Evicted);
        self.members = members.map(|member| member.principal).collect();
        self.seen = view;
    }

    fn on_wanted(&mut self, wanted: Wanted) -> Option<Event> {
        if self.blobs.have(&wanted.id).is_some_and(|have| have.sealed) {
            // Nobody may be waiting any more.
            drop(wanted.done.send(Ok(())));
            return None;
        }
        self.next_waiter += 1;
        let waiter = Waiter(self.next_waiter);
        let event = Event::Get { waiter, blob: wanted.id, wait: wanted.timeout };
        self.waiting.insert(waiter, wanted);
        Some(event)
    }

    async fn forget_the_gone(&mut self) {
        let gone = self.waiting.iter().filter(|(_, want)| want.done.is_closed());
        let gone: Vec<_> = gone.map(|(waiter, _)| *waiter).collect();
        for waiter in gone {
            self.waiting.remove(&waiter);
            self.handle(Event::Cancel { waiter }).await;
        }
    }

    /// Whether the network is still there.
    async fn handle(&mut self, event: Event) -> bool {
        self.again.push(event);
        while let Some(event) = self.again.pop() {
            for command in self.step(event) {
                if !self.obey(command).await {
                    return false;
                }
            }
        }
        true
    }

    fn step(&mut self, event: Event) -> Vec<Command> {
        let facts = Facts {
            linked: &self.linked,
            is_member: &|principal| self.members.contains(principal),
            holders: &|blob| offers::holders(&self.seen, blob),
        };
        self.state.handle(event, clock::now(), &facts)
    }

    async fn obey(&mut self, command: Command) -> bool {
        let blobs = self.blobs.clone();
        match command {
            Command::Send { id, peer, request } => {
                let protocol = Protocol::Pastiche;
                return self
                    .tell(link::Command::Request { id, peer, protocol, body: request.encode() })
                    .await;
            }
            Command::Reply { reply, response } => {
                return self
                    .tell(link::Command::Reply { id: reply, body: response.encode() })
                    .await;
            }
            Command::Reach { peer } => self.reach(peer),
            Command::Provide { blob } => return self.tell(link::Command::Provide { blob }).await,
            Command::Withdraw { blob } => {
                return self.tell(link::Command::Withdraw { blob }).await;
            }
            Command::Seek { blob } => return self.tell(link::Command::Seek { blob }).await,
            Command::Begin { blob, root, size } => {
                self.disk.spawn(disk::begin(blobs, blob, root, size));
            }
            Command::Write { blob, root, size, index, body } => {
                self.disk.spawn(disk::write(blobs, blob, (root, size), index, body));
            }
            Command::Seal { blob, root, size } => {
                self.disk.spawn(disk::seal(blobs, blob, root, size));
            }
            Command::Rest { blob } => blobs.rest(&blob),
            Command::Read { read, blob, root, index } => {
                self.disk.spawn(disk::read(blobs, read, blob, root, index));
            }
            Command::Try { blob, root, size, body } => {
                self.disk.spawn(disk::try_piece(blobs, blob, (root, size), body));
            }
            Command::Abandon { blob, root, size } => {
                // Waited for, or else it might meet what is begun next.
                if let Err(error) = blobs.abandon(blob, (root, size)).await {
                    warn!(%blob, %error, "pieces of no use stay");
                }
            }
            Command::Take { blob, body } => _ = self.disk.spawn(disk::take(blobs, blob, body)),
            Command::Look { read, blob } if self.is_small(&blob) => {
                self.disk.spawn(disk::look_whole(blobs, read, blob));
            }
            Command::Look { read, blob } => {
                let found = self.look(&blob);
                self.again.push(Event::Looked { read, found });
            }
            Command::Tell { waiters, progress } => {
                let providers = u32::try_from(progress.providers).unwrap_or(u32::MAX);
                let told = Progress { held: progress.held, size: progress.size, providers };
                for wanted in waiters.iter().filter_map(|waiter| self.waiting.get(waiter)) {
                    wanted.progress.send_replace(told);
                }
            }
            Command::Done { waiter, result } => {
                if let Some(wanted) = self.waiting.remove(&waiter) {
                    let result = result.map_err(|failure| explain(wanted.id, &failure));
                    // Nobody may be waiting any more.
                    drop(wanted.done.send(result));
                }
            }
            Command::Report(report) => tell(&report),
        }
        true
    }

    /// The answer is of no use: a link is seen by the requests that it carries. Where the fulcrum has
    /// no place for it, it is asked again with the next request that fails.
    fn reach(&self, peer: Principal) {
        let (reply, _) = oneshot::channel();
        if let Some(fulcrum) = &self.fulcrum
            && fulcrum.try_send(Asked { op: Reach(peer), reply }.into()).is_err()
        {
            debug!(peer = %peer.short(), "a holder is not linked yet: the fulcrum is busy");
        }
    }

    async fn tell(&self, command: link::Command) -> bool {
        self.network.send(command).await.is_ok()
    }

    /// Whether all of a blob goes with the answer to what is here of it.
    fn is_small(&self, blob: &BlobId) -> bool {
        let small = |size| usize::try_from(size).is_ok_and(|size| size <= WHOLE_BYTES_MAX);
        self.blobs.describe(blob).is_ok_and(|it| small(it.size))
    }

    /// What is here of a blob, and what this node signs of it.
    fn look(&self, blob: &BlobId) -> Option<(Holding, Vec<Signed<Descriptor>>)> {
        let have = self.blobs.have(blob)?;
        let descriptor = Descriptor { blob: *blob, root: have.root, size: have.size };
        let sign = || Signed::sign(descriptor, &self.context.flock, &self.identity);
        let own = have.sealed.then(sign).into_iter().collect();
        Some((Holding { root: have.root, size: have.size, pieces: have.pieces }, own))
    }
}

/// What the mover makes of what the network tells.
fn of_link(event: link::Event) -> Option<Event> {
    match event {
        link::Event::Request { id, peer, body, .. } => {
            Some(Event::Request { reply: id, peer, body })
        }
        link::Event::Replied { id } => Some(Event::Replied { reply: id }),
        link::Event::Response { id, body, .. } => Some(Event::Response { id, body }),
        link::Event::RequestFailed { id, failure, .. } => {
            Some(Event::RequestFailed { id, failure })
        }
        link::Event::Provided { blob, told } => Some(Event::Provided { blob, told }),
        link::Event::Providers { blob, peers, last } => {
            Some(Event::Providers { blob, peers, last })
        }
        _ => None,
    }
}

fn explain(blob: BlobId, failure: &Failure) -> Error {
    let (kind, hint) = match failure {
        Failure::NobodyHas => (
            Kind::BlobUnknown,
            "Put it on a node first, or wait longer with --timeout; `members` shows who is there.",
        ),
        Failure::Stalled => (
            Kind::TimedOut,
            "The fetched pieces stay; try again, or wait longer for a piece with --timeout.",
        ),
        Failure::Lies => {
            (Kind::BlobMismatch, "The log names the nodes that signed it; put the file again.")
        }
        Failure::Busy => (Kind::Busy, "Try again in a moment."),
        Failure::Store(StoreFailure::Quota) => {
            (Kind::Quota, "Remove or unpin blobs, or raise the quota with --blob-quota.")
        }
        Failure::Store(StoreFailure::DiskFull) => {
            (Kind::DiskFull, "Make room on the disk; nothing has to be restarted.")
        }
        Failure::Store(StoreFailure::Other(_)) => (Kind::Io, "Check the disk."),
    };
    Error::new(kind, format!("the blob {blob}: {failure}")).with_hint(hint)
}

fn tell(report: &Report) {
    match report {
        Report::BadPiece { peer, blob } => {
            warn!(peer = %peer.short(), %blob, "a piece that is not what its root promises");
        }
        Report::FalseRoot { signers, servers, blob } => {
            let names = |peers: &[Principal]| {
                peers.iter().map(Principal::short).collect::<Vec<_>>().join(" ")
            };
            let (signers, servers) = (names(signers), names(servers));
            warn!(%signers, %servers, %blob, "they signed, or served, the root of another file");
        }
        // A peer may send this as often as it likes.
        Report::Malformed { peer } => debug!(peer = %peer.short(), "sent what no node sends"),
    }
}
