use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use crux_crdt::record::{Profile, Record};
use crux_crdt::sign::Identity;
use crux_crdt::strew::{Names, Strew};
use crux_crdt::{Digest, Principal};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::calls::Ping;
use super::command::{Batch, Command, Notice, Ticket};
use super::config::{Config, Restored};
use super::control::ControlId;
use super::departed::Departed;
use super::event::{Event, PersistError};
use super::others::Others;
use super::past::{Known, Past};
use super::provisional::starts_provisional;
use super::reach::Waiting;
use super::room::{Room, restore};
use super::stores::StoreWait;
use super::twins::Twins;
use super::yielding::Yielding;
use crate::author::{self, Own, ServiceKey};
use crate::context::Context;
use crate::genesis::JoinKey;
use crate::leader::Claim;
use crate::link::{self, DialId, Protocol, ReplyId, RequestId};
use crate::time::Instant;
use crate::{dial, join, leader, liveness, sync};

/// A connected peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) addr: SocketAddr,
    /// Whether this side's gate is open on it.
    pub(super) open: bool,
    /// Whether this side dialled it, or one like it.
    pub(super) dialled: bool,
    /// Since when it stands.
    pub(super) since: Instant,
    /// When a link whose gate is closed on either side is looked at again.
    pub(super) tend_at: Instant,
    /// Whether the other side's gate was found closed.
    pub(super) shut: bool,
}

/// For whom a request was sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Route {
    Join {
        /// Whether it is the callback to a joiner.
        calling: bool,
    },
    Sync,
    Hearsay,
    /// Of the facts of a caller, by number.
    Store(ControlId, usize),
    HandOver,
    HandBack,
    Ping(u64),
    Forward(ControlId),
}

/// One node. See the module for its invariant.
#[derive(Debug)]
pub struct State {
    pub(super) config: Config,
    pub(super) context: Context,
    pub(super) rng: StdRng,
    pub(super) strew: Strew,
    pub(super) names: Names,
    pub(super) author: author::State,
    pub(super) sync: sync::State,
    pub(super) liveness: liveness::State,
    pub(super) leader: leader::State,
    pub(super) join: join::State,
    pub(super) dial: dial::State,
    pub(super) links: BTreeMap<Principal, Link>,
    /// Peers that run another version of Crux.
    pub(super) others: Others,
    /// When links may be closed again that nobody needs.
    pub(super) prune_at: Instant,
    pub(super) requests: BTreeMap<RequestId, Route>,
    pub(super) dials: BTreeMap<DialId, dial::Request>,
    pub(super) waiting: BTreeMap<RequestId, Waiting>,
    /// Members dialled for something else than a call, and until when.
    pub(super) reached: BTreeMap<Principal, Instant>,
    pub(super) pings: BTreeMap<u64, Ping>,
    pub(super) stores: BTreeMap<ControlId, StoreWait>,
    pub(super) leases: BTreeMap<ServiceKey, Instant>,
    /// Whether somebody was asked of whom it heard, and has not answered.
    pub(super) hearing: bool,
    /// Shown members that are dead, and since when.
    pub(super) dead_since: BTreeMap<Principal, Instant>,
    /// Members that this node admitted as the joining side, and whose name it does not know yet.
    pub(super) vouched: BTreeMap<Principal, Instant>,
    pub(super) ticket: Option<Ticket>,
    pub(super) next_id: u64,
    pub(super) unsaved: Batch,
    /// Departed members whose records the disk keeps for a while.
    pub(super) departed: Departed,
    /// What is known of the room in the replica.
    pub(super) room: Room,
    pub(super) published: Option<Arc<Record>>,
    pub(super) shown_leader: Option<Claim>,
    /// Of whom the network was told where they are, and by which profile.
    pub(super) addresses_told: BTreeMap<Principal, Digest>,
    pub(super) past: Past,
    /// Other runs of this identity, and whether this one stops for one of them.
    pub(super) twins: Twins,
    pub(super) yielding: Option<Yielding>,
    pub(super) read_only: bool,
    pub(super) retry_write_at: Instant,
    pub(super) stop_at: Option<Instant>,
    /// To whom links are wanted; none when a member changed.
    pub(super) wanted: Option<BTreeSet<Principal>>,
    /// What links, dials, joins and calls wait for; none: look again.
    pub(super) links_due: Option<Instant>,
    /// Whether names, gates and addresses are to be derived anew.
    pub(super) roster_dirty: bool,
    pub(super) members_dirty: bool,
    pub(super) leader_dirty: bool,
    /// When it was last looked who leads, and when that is due again because of others' liveness.
    pub(super) evaluated_at: Instant,
    pub(super) evaluate_at: Instant,
    pub(super) changed: bool,
    pub(super) name_lost: bool,
    /// Whether it compared itself with a member at one of its entries.
    pub(super) seed_met: bool,
    pub(super) out: Vec<Command>,
}

