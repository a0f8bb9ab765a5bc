//! The definitions, each computed as it is written down: sets, and loops until nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::act::{After, Known, Statement};
use crux_crdt::strew::{Departure, DepartureKind, Seniority, Strew};
use crux_crdt::{Digest, Principal};

use crate::world::{SignedAct, operator, shared};

/// What a replica is to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct View {
    members: BTreeMap<Principal, Seniority>,
    reached: BTreeSet<Principal>,
    evicted: BTreeSet<Principal>,
    suspended: BTreeSet<Principal>,
    departures: BTreeMap<Principal, Departure>,
    shared: BTreeSet<Digest>,
    standing: BTreeSet<Digest>,
    next_generation: u64,
}

impl View {
    /// Its part about a principal.
    pub(crate) fn of(&self, it: &Principal) -> impl PartialEq + use<> {
        let sets = [&self.reached, &self.evicted, &self.suspended];
        let departure = self.departures.get(it).copied();
        (self.members.get(it).copied(), sets.map(|set| set.contains(it)), departure)
    }
}

/// The evictions among acts, and the lists.
pub(crate) struct Lists<'a>(Vec<(Principal, &'a Known, &'a After)>);

impl<'a> Lists<'a> {
    pub(crate) fn of(acts: impl IntoIterator<Item = &'a SignedAct>) -> Self {
        let operators = acts.into_iter().filter(|act| act.author() == operator());
        let evictions = operators.filter_map(|act| match &act.value().statement {
            Statement::Evict { subject, known, after, .. } if *subject != operator() => {
                Some((*subject, known, after))
            }
            _ => None,
        });
        Self(evictions.collect())
    }

    pub(crate) fn evicted(&self) -> BTreeSet<Principal> {
        self.0.iter().map(|(subject, ..)| *subject).collect()
    }

    /// Whether a principal is in the list for an evicted one.
    pub(crate) fn list(&self, evicted: &Principal, principal: &Principal) -> bool {
        self.0.iter().any(|(subject, known, after)| {
            (subject == evicted || after.names(evicted)) && known.names(principal)
        })
    }

    /// Whether a principal is in the list for every evicted one.
    pub(crate) fn list_for_all(&self, principal: &Principal) -> bool {
        self.evicted().iter().all(|evicted| self.list(evicted, principal))
    }

    fn stands(&self, author: &Principal, subject: &Principal, after: &After) -> bool {
        let evicted = self.evicted();
        evicted.iter().all(|x| {
            (self.list(x, author) && self.list(x, subject))
                || (after.names(x) && !evicted.contains(author) && !evicted.contains(subject))
        })
    }
}

/// Everybody whom one reaches over these admissions.
fn reach(me: &Principal, admissions: &[(Principal, Principal)]) -> BTreeSet<Principal> {
    let mut reached = BTreeSet::from([*me]);
    loop {
        let before = reached.len();
        for (author, subject) in admissions {
            if reached.contains(author) {
                reached.insert(*subject);
            }
        }
        if reached.len() == before {
            return reached;
        }
    }
}

/// What a replica of this node with these acts is to say.
pub(crate) fn view<'a>(
    me: &Principal,
    acts: impl IntoIterator<Item = &'a SignedAct> + Clone,
) -> View {
    let lists = Lists::of(acts.clone());
    let evicted = lists.evicted();
    let (mut all, mut standing, mut counting) = (Vec::new(), BTreeSet::new(), Vec::new());
    for act in acts.clone() {
        let Statement::Admit { subject, generation, after } = &act.value().statement else {
            continue;
        };
        if *subject == operator() {
            continue;
        }
        all.push((act.author(), *subject));
        if lists.stands(&act.author(), subject, after) {
            standing.insert(act.id());
            let seniority = Seniority { generation: *generation, admission: act.id() };
            counting.push((act.author(), *subject, seniority));
        }
    }
    let edges: Vec<_> = counting.iter().map(|(author, subject, _)| (*author, *subject)).collect();
    let alone = BTreeSet::from([*me]);
    let (reached, loose) = if evicted.contains(me) {
        (alone.clone(), alone)
    } else {
        (reach(me, &edges), reach(me, &all))
    };
    let is_member = |it: &Principal| it == me || reached.contains(it) && !evicted.contains(it);
    let unknown = Seniority { generation: u64::MAX, admission: Digest([0xff; 32]) };
    let mut members: BTreeMap<_, _> =
        reached.iter().filter(|it| is_member(it)).map(|it| (*it, unknown)).collect();
    let mut generation = 0;
    for (author, subject, seniority) in &counting {
        if reached.contains(author) && !evicted.contains(me) {
            generation = generation.max(seniority.generation);
            if let Some(known) = members.get_mut(subject) {
                *known = (*known).min(*seniority);
            }
        }
    }
    let mut departures: BTreeMap<Principal, Departure> = BTreeMap::new();
    for act in acts.clone() {
        let (who, incarnation, kind) = match act.value().statement {
            Statement::Leave { incarnation } => (act.author(), incarnation, DepartureKind::Left),
            Statement::Retire { subject, incarnation } => {
                (subject, incarnation, DepartureKind::Retired)
            }
            _ => continue,
        };
        if is_member(&act.author()) {
            let departure = Departure { incarnation, kind };
            let known = departures.entry(who).or_insert(departure);
            *known = departure.max(*known);
        }
    }
    let is_shared = |act: &SignedAct| {
        let author = act.author();
        if author == operator() {
            return matches!(act.value().statement, Statement::Evict { .. } | Statement::Later(_));
        }
        let is_passed = reached.contains(&author) && evicted.contains(&author);
        is_member(&author) || is_passed && standing.contains(&act.id())
    };
    let shared = acts.into_iter().filter(|act| is_shared(act)).map(|act| act.id()).collect();
    let suspended = loose.difference(&reached).filter(|it| !evicted.contains(it));
    View {
        suspended: suspended.copied().collect(),
        members,
        reached,
        departures,
        shared,
        standing,
        next_generation: (generation + 1).min((1 << 48) - 1),
        evicted,
    }
}

/// What a replica says.
pub(crate) fn said(strew: &Strew) -> View {
    let membership = strew.membership();
    let seniority = |it: Principal| (it, membership.seniority(&it).unwrap());
    let named = strew.acts().flat_map(|act| match act.value().statement {
        Statement::Admit { subject, .. } | Statement::Retire { subject, .. } => {
            [act.author(), subject]
        }
        _ => [act.author(); 2],
    });
    let departure = |it: Principal| Some((it, membership.departure(&it)?));
    let standing = strew.acts().filter(|act| membership.admission_stands(act));
    View {
        members: membership.members().map(seniority).collect(),
        reached: membership.reached().collect(),
        evicted: membership.evicted().map(|(subject, _)| subject).collect(),
        suspended: membership.suspended().collect(),
        departures: named.filter_map(departure).collect(),
        shared: shared(strew),
        standing: standing.map(|act| act.id()).collect(),
        next_generation: membership.next_generation(),
    }
}

/// Compares a replica with the definitions.
pub(crate) fn is_followed(me: &Principal, strew: &Strew) -> bool {
    said(strew) == view(me, strew.acts().collect::<Vec<_>>())
}

/// The same, with both in the message.
pub(crate) fn check(me: &Principal, strew: &Strew) {
    assert_eq!(said(strew), view(me, strew.acts().collect::<Vec<_>>()));
}
