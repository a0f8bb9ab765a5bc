//! What people see of the flock, made from the engine's state.

use std::collections::BTreeMap;

use crux_client::model::{Joining, Leader, Member, MemberState, Service, ServiceStatus};
use crux_crdt::blob::{BlobId, Descriptor};
use crux_crdt::name::Label;
use crux_crdt::path::{FlockId, NetId};
use crux_crdt::record::{Record, Registration};
use crux_crdt::{Digest, Principal};
use crux_protocol::dial::{self, Outcome};
use crux_protocol::flock;
use crux_protocol::link::DialFailure;

use crate::view::View;

/// What stays the same while the node runs.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) flock: Label,
    pub(super) flock_id: Digest,
}

/// The view of a node's state.
pub(super) fn draw(frame: &Frame, state: &flock::State) -> View {
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
        members: members.into_iter().map(member).collect(),
        services,
        holders: holders(state),
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

fn holders(state: &flock::State) -> BTreeMap<BlobId, Vec<(Principal, Descriptor)>> {
    let mut holders: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for record in state.strew().shown() {
        for offer in record.offers() {
            holders.entry(offer.blob).or_default().push((record.author(), *offer));
        }
    }
    holders
}

/// Who leads, as it is shown.
pub(super) fn leader(state: &flock::State) -> Option<Leader> {
    state.leader().map(|claim| Leader {
        node: state.names().of(&claim.principal),
        principal: claim.principal,
        term: claim.n,
    })
}

fn member(member: flock::MemberView) -> Member {
    Member {
        node: member.node,
        principal: member.principal,
        addr: member.addresses.into_iter().next(),
        state: member_state(member.state),
        incarnation: member.incarnation,
        labels: member.labels,
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
    record.registrations().map(move |registration| Service {
        path: path(frame, &node, registration),
        instance: registration.instance.clone(),
        net_id: net_id(principal, registration),
        key_id: None,
        status: status(state),
        live: matches!(state, flock::MemberState::Alive | flock::MemberState::Suspect),
    })
}

/// A service without beats of its own is as well as its node.
const fn status(state: flock::MemberState) -> ServiceStatus {
    match state {
        flock::MemberState::Alive => ServiceStatus::Up,
        flock::MemberState::Suspect => ServiceStatus::Unknown,
        flock::MemberState::Dead | flock::MemberState::Left | flock::MemberState::Retired => {
            ServiceStatus::Down
        }
    }
}

/// Where a registration stands.
pub(super) fn path(frame: &Frame, node: &Label, registration: &Registration) -> FlockId {
    FlockId {
        flock: frame.flock.clone(),
        horde: registration.horde.clone(),
        node: node.clone(),
        service: registration.service.clone(),
        rev: registration.rev.clone(),
    }
}

/// Where a registration is reached.
pub(super) fn net_id(principal: Principal, registration: &Registration) -> NetId {
    NetId { rev: registration.rev.clone(), principal, endpoint: registration.endpoint.clone() }
}
