use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::evictions::Evictions;
use crate::act::{Act, After, NUMBER_LIMIT, Statement};
use crate::pack::pack;
use crate::sign::Signed;
use crate::{Digest, Principal};

/// How senior a member is: the smallest (generation, act id) among the admissions of it that count. Smaller
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
/// Members are the principals reached from oneself over admissions that count, less the evicted. The walk passes
/// *through* evicted ones: where all were admitted by one node, they stay connected when it is evicted. A join
/// admits both ways, so this is the same set for all of them. Without evictions every admission counts, and the set
/// only grows. An eviction never ends, and may end the membership of others than its subject: of those that were
/// admitted meanwhile with the secret that its subject knew. See [`Membership::suspended`].
///
/// Admissions are taken in one by one; an eviction has everything computed from the acts again.
///
/// In the view of an evicted node it is alone.
///
/// The operator is never a member: an admission of it counts for nothing, and nor does its eviction. Its key decides
/// for the flock and is kept off all nodes, so whatever says that it is a node is a mistake or a theft; and what the
/// operator signs means the same on every replica, which an author that is a member on some would not.
#[derive(Debug, Clone)]
pub struct Membership {
    me: Principal,
    operator: Option<Principal>,
    members: BTreeMap<Principal, Seniority>,
    // The evicted ones that are reached.
    passed: BTreeSet<Principal>,
    // Those that are reached over admissions of which some do not count, and not otherwise.
    loose: BTreeSet<Principal>,
    departures: BTreeMap<Principal, Departure>,
    evictions: Evictions,
    // Acts of authors that are not reached: they count from the moment they are.
    dormant: BTreeMap<Principal, BTreeSet<Arc<Signed<Act>>>>,
    generation_max: u64,
}

impl Membership {
    /// The view of a node that knows no acts: it alone is a member.
    pub fn new(me: Principal) -> Self {
        Self {
            me,
            operator: None,
            members: BTreeMap::from([(me, Seniority::ALONE)]),
            passed: BTreeSet::new(),
            loose: BTreeSet::new(),
            departures: BTreeMap::new(),
            evictions: Evictions::default(),
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

    /// Takes in an act that was not taken in before; `others` are those that were. Returns the principals whose
    /// standing changed.
    pub(super) fn apply<'a>(
        &mut self,
        act: &Arc<Signed<Act>>,
        others: impl Iterator<Item = &'a Arc<Signed<Act>>>,
    ) -> BTreeSet<Principal> {
        match self.evicts(act) {
            Some(subject) => {
                self.evictions.insert(act);
                let mut changed = self.compute_again(others);
                changed.insert(subject);
                changed
            }
            None => self.take_in(act),
        }
    }

    /// The principal that an act evicts, if it does.
    pub(super) fn evicts(&self, act: &Signed<Act>) -> Option<Principal> {
        match act.value().statement {
            Statement::Evict { subject, .. } => {
                let is_operators = self.operator == Some(act.author());
                (is_operators && self.operator != Some(subject)).then_some(subject)
            }
            _ => None,
        }
    }

    /// Computes everything but the evictions from all acts. Returns the principals whose standing changed.
    fn compute_again<'a>(
        &mut self,
        acts: impl Iterator<Item = &'a Arc<Signed<Act>>>,
    ) -> BTreeSet<Principal> {
        let evictions = core::mem::take(&mut self.evictions);
        let new = Self { operator: self.operator, evictions, ..Self::new(self.me) };
        let before = core::mem::replace(self, new);
        let mut acts: Vec<_> = acts.filter(|act| before.evicts(act).is_none()).collect();
        acts.sort_unstable_by_key(|act| act.author());
        self.walk(&acts);
        self.differs_from(&before)
    }

    /// Takes in all acts, which are in the order of their authors: those of a principal once it is reached.
    fn walk(&mut self, acts: &[&Arc<Signed<Act>>]) {
        let mut changed = BTreeSet::new();
        let mut work = vec![self.me];
        while let Some(author) = work.pop() {
            let start = acts.partition_point(|act| act.author() < author);
            for act in acts[start..].iter().take_while(|act| act.author() == author) {
                let woken = self.count(act, &mut changed);
                work.extend(woken.filter(|it| self.is_walked_through(it)));
            }
        }
        for of_author in acts.chunk_by(|one, next| one.author() == next.author()) {
            let author = of_author[0].author();
            if !self.is_walked_through(&author) {
                let waiting = of_author.iter().map(|act| Arc::clone(act)).collect();
                self.dormant.insert(author, waiting);
            }
        }
        // Nothing was waiting yet when these were found.
        for suspended in core::mem::take(&mut self.loose) {
            self.follow(suspended, &mut changed);
        }
    }