/// The identity of a node, and what it starts with.
#[derive(Debug)]
pub struct Parts {
    /// Its key.
    pub identity: Arc<Identity>,
    /// The join key.
    pub join_key: JoinKey,
    /// What was on disk.
    pub restored: Restored,
    /// The seed of all its randomness.
    pub seed: [u8; 32],
}

impl State {
    /// A node that starts. Send [`Event::Wake`] first.
    pub fn new(config: Config, context: Context, parts: Parts, now: Instant) -> Self {
        let Parts { identity, join_key, restored, seed } = parts;
        let mut rng = StdRng::from_seed(seed);
        let (mut strew, departed) = restore(&config, &context, &restored);
        let unsaved = Batch { gone: strew.take_gone(), ..Batch::default() };
        let last = strew.record(&context.me).cloned();
        let dial = dial::State::new(&config.join, now);
        let profile = Profile {
            provisional: starts_provisional(&config, last.as_deref(), &dial),
            ..own_profile(&config, last.as_deref())
        };
        let own = Own::new(profile, last.as_deref(), restored.removed);
        let others = strew.membership().members().nth(1).is_some();
        let ended = strew.membership().departure(&context.me);
        let known = Known {
            last: last.as_deref(),
            ended: ended.map_or(0, |departure| departure.incarnation),
            key: restored.known_key,
            others,
        };
        let (past, first) = Past::new(known, now, &mut rng);
        let leases = own
            .services
            .iter()
            .filter_map(|(key, service)| Some((key.clone(), now + service.lease?)))
            .collect();
        let all = strew.shown().map(|record| record.author());
        // A member that was not heard yet is dead.
        let dead_since = all.filter(|who| *who != context.me).map(|who| (who, now)).collect();
        let expects_others = dial.has_entries() || others;
        let mut twins = Twins::new(past.nonce(), first.incarnation);
        last.iter().for_each(|last| twins.on_record(last));
        let mut liveness = liveness::State::new(
            config.liveness.clone(),
            context.clone(),
            identity.clone(),
            first.incarnation,
            now,
        );
        liveness.set_run(twins.run(), now);
        let leader_config = config.leader.clone();
        let mut state = Self {
            sync: sync::State::new(config.sync.clone(), context.clone(), &seed, now),
            leader: leader::State::new(
                leader_config,
                context.me,
                restored.fence,
                expects_others,
                now,
            ),
            join: join::State::new(
                config.joining.clone(),
                context.clone(),
                identity.clone(),
                join_key,
            ),
            author: author::State::new(context.clone(), identity, own, first, past.nonce()),
            past,
            twins,
            yielding: None,
            names: Names::default(),
            links: BTreeMap::new(),
            others: Others::default(),
            prune_at: now,
            requests: BTreeMap::new(),
            dials: BTreeMap::new(),
            waiting: BTreeMap::new(),
            reached: BTreeMap::new(),
            pings: BTreeMap::new(),
            stores: BTreeMap::new(),
            hearing: false,
            dead_since,
            vouched: BTreeMap::new(),
            ticket: None,
            next_id: 0,
            unsaved,
            departed: Departed::default(),
            room: Room::default(),
            published: None,
            shown_leader: None,
            addresses_told: BTreeMap::new(),
            read_only: false,
            retry_write_at: Instant::ORIGIN,
            stop_at: None,
            wanted: None,
            links_due: None,
            roster_dirty: true,
            members_dirty: true,
            leader_dirty: true,
            evaluated_at: Instant::ORIGIN,
            evaluate_at: Instant::NEVER,
            changed: true,
            name_lost: false,
            seed_met: false,
            out: Vec::new(),
            config,
            context,
            rng,
            strew,
            liveness,
            dial,
            leases,
        };
        departed.into_iter().for_each(|(who, bytes)| state.keep_departed(who, bytes, now));
        state
    }

