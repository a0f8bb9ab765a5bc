//! People's view of the flock, made from the engine's state.

use std::collections::BTreeMap;
use std::sync::Arc;

use crux_client::model::{
    self, Joining, Leader, Member, MemberState, Service, ServiceStatus, WallTime,
};
use crux_client::order;
use crux_crdt::document::Document;
use crux_crdt::name::Label;
use crux_crdt::path::{FlockId, NetId};
use crux_crdt::record::{Condition, Record, Registration, Shown, Unwell};
use crux_crdt::{Digest, Principal};
use crux_protocol::dial::{self, Outcome};
use crux_protocol::flock;
use crux_protocol::link::DialFailure;
use crux_protocol::proctor::planner::{self, Newest};
use crux_protocol::proctor::{Assignment, NodeUse, Reach};

use crate::view::{Leads, Said, View};

/// The part that stays the same while the node runs.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) flock: Label,
    pub(super) flock_id: Digest,
    pub(super) operator: Option<Principal>,
}

/// The view of a node's state, after the members that were shown before.
pub(super) fn draw(frame: &Frame, state: &flock::State, before: &[Member], now: WallTime) -> View {
    let me = state.me();
    let members = state.members();
    let states: BTreeMap<Principal, flock::MemberState> =
        members.iter().map(|member| (member.principal, member.state)).collect();
    let services =
        state.strew().shown().flat_map(|record| services(frame, state, &states, record)).collect();
    View {
        flock: frame.flock.clone(),
        flock_id: frame.flock_id,
        node: state.names().of(&me),
        lost_name: lost_name(state),
        principal: me,
        incarnation: state.incarnation(),
        state_digest: state.strew().digest(),
        leader: leader(state),
        joining: joining(state),
        members: shown(members, before, now, &Orders::of(state)),
        services,
        said: said(state),
        operator: frame.operator,
        documents: state.strew().documents().clone(),
        plans: plans(state),
        leads: leads(state, &states).map(Arc::new),
    }
}

fn lost_name(state: &flock::State) -> Option<Label> {
    let own = state.strew().record(&state.me())?;
    let name = own.profile().name.as_ref()?;
    let holder = state.names().holder(name)?;
    (holder != state.me()).then(|| name.as_label().clone())
}

fn joining(state: &flock::State) -> Joining {
    if state.has_joined() {
        return Joining::Joined;
    }
    let elsewhere = |seed: &dial::Seed| seed.outcome != Outcome::Failed(DialFailure::Myself);
    let seeds: Vec<_> = state.seeds().into_iter().filter(elsewhere).collect();
    match seeds.iter().all(|seed| seed.outcome.is_trouble()) {
        _ if seeds.is_empty() => Joining::Alone,
        true => Joining::Failed,
        false => Joining::Pending,
    }
}

/// The slots of the kinds that are found by their key.
fn said(state: &flock::State) -> Said {
    let mut said = Said::default();
    for record in state.strew().shown() {
        for slot in record.slots().values() {
            if slot.row().is_some_and(|row| row.shown == Shown::ByKey) {
                said.add(record.author(), slot);
            }
        }
    }
    said
}

/// This node's part of every plan.
fn plans(state: &flock::State) -> Vec<Assignment> {
    let records = state.strew().shown().map(|record| &**record);
    Assignment::all(records, &Label::main_horde(), &state.me(), reach(state))
}

/// The terms of which plans count.
fn reach(state: &flock::State) -> Reach {
    Reach::up_to(state.greatest_term())
}

