use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::path::Endpoint;
use crux_crdt::{Digest, Principal};
use crux_protocol::author::ServiceKey;
use crux_protocol::flock::{MemberState, State};
use crux_protocol::leader::Claim;

use super::documents::Papers;

/// What one node shows, at one instant.
#[derive(Debug, Clone)]
pub(crate) struct Shot {
    pub(crate) host: usize,
    pub(crate) me: Principal,
    /// Of all that it holds.
    pub(crate) digest: Digest,
    pub(crate) leader: Option<Claim>,
    pub(crate) fence: Option<Claim>,
    /// Every member, itself included, and what it shows it as.
    pub(crate) members: BTreeMap<Principal, MemberState>,
    /// The record shown of each author.
    pub(crate) records: BTreeMap<Principal, Digest>,
    /// What members are called.
    pub(crate) names: BTreeMap<Principal, String>,
    /// The names that members claim.
    pub(crate) claimed: BTreeMap<Principal, String>,
    /// What it holds and shows of documents.
    pub(crate) papers: Papers,
    /// The registrations of each member, and their addresses.
    pub(crate) services: BTreeMap<(Principal, ServiceKey), Endpoint>,
}

impl Shot {
    pub(crate) fn of(host: usize, state: &State) -> Self {
        let strew = state.strew();
        let members = strew.records().map(|record| record.author());
        let members = members.filter(|who| strew.membership().contains(who));
        let members: BTreeMap<_, _> = members.map(|who| (who, state.member_state(&who))).collect();
        let names = members.keys().map(|who| (*who, state.names().of(who).to_string())).collect();
        let services = strew.shown().flat_map(|record| {
            let all = record.registrations();
            all.map(|it| ((record.author(), it.key.clone()), it.endpoint.clone()))
        });
        let claimed = strew.shown().filter_map(|record| {
            let name = record.profile().name.as_ref()?;
            Some((record.author(), name.as_label().to_string()))
        });
        Self {
            host,
            me: state.me(),
            digest: strew.digest(),
            leader: state.leader(),
            fence: state.fence(),
            services: services.collect(),
            records: strew.shown().map(|record| (record.author(), record.id())).collect(),
            claimed: claimed.collect(),
            papers: Papers::of(strew.documents()),
            members,
            names,
        }
    }

    /// The members that it does not call dead, departed or retired.
    pub(crate) fn alive(&self) -> BTreeSet<Principal> {
        let lives =
            |state: &MemberState| matches!(state, MemberState::Alive | MemberState::Suspect);
        self.members.iter().filter(|(_, state)| lives(state)).map(|(who, _)| *who).collect()
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// The principal of a host in tests.
    pub(crate) fn who(host: u8) -> Principal {
        Principal([host; 32])
    }

    /// The claim of a host in tests.
    pub(crate) fn claim(n: u64, host: u8) -> Claim {
        Claim { n, principal: who(host) }
    }

    /// A flock of so many that is as it should be; the first one leads.
    pub(crate) fn flock(hosts: u8) -> Vec<Shot> {
        let members: BTreeMap<_, _> = (0..hosts).map(|h| (who(h), MemberState::Alive)).collect();
        let names: BTreeMap<_, _> = (0..hosts).map(|h| (who(h), format!("n{h}"))).collect();
        let shot = |host| Shot {
            host: usize::from(host),
            me: who(host),
            digest: Digest([1; 32]),
            leader: Some(claim(1, 0)),
            fence: None,
            members: members.clone(),
            records: BTreeMap::new(),
            names: names.clone(),
            claimed: names.clone(),
            papers: Papers::default(),
            services: BTreeMap::new(),
        };
        (0..hosts).map(shot).collect()
    }

    pub(crate) fn endpoint(port: u16) -> Endpoint {
        format!("10.9.0.1:{port}").parse().expect("an address and a port")
    }

    pub(crate) fn service(name: &str) -> ServiceKey {
        ServiceKey {
            horde: crux_crdt::name::Label::main_horde(),
            service: name.parse().expect("a name"),
            rev: "v1".parse().expect("a name"),
            ordinal: 0,
        }
    }
}
