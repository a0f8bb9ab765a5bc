use std::collections::BTreeSet;
use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::hash::sha3;
use crux_protocol::flock::Event;
use crux_protocol::link::{self, GossipId, Topic, Verdict};
use rand::RngExt;
use rand::rngs::StdRng;

use super::conn::{Rumour, RumourId};
use super::{ConnId, Message};
use crate::host::Process;
use crate::world::World;

impl World {
    pub(crate) fn publish(&mut self, by: Process, topic: Topic, data: Vec<u8>) {
        let rumour = self.rumour(topic, data);
        if self.note_seen(by, rumour.id) {
            self.spread(by, None, &rumour);
        }
    }

    fn rumour(&mut self, topic: Topic, data: Vec<u8>) -> Arc<Rumour> {
        let content = sha3("crux/sim/rumour/1", &[&[topic as u8], &data]);
        let next = RumourId(self.net.rumours.len() as u64);
        let id = *self.net.rumours.entry(content).or_insert(next);
        Arc::new(Rumour { id, topic, data })
    }

    /// Returns whether it is news.
    fn note_seen(&mut self, at: Process, rumour: RumourId) -> bool {
        let now = self.now;
        self.socket(at.host).seen.insert(rumour, now)
    }

    /// Passes a message on to the mesh, but to who sent it.
    fn spread(&mut self, by: Process, but: Option<Principal>, rumour: &Arc<Rumour>) {
        let mesh = &mut self.socket(by.host).mesh;
        mesh.keep(rumour);
        let peers: Vec<_> = mesh.peers.get(&rumour.topic).into_iter().flatten().copied().collect();
        for peer in peers {
            if Some(peer) == but {
                continue;
            }
            let weather = self.net.paths.weather;
            let happens = |rng: &mut StdRng, rate| rate > 0 && rng.random_range(0..1000) < rate;
            if happens(&mut self.rng, weather.gossip_loss) {
                continue;
            }
            let Some(conn) = self.newest_open(by, &peer) else { continue };
            let side = self.side_of(conn, by);
            let late = happens(&mut self.rng, weather.gossip_late);
            if late {
                self.transmit_late(conn, side, Message::Rumour(rumour.clone(), false));
            } else {
                self.transmit(conn, side, Message::Rumour(rumour.clone(), false));
            }
            if happens(&mut self.rng, weather.gossip_twice) {
                self.transmit(conn, side, Message::Rumour(rumour.clone(), true));
            }
        }
    }

    /// The newest connection to a peer on which this side's gate is open, best one that stays.
    pub(super) fn newest_open(&self, by: Process, peer: &Principal) -> Option<ConnId> {
        let running = self.hosts[by.host].running.as_ref()?;
        let open = running.socket.peers.open(peer);
        if let [only] = open {
            return Some(*only);
        }
        let stays = |id: &&ConnId| {
            let conn = self.net.conns.get(**id);
            conn.is_some_and(|conn| !conn.end(self.side_of(**id, by)).closing)
        };
        open.iter().rev().find(stays).or(open.last()).copied()
    }

    pub(crate) fn hear_rumour(
        &mut self,
        at: Process,
        from: Principal,
        rumour: &Arc<Rumour>,
        again: bool,
    ) {
        let counts = u64::from(rumour.topic == Topic::Fact);
        self.copies.0 += counts;
        if !self.note_seen(at, rumour.id) && !again {
            return;
        }
        self.copies.1 += counts;
        let socket = self.socket(at.host);
        let id = GossipId(socket.fresh());
        socket.unjudged.insert(id, (rumour.clone(), from));
        let (topic, data) = (rumour.topic, rumour.data.clone());
        self.handle(at, Event::Link(link::Event::Gossip { id, topic, from, data }));
        if self.is_current(at) && self.socket(at.host).unjudged.contains_key(&id) {
            self.broken(format!("n{} gave no verdict on gossip {}", at.host, id.0));
        }
    }

    /// A process that runs hears a message that no node made, as from one of its peers.
    pub(crate) fn slip_in(&mut self, host: usize, topic: Topic, data: Vec<u8>) {
        let it = &self.hosts[host];
        if it.running.is_none() || it.inbox.is_some() {
            return;
        }
        let at = Process { host, boot: it.boot };
        let peer = self.socket(host).peers.with_open_gate().into_iter().next();
        if let Some(from) = peer {
            let rumour = self.rumour(topic, data);
            self.hear_rumour(at, from, &rumour, false);
        }
    }

    pub(crate) fn judge(&mut self, by: Process, id: GossipId, verdict: Verdict) {
        let Some((rumour, from)) = self.socket(by.host).unjudged.remove(&id) else {
            return self.broken(format!("n{} judges gossip {} again", by.host, id.0));
        };
        if verdict == Verdict::Accept {
            self.spread(by, Some(from), &rumour);
        }
    }

    /// Sends a beat to everyone who opened a stream for them.
    pub(crate) fn beat(&mut self, by: Process, incarnation: u64, counter: u64) {
        self.socket(by.host).beat = Some((incarnation, counter));
        for peer in self.socket(by.host).peers.with_open_gate() {
            let mut open = self.socket(by.host).peers.open(&peer).to_vec();
            open.retain(|id| {
                let conn = self.net.conns.get(*id);
                conn.is_some_and(|conn| conn.end(self.side_of(*id, by)).watched)
            });
            for id in open {
                let side = self.side_of(id, by);
                self.transmit(id, side, Message::Beat { incarnation, counter });
            }
        }
    }

    pub(crate) fn observe(&mut self, by: Process, subjects: BTreeSet<Principal>) {
        self.socket(by.host).observed = subjects;
        self.watch_peers(by);
    }

    /// Opens a stream of beats on one connection to each observed peer, and closes the others.
    pub(crate) fn watch_peers(&mut self, by: Process) {
        let socket = self.socket(by.host);
        let over: Vec<_> = socket
            .watching
            .iter()
            .filter(|(peer, _)| !socket.observed.contains(peer))
            .map(|(peer, conn)| (*peer, *conn))
            .collect();
        let missing: Vec<_> = socket
            .observed
            .iter()
            .filter(|peer| !socket.watching.contains_key(peer))
            .copied()
            .collect();
        for (peer, conn) in over {
            self.socket(by.host).watching.remove(&peer);
            let side = self.side_of(conn, by);
            self.transmit(conn, side, Message::Watch(false));
        }
        for peer in missing {
            if let Some(conn) = self.newest_open(by, &peer) {
                self.socket(by.host).watching.insert(peer, conn);
                let side = self.side_of(conn, by);
                self.transmit(conn, side, Message::Watch(true));
            }
        }
    }
}