/// What this node plans from, if it leads.
fn leads(state: &flock::State, states: &BTreeMap<Principal, flock::MemberState>) -> Option<Leads> {
    let claim = state.leader().filter(|claim| claim.principal == state.me())?;
    let horde = Label::main_horde();
    let documents = state.strew().documents();
    let records = || state.strew().shown().map(|record| &**record);
    let member = |record| {
        let principal = Record::author(record);
        let member = states.get(&principal).filter(|member| !member.has_departed())?;
        let name = state.names().of(&principal).to_string();
        Some(planner::Member { name, is_alive: member.is_live(), record })
    };
    let Some(held) = documents.target(&horde).map(Document::marker) else {
        return Some(Leads::without_target(claim.n));
    };
    Some(Leads {
        term: claim.n,
        nodes: planner::View::of(records().filter_map(member), documents),
        newest: Newest::among(records(), &horde, reach(state), held),
    })
}

/// The leader, as it is shown.
pub(super) fn leader(state: &flock::State) -> Option<Leader> {
    state.leader().map(|claim| Leader {
        node: state.names().of(&claim.principal),
        principal: claim.principal,
        term: claim.n,
    })
}

/// What users say of nodes.
#[derive(Default)]
struct Orders {
    labels: BTreeMap<Principal, BTreeMap<String, String>>,
    uses: BTreeMap<Principal, NodeUse>,
}

impl Orders {
    fn of(state: &flock::State) -> Self {
        let documents = state.strew().documents();
        let records = || state.strew().shown().map(|record| &**record);
        let uses = NodeUse::all(records, documents, &Label::main_horde(), reach(state));
        Self { labels: documents.labels(), uses }
    }

    /// A member with what they say of it.
    fn add(&self, member: Member) -> Member {
        let signed_labels = self.labels.get(&member.principal).cloned().unwrap_or_default();
        let (node_use, left) = match self.uses.get(&member.principal) {
            None | Some(NodeUse::Open) => (model::NodeUse::Open, BTreeMap::new()),
            Some(NodeUse::Cordoned) => (model::NodeUse::Cordoned, BTreeMap::new()),
            Some(NodeUse::Draining(left)) => (model::NodeUse::Draining, left.clone()),
            Some(NodeUse::Drained) => (model::NodeUse::Drained, BTreeMap::new()),
        };
        Member { signed_labels, node_use, left, ..member }
    }
}

/// The members by name, each since it is in its state.
fn shown(
    members: Vec<flock::MemberView>,
    before: &[Member],
    now: WallTime,
    orders: &Orders,
) -> Vec<Member> {
    let before: BTreeMap<_, _> =
        before.iter().map(|member| (member.principal, (member.state, member.since))).collect();
    let since = |member: Member| match before.get(&member.principal) {
        Some((state, since)) if *state == member.state => Member { since: *since, ..member },
        _ => member,
    };
    let members = members.into_iter().map(|it| orders.add(since(member(it, now))));
    let mut members: Vec<_> = members.collect();
    members.sort_by(|a, b| {
        let names = order::by_name(a.node.as_str(), b.node.as_str());
        names.then_with(|| a.principal.cmp(&b.principal))
    });
    members
}

fn member(member: flock::MemberView, now: WallTime) -> Member {
    Member {
        node: member.node,
        principal: member.principal,
        addr: member.addresses.into_iter().next(),
        state: member_state(member.state),
        since: now,
        version: Some(member.version).filter(|version| !version.is_empty()),
        incarnation: member.incarnation,
        labels: member.labels,
        signed_labels: BTreeMap::new(),
        node_use: model::NodeUse::Open,
        left: BTreeMap::new(),
    }
}

const fn member_state(state: flock::MemberState) -> MemberState {
    match state {
        flock::MemberState::Alive => MemberState::Alive,
        flock::MemberState::Suspect => MemberState::Suspect,
        flock::MemberState::Dead => MemberState::Dead,
        flock::MemberState::Left => MemberState::Left,
        flock::MemberState::Retired => MemberState::Retired,
    }
}