    /// Takes one event. The commands are to be executed in order.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Command> {
        let quiet = Self::is_of_life(&event);
        match event {
            Event::Link(event) => self.on_link(event, now),
            Event::Persisted { ticket, result } => self.on_persisted(ticket, result, now),
            Event::Control { id, request } => self.on_control(id, request, now),
            Event::Recalled { record } => self.hand_back(&record, now),
            Event::Found { addr } => self.dial.on_found(&addr, now),
            Event::Wake => self.on_wake(now),
        }
        self.settle(now);
        if !quiet || self.wanted.is_none() {
            self.links_due = None;
        }
        std::mem::take(&mut self.out)
    }

    fn on_wake(&mut self, now: Instant) {
        let outputs = self.liveness.on_wake(now, &mut self.rng);
        self.act_on_liveness(outputs, now);
        let aside = self.aside();
        let outputs = self.sync.on_wake(now, &self.strew, &aside, &mut self.rng);
        self.act_on_sync(outputs, now);
        let outputs = self.join.on_wake(now);
        self.act_on_join(outputs, now);
        self.tend_links(now);
        self.prune_links(now);
        self.expire(now);
        self.dial_what_is_due(now);
    }

    fn on_persisted(&mut self, ticket: Ticket, result: Result<(), PersistError>, now: Instant) {
        if self.ticket != Some(ticket) {
            return;
        }
        self.ticket = None;
        match result {
            Ok(()) if self.read_only => {
                self.read_only = false;
                self.leader_dirty = true;
                self.notice(Notice::Writable);
            }
            Err(PersistError::Full) if !self.read_only => {
                self.read_only = true;
                self.notice(Notice::ReadOnly);
            }
            _ => {}
        }
        self.finish_write(result, now);
    }

    /// The next number for an id of this node's.
    pub(super) const fn fresh(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn link(&mut self, command: link::Command) {
        self.out.push(Command::Link(command));
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        self.out.push(Command::Notice(notice));
    }

    pub(super) fn reply(&mut self, id: ReplyId, body: Vec<u8>) {
        self.link(link::Command::Reply { id, body });
    }

    pub(super) fn send(
        &mut self,
        peer: Principal,
        protocol: Protocol,
        body: Vec<u8>,
        route: Route,
    ) {
        let id = RequestId(self.fresh());
        self.requests.insert(id, route);
        self.link(link::Command::Request { id, peer, protocol, body });
    }

    pub(super) fn dial(&mut self, request: dial::Request) {
        let id = DialId(self.fresh());
        let (addrs, expect) = (request.addrs.clone(), request.expect);
        self.dials.insert(id, request);
        self.link(link::Command::Dial { id, addrs, expect });
    }

    /// This node.
    pub const fn me(&self) -> Principal {
        self.context.me
    }

    /// The replica.
    pub const fn strew(&self) -> &Strew {
        &self.strew
    }

    /// The names of the members.
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// The leader.
    pub const fn leader(&self) -> Option<Claim> {
        self.leader.leader()
    }

    /// The greatest claim whose command this node accepted.
    pub const fn fence(&self) -> Option<Claim> {
        self.leader.fence()
    }

    /// The greatest term that counts on this node, also in what leaders sign for later. It rises while time passes, and
    /// this is as of the last event.
    pub const fn greatest_term(&self) -> u64 {
        self.leader.greatest_term()
    }

    /// What this node thinks of a member.
    pub fn liveness(&self, member: &Principal) -> liveness::Liveness {
        self.liveness.liveness(member)
    }

    /// This node's incarnation.
    pub const fn incarnation(&self) -> u64 {
        self.author.incarnation()
    }

    /// Whether the disk takes no writes.
    pub const fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Members with whom a link stands whose gate is open.
    pub fn linked(&self) -> BTreeSet<Principal> {
        self.links.iter().filter(|(_, link)| link.open).map(|(peer, _)| *peer).collect()
    }

    /// Whether anti-entropy is in the middle of something.
    pub fn is_syncing(&self) -> bool {
        self.sync.is_busy()
    }
}

/// The profile of a node with this configuration. Its claim outlives a restart.
fn own_profile(config: &Config, last: Option<&Record>) -> Profile {
    Profile {
        name: config.name.clone(),
        addresses: config.addresses.clone(),
        labels: config.labels.clone(),
        agreement_key: config.agreement_key,
        claim: last.map_or(0, |last| last.profile().claim),
        draining: false,
        version: config.version.clone(),
        ..Profile::default()
    }
}