    /// The principals whose standing is another one.
    fn differs_from(&self, other: &Self) -> BTreeSet<Principal> {
        let mut all = BTreeSet::new();
        all.extend(differing(&self.members, &other.members));
        all.extend(differing(&self.departures, &other.departures));
        all.extend(self.passed.symmetric_difference(&other.passed));
        all.extend(self.loose.symmetric_difference(&other.loose));
        all
    }

    fn take_in(&mut self, act: &Arc<Signed<Act>>) -> BTreeSet<Principal> {
        let mut changed = BTreeSet::new();
        let mut work = vec![Arc::clone(act)];
        while let Some(act) = work.pop() {
            let author = act.author();
            if !self.is_walked_through(&author) {
                if let Statement::Admit { subject, .. } = act.value().statement
                    && self.loose.contains(&author)
                {
                    self.follow(subject, &mut changed);
                }
                self.dormant.entry(author).or_default().insert(act);
                continue;
            }
            if let Some(woken) = self.count(&act, &mut changed) {
                work.extend(self.dormant.remove(&woken).unwrap_or_default());
            }
        }
        changed
    }

    fn is_walked_through(&self, principal: &Principal) -> bool {
        self.members.contains_key(principal)
            || (self.passed.contains(principal) && !crate::planted!(NoWayThroughEvicted))
    }

    /// Counts one act of a principal that is reached. Returns the principal that is reached by it and was not.
    fn count(&mut self, act: &Signed<Act>, changed: &mut BTreeSet<Principal>) -> Option<Principal> {
        match &act.value().statement {
            Statement::Later(_) | Statement::Evict { .. } => None,
            Statement::Admit { subject, .. } if self.operator == Some(*subject) => None,
            // In its own view an evicted node is alone.
            Statement::Admit { .. } if self.is_evicted(&self.me) => None,
            Statement::Admit { subject, generation, after } => {
                if self.evictions.stands(&act.author(), subject, after) {
                    let seniority = Seniority { generation: *generation, admission: act.id() };
                    self.reach(*subject, seniority, changed).then_some(*subject)
                } else {
                    self.follow(*subject, changed);
                    None
                }
            }
            // An evicted author is passed through, and states nothing.
            Statement::Leave { .. } | Statement::Retire { .. } if !self.contains(&act.author()) => {
                None
            }
            Statement::Leave { incarnation } => {
                let incarnation = *incarnation;
                let departure = Departure { incarnation, kind: DepartureKind::Left };
                self.depart(act.author(), departure, changed);
                None
            }
            Statement::Retire { subject, incarnation } => {
                let incarnation = *incarnation;
                let departure = Departure { incarnation, kind: DepartureKind::Retired };
                self.depart(*subject, departure, changed);
                None
            }
        }
    }

    /// Somebody is reached over an admission that counts. Whether it was not before.
    fn reach(
        &mut self,
        subject: Principal,
        seniority: Seniority,
        changed: &mut BTreeSet<Principal>,
    ) -> bool {
        self.generation_max = self.generation_max.max(seniority.generation);
        if self.loose.remove(&subject) {
            changed.insert(subject);
        }
        if self.evictions.contains(&subject) {
            let is_new = self.passed.insert(subject);
            changed.extend(is_new.then_some(subject));
            return is_new;
        }
        let before = self.members.get(&subject).copied();
        if before.is_none_or(|before| seniority < before) {
            self.members.insert(subject, seniority);
            changed.insert(subject);
        }
        before.is_none()
    }