fn services<'a>(
    frame: &'a Frame,
    state: &flock::State,
    states: &BTreeMap<Principal, flock::MemberState>,
    record: &'a Record,
) -> impl Iterator<Item = Service> + 'a {
    let principal = record.author();
    let node = state.names().of(&principal);
    let state = states.get(&principal).copied().unwrap_or(flock::MemberState::Dead);
    let unwell = record.of::<Unwell>().next();
    record.registrations().map(move |registration| Service {
        path: path(frame, &node, registration),
        ordinal: registration.key.ordinal,
        instance: registration.instance.clone(),
        net_id: net_id(principal, registration),
        key_id: None,
        status: status(state, unwell.and_then(|it| it.of(registration.key.tag()))),
        live: state.is_live(),
        labels: registration.labels.clone(),
    })
}

/// The worse of what its node says of it and of how that is. A service of which its node says nothing is as well as
/// its node.
fn status(node: flock::MemberState, said: Option<Condition>) -> ServiceStatus {
    let node = match node {
        flock::MemberState::Alive => ServiceStatus::Up,
        flock::MemberState::Suspect => ServiceStatus::Unknown,
        flock::MemberState::Dead | flock::MemberState::Left | flock::MemberState::Retired => {
            ServiceStatus::Down
        }
    };
    let said = match said {
        None => ServiceStatus::Up,
        Some(Condition::Degraded) => ServiceStatus::Degraded,
        Some(Condition::Unknown | Condition::Later(_)) => ServiceStatus::Unknown,
        Some(Condition::Down) => ServiceStatus::Down,
    };
    node.max(said)
}

/// The path of a registration.
pub(super) fn path(frame: &Frame, node: &Label, registration: &Registration) -> FlockId {
    FlockId {
        flock: frame.flock.clone(),
        horde: registration.key.horde.clone(),
        node: node.clone(),
        service: registration.key.service.clone(),
        rev: registration.key.rev.clone(),
    }
}

/// Where a registration is reached.
pub(super) fn net_id(principal: Principal, registration: &Registration) -> NetId {
    NetId { rev: registration.key.rev.clone(), principal, endpoint: registration.endpoint.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(node: &str, key: u8, state: flock::MemberState) -> flock::MemberView {
        flock::MemberView {
            node: node.parse().unwrap(),
            principal: Principal([key; 32]),
            addresses: vec![],
            state,
            incarnation: 1,
            labels: BTreeMap::new(),
            version: if key == 1 { "0.1.0".to_owned() } else { String::new() },
        }
    }

    #[test]
    fn a_status_is_the_worse_one_of_node_and_service() {
        use flock::MemberState::{Alive, Dead, Suspect};
        let said =
            [None, Some(Condition::Degraded), Some(Condition::Unknown), Some(Condition::Down)];
        let with = |node| said.map(|said| status(node, said).as_str());
        assert_eq!(with(Alive), ["up", "degraded", "unknown", "down"]);
        assert_eq!(with(Suspect), ["unknown", "unknown", "unknown", "down"]);
        assert_eq!(with(Dead), ["down"; 4]);
    }

    #[test]
    fn members_are_by_name_and_each_since_it_is_in_its_state() {
        use flock::MemberState::{Alive, Dead, Suspect};
        let at = |unix_ms| WallTime { unix_ms };
        let first = vec![seen("n10", 1, Alive), seen("n2", 2, Alive), seen("n1", 3, Alive)];
        let first = shown(first, &[], at(5), &Orders::default());
        let names: Vec<_> = first.iter().map(|member| member.node.as_str()).collect();
        assert_eq!(names, ["n1", "n2", "n10"]);
        assert_eq!(first.iter().map(|it| it.since).max(), Some(at(5)));
        assert_eq!((first[2].version.as_deref(), &first[0].version), (Some("0.1.0"), &None));
        // One changed, another one took its name, and one is new.
        let then = vec![seen("n2", 1, Alive), seen("n3", 2, Suspect), seen("n4", 4, Dead)];
        let then = shown(then, &first, at(9), &Orders::default());
        let since: Vec<_> = then.iter().map(|it| (it.node.as_str(), it.since.unix_ms)).collect();
        assert_eq!(since, [("n2", 5), ("n3", 9), ("n4", 9)]);
    }
}
