use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::act::{Act, NUMBER_LIMIT, Statement};
use crate::pack::pack;
use crate::sign::Signed;
use crate::{Digest, Principal};

/// How senior a member is: the smallest (generation, act id) among its standing admissions. Smaller
/// is more senior.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seniority {
    /// The generation of the admission.
    pub generation: u64,
    /// The admission's id.
    pub admission: Digest,
}

impl Seniority {
    /// That of a node nobody admitted yet. No admission is less senior, so that the first one makes
    /// its own view of itself the one all others have.
    const ALONE: Self = Self { generation: u64::MAX, admission: Digest([0xff; 32]) };
}

/// How a member went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DepartureKind {
    /// Others retired it.
    Retired,
    /// It left.
    Left,
}

/// Up to which incarnation a member is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Departure {
    /// The greatest incarnation that ended.
    pub incarnation: u64,
    /// How; leaving wins where both name that incarnation.
    pub kind: DepartureKind,
}

/// The members, as a function of the acts and of the observing node.
///
/// Members are the principals reachable from oneself over admissions. A join admits both ways, so
/// this is the same set for all of them. It only grows; departures only accumulate.
///
/// The operator is never one: an admission of it counts for nothing. Its key decides for the flock and is kept off all
/// nodes, so whatever says that it is a node is a mistake or a theft; and what the operator signs means the same on
/// every replica, which an author that is a member on some would not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    members: BTreeMap<Principal, Seniority>,
    departures: BTreeMap<Principal, Departure>,
    operator: Option<Principal>,
    // Acts of authors that are not members: they count from the moment they are.
    dormant: BTreeMap<Principal, BTreeSet<Arc<Signed<Act>>>>,
    generation_max: u64,
}

impl Membership {
    /// The view of a node that knows no acts: it alone is a member.
    pub fn new(me: Principal) -> Self {
        Self {
            members: BTreeMap::from([(me, Seniority::ALONE)]),
            departures: BTreeMap::new(),
            operator: None,
            dormant: BTreeMap::new(),
            generation_max: 0,
        }
    }

    /// Names the operator. Before the first act.
    pub(super) const fn set_operator(&mut self, operator: Option<Principal>) {
        self.operator = operator;
    }

    /// Takes as little memory as it can.
    pub(super) fn pack(&mut self) {
        pack(&mut self.members);
        pack(&mut self.departures);
    }

    /// Takes in an act that was not taken in before. Returns whose standing changed.
    pub(super) fn apply(&mut self, act: &Arc<Signed<Act>>) -> BTreeSet<Principal> {
        let mut changed = BTreeSet::new();
        let mut work = vec![Arc::clone(act)];
        while let Some(act) = work.pop() {
            if !self.contains(&act.author()) {
                self.dormant.entry(act.author()).or_default().insert(act);
                continue;
            }
            if let Some(woken) = self.count(&act, &mut changed) {
                work.extend(self.dormant.remove(&woken).unwrap_or_default());
            }
        }
        changed
    }

    /// Counts one act of a member. Returns the principal that became a member by it.
    fn count(&mut self, act: &Signed<Act>, changed: &mut BTreeSet<Principal>) -> Option<Principal> {
        match act.value().statement {
            Statement::Later(_) => None,
            Statement::Admit { subject, .. } if self.operator == Some(subject) => None,
            Statement::Admit { subject, generation, .. } => {
                self.generation_max = self.generation_max.max(generation);
                let seniority = Seniority { generation, admission: act.id() };
                let before = self.members.get(&subject).copied();
                if before.is_none_or(|before| seniority < before) {
                    self.members.insert(subject, seniority);
                    changed.insert(subject);
                }
                before.is_none().then_some(subject)
            }
            Statement::Leave { incarnation } => {
                let departure = Departure { incarnation, kind: DepartureKind::Left };
                self.depart(act.author(), departure, changed);
                None
            }
            Statement::Retire { subject, incarnation } => {
                let departure = Departure { incarnation, kind: DepartureKind::Retired };
                self.depart(subject, departure, changed);
                None
            }
        }
    }

    fn depart(
        &mut self,
        subject: Principal,
        departure: Departure,
        changed: &mut BTreeSet<Principal>,
    ) {
        let known = self.departures.entry(subject).or_insert(departure);
        *known = departure.max(*known);
        changed.insert(subject);
    }

    /// Whether this principal was ever admitted.
    pub fn contains(&self, principal: &Principal) -> bool {
        self.members.contains_key(principal)
    }

    /// How senior a member is.
    pub fn seniority(&self, principal: &Principal) -> Option<Seniority> {
        self.members.get(principal).copied()
    }

    /// How this principal departed at that incarnation, if it did.
    pub fn departed(&self, principal: &Principal, incarnation: u64) -> Option<DepartureKind> {
        let departure = self.departures.get(principal)?;
        if crate::planted!(DepartureForgotten) {
            return None;
        }
        (incarnation <= departure.incarnation).then_some(departure.kind)
    }

    /// The greatest incarnation of this principal that ended; it comes back above that.
    pub fn departure(&self, principal: &Principal) -> Option<Departure> {
        self.departures.get(principal).copied()
    }

    /// Everyone ever admitted, in order.
    pub fn members(&self) -> impl Iterator<Item = Principal> + '_ {
        self.members.keys().copied()
    }

    /// The generation that the next admission carries.
    pub const fn next_generation(&self) -> u64 {
        // The limit is so far away that a member that reached it lies; then all are equally senior.
        if self.generation_max + 1 < NUMBER_LIMIT {
            self.generation_max + 1
        } else {
            self.generation_max
        }
    }
}
