//! The mesh of gossipsub, with the numbers of the libp2p adapter: whom messages go to at once, and
//! whom they are only advertised to.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crux_crdt::Principal;
use crux_protocol::link::Topic;
use crux_protocol::time::Instant;
use rand::RngExt;

use super::conn::{Phase, Rumour, RumourId};
use super::{ConnId, Message};
use crate::host::Process;
use crate::queue::Happening;
use crate::world::World;

const HEARTBEAT: Duration = Duration::from_secs(1);
const HEARTBEAT_FIRST: Duration = Duration::from_millis(500);
const DEGREE: usize = 5;
const DEGREE_LOW: usize = 4;
const DEGREE_HIGH: usize = 8;
const LAZY: usize = 3;
/// One in so many of the others is told of messages, if that is more.
const LAZY_ONE_IN: usize = 10;
const PRUNE_BACKOFF: Duration = Duration::from_secs(10);
/// For how many heartbeats a message is advertised, and kept.
const ADVERTISED: usize = 6;
const KEPT: usize = 12;
/// How many ids an advert has at most.
const ADVERT_MAX: usize = 600;
/// A message that was asked for is not asked for again so soon.
const ASKED_FOR: Duration = Duration::from_secs(3);

/// What a process knows of the mesh.
#[derive(Debug, Default)]
pub(crate) struct Mesh {
    /// The peers to which messages of a topic go.
    pub(crate) peers: BTreeMap<Topic, BTreeSet<Principal>>,
    backoff: BTreeMap<(Topic, Principal), Instant>,
    /// Messages that were let on, by the heartbeat after which that was, the last one first.
    recent: VecDeque<Vec<Arc<Rumour>>>,
    asked: BTreeMap<RumourId, Instant>,
}

impl Mesh {
    /// A message may be passed on.
    pub(crate) fn keep(&mut self, rumour: &Arc<Rumour>) {
        if self.recent.is_empty() {
            self.recent.push_front(Vec::new());
        }
        self.recent[0].push(rumour.clone());
    }
}

impl World {
    /// The first heartbeat of a process.
    pub(crate) fn begin_gossip(&mut self, at: Process) {
        self.queue.push(self.now + HEARTBEAT_FIRST, Happening::Heartbeat(at));
    }

    pub(crate) fn heartbeat(&mut self, at: Process) {
        if !self.is_current(at) {
            return;
        }
        self.queue.push(self.now + HEARTBEAT, Happening::Heartbeat(at));
        let now = self.now;
        let mesh = &mut self.socket(at.host).mesh;
        mesh.recent.push_front(Vec::new());
        mesh.recent.truncate(KEPT + 1);
        mesh.backoff.retain(|_, until| *until > now);
        mesh.asked.retain(|_, when| now.since(*when) < ASKED_FOR);
        let open: BTreeMap<Principal, ConnId> = self.mutual(at);
        for topic in Topic::ALL {
            self.tend_mesh(at, topic, &open);
            self.advertise(at, topic, &open);
        }
    }

    /// Peers with whom a connection stands whose gate is open on both sides.
    fn mutual(&mut self, at: Process) -> BTreeMap<Principal, ConnId> {
        let peers = self.socket(at.host).peers.with_open_gate();
        peers.into_iter().filter_map(|peer| Some((peer, self.mutual_with(at, &peer)?))).collect()
    }

    pub(crate) fn mutual_with(&mut self, at: Process, peer: &Principal) -> Option<ConnId> {
        let id = self.newest_open(at, peer)?;
        let other = self.net.conns.get(id)?.end(self.side_of(id, at).other());
        (other.phase == Phase::Up { open: true }).then_some(id)
    }

    fn tend_mesh(&mut self, at: Process, topic: Topic, open: &BTreeMap<Principal, ConnId>) {
        let mesh = &mut self.socket(at.host).mesh;
        let peers = mesh.peers.entry(topic).or_default();
        peers.retain(|peer| open.contains_key(peer));
        let count = peers.len();
        if count < DEGREE_LOW {
            let fresh = |peer: &&Principal| {
                !peers.contains(*peer) && !mesh.backoff.contains_key(&(topic, **peer))
            };
            let others: Vec<_> = open.keys().filter(fresh).copied().collect();
            for peer in self.some_of(others, DEGREE - count) {
                self.graft(at, topic, peer);
            }
        } else if count > DEGREE_HIGH {
            let all: Vec<_> = peers.iter().copied().collect();
            for peer in self.some_of(all, count - DEGREE) {
                self.leave_mesh(at, topic, &peer);
                self.send_control(at, &peer, Message::Prune(topic));
            }
        }
    }