    /// Somebody was admitted, and the admission does not count: it is shown as suspended unless it is reached
    /// otherwise, and so is everybody that it admitted.
    fn follow(&mut self, subject: Principal, changed: &mut BTreeSet<Principal>) {
        let mut work = vec![subject];
        while let Some(subject) = work.pop() {
            let is_known = self.contains(&subject) || self.passed.contains(&subject);
            if is_known || self.operator == Some(subject) || !self.loose.insert(subject) {
                continue;
            }
            changed.insert(subject);
            let acts = self.dormant.get(&subject).into_iter().flatten();
            work.extend(acts.filter_map(|act| match act.value().statement {
                Statement::Admit { subject, .. } => Some(subject),
                _ => None,
            }));
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

    /// Whether this principal is a member: admitted, and not evicted. It may have departed.
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

    /// The greatest incarnation of this principal that ended; it comes back above that. If the member that retired it
    /// is evicted, it did not end.
    pub fn departure(&self, principal: &Principal) -> Option<Departure> {
        self.departures.get(principal).copied()
    }

    /// The members, departed ones included, in order.
    pub fn members(&self) -> impl Iterator<Item = Principal> + '_ {
        self.members.keys().copied()
    }

    /// The members and the evicted ones that are passed on the way to them, in order: the principals that an eviction
    /// by this node lists.
    pub fn reached(&self) -> impl Iterator<Item = Principal> {
        let mut all: Vec<_> = self.members().collect();
        if !crate::planted!(ListsMembers) {
            all.extend(&self.passed);
            all.sort_unstable();
        }
        all.into_iter()
    }

    /// The evicted, in order, whether or not they were ever members, each with what the operator said first.
    pub fn evicted(&self) -> impl Iterator<Item = (Principal, &Arc<Signed<Act>>)> {
        let mut before = None;
        self.evictions
            .statements()
            .filter(move |(subject, _)| before.replace(*subject) != Some(*subject))
    }

    /// Whether this principal is evicted.
    pub fn is_evicted(&self, principal: &Principal) -> bool {
        self.evictions.contains(principal)
    }

    /// The principals that would be members if every admission counted, in order: admitted without the operator's
    /// node knowing of it, with a secret that an evicted one knew, or by one that was. None of them is evicted.
    ///
    /// It depends on acts that are not shared, and so may differ between replicas. In the view of a suspended node it
    /// is alone, and the others are suspended.
    pub fn suspended(&self) -> impl Iterator<Item = Principal> {
        self.loose.iter().copied().filter(|it| !self.is_evicted(it))
    }

    /// Whether this principal is suspended.
    pub fn is_suspended(&self, principal: &Principal) -> bool {
        self.loose.contains(principal) && !self.is_evicted(principal)
    }

    /// Whether an act is an admission that counts wherever its author is reached: it stands for every evicted
    /// principal.
    pub fn admission_stands(&self, act: &Signed<Act>) -> bool {
        match &act.value().statement {
            Statement::Admit { subject, after, .. } => {
                self.operator != Some(*subject)
                    && self.evictions.stands(&act.author(), subject, after)
            }
            _ => false,
        }
    }

    /// The list that an admission has to name under a secret that excludes everybody who is evicted. `None`: there
    /// are more than [`AFTER_MAX`](crate::act::AFTER_MAX) of them.
    pub fn after(&self) -> Option<After> {
        After::of(self.evictions.evicted())
    }

    /// Whether an evicted principal is passed on the way to members.
    pub(super) fn passes(&self, principal: &Principal) -> bool {
        self.passed.contains(principal)
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

/// Two views are compared without the node that each belongs to.
impl PartialEq for Membership {
    fn eq(&self, other: &Self) -> bool {
        let facts = |it: &Self| (it.operator, it.generation_max);
        facts(self) == facts(other)
            && self.members == other.members
            && self.passed == other.passed
            && self.loose == other.loose
            && self.departures == other.departures
            && self.evictions == other.evictions
            && self.dormant == other.dormant
    }
}

impl Eq for Membership {}

/// The keys under which two maps differ.
fn differing<'a, V: PartialEq>(
    one: &'a BTreeMap<Principal, V>,
    two: &'a BTreeMap<Principal, V>,
) -> impl Iterator<Item = Principal> + 'a {
    let not_in = |map: &'a BTreeMap<Principal, V>| {
        move |(key, value): &(&Principal, &V)| map.get(key) != Some(value)
    };
    let changed = one.iter().filter(not_in(two)).map(|(key, _)| *key);
    changed.chain(two.iter().filter(not_in(one)).map(|(key, _)| *key))
}