    /// Takes a peer into the mesh, and asks to be taken into its.
    fn graft(&mut self, at: Process, topic: Topic, peer: Principal) {
        self.socket(at.host).mesh.peers.entry(topic).or_default().insert(peer);
        self.send_control(at, &peer, Message::Graft(topic));
    }

    fn leave_mesh(&mut self, at: Process, topic: Topic, peer: &Principal) {
        let until = self.now + PRUNE_BACKOFF;
        let mesh = &mut self.socket(at.host).mesh;
        mesh.peers.entry(topic).or_default().remove(peer);
        mesh.backoff.insert((topic, *peer), until);
    }

    /// A peer subscribes: whoever has too few takes it in at once.
    pub(crate) fn meet(&mut self, at: Process, peer: Principal) {
        if self.mutual_with(at, &peer).is_none() {
            return;
        }
        for topic in Topic::ALL {
            let mesh = &self.socket(at.host).mesh;
            let few = mesh.peers.get(&topic).is_none_or(|peers| peers.len() < DEGREE_LOW);
            if few && !mesh.backoff.contains_key(&(topic, peer)) {
                self.graft(at, topic, peer);
            }
        }
    }

    /// Tells some outside the mesh what there was lately.
    fn advertise(&mut self, at: Process, topic: Topic, open: &BTreeMap<Principal, ConnId>) {
        let mesh = &self.socket(at.host).mesh;
        let recent = mesh.recent.iter().take(ADVERTISED + 1).flat_map(|it| it.iter().rev());
        let ids = recent.filter(|rumour| rumour.topic == topic).map(|rumour| rumour.id);
        let ids: Arc<[RumourId]> = ids.take(ADVERT_MAX).collect();
        if ids.is_empty() {
            return;
        }
        let in_mesh = mesh.peers.get(&topic);
        let outside = |peer: &&Principal| in_mesh.is_none_or(|peers| !peers.contains(*peer));
        let outside: Vec<_> = open.keys().filter(outside).copied().collect();
        let count = LAZY.max(outside.len() / LAZY_ONE_IN);
        for peer in self.some_of(outside, count) {
            self.send_control(at, &peer, Message::Have(ids.clone()));
        }
    }

    fn send_control(&mut self, at: Process, peer: &Principal, message: Message) {
        let Some(conn) = self.newest_open(at, peer) else { return };
        let side = self.side_of(conn, at);
        self.transmit(conn, side, message);
    }

    pub(crate) fn hear_graft(&mut self, at: Process, from: Principal, topic: Topic) {
        let mesh = &mut self.socket(at.host).mesh;
        let full = mesh.peers.entry(topic).or_default().len() >= DEGREE_HIGH;
        if full || mesh.backoff.contains_key(&(topic, from)) {
            self.send_control(at, &from, Message::Prune(topic));
        } else {
            mesh.peers.entry(topic).or_default().insert(from);
        }
    }

    pub(crate) fn hear_prune(&mut self, at: Process, from: Principal, topic: Topic) {
        self.leave_mesh(at, topic, &from);
    }

    pub(crate) fn hear_advert(&mut self, at: Process, from: Principal, ids: &[RumourId]) {
        let now = self.now;
        let socket = self.socket(at.host);
        let unknown =
            |id: &&RumourId| !socket.seen.contains(**id) && !socket.mesh.asked.contains_key(*id);
        let wanted: Arc<[RumourId]> = ids.iter().filter(unknown).copied().collect();
        if !wanted.is_empty() {
            socket.mesh.asked.extend(wanted.iter().map(|id| (*id, now)));
            self.send_control(at, &from, Message::Want(wanted));
        }
    }

    pub(crate) fn hear_wanted(&mut self, at: Process, from: Principal, ids: &[RumourId]) {
        let recent = &self.socket(at.host).mesh.recent;
        let held = recent.iter().rev().flatten().filter(|rumour| ids.contains(&rumour.id));
        for rumour in held.cloned().collect::<Vec<_>>() {
            self.send_control(at, &from, Message::Rumour(rumour, false));
        }
    }

    /// So many of these, by chance.
    fn some_of(&mut self, mut of: Vec<Principal>, count: usize) -> Vec<Principal> {
        let count = count.min(of.len());
        for at in 0..count {
            let chosen = self.rng.random_range(at..of.len());
            of.swap(at, chosen);
        }
        of.truncate(count);
        of
    }
}
