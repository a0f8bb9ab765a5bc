use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

use crux_crdt::pack::pack;
use crux_crdt::{Digest, Principal};

use super::rings::Rings;
use super::subject::{Liveness, Subject};
use crate::time::Instant;

/// Every member that is watched, in what order the clock comes to them, and who observes whom.
///
/// A wake and the question for the next one would otherwise walk over all members, at every event.
///
/// **Invariant**: the indices say of each subject what [`Place::of`] says of it. They are brought in
/// line when a [`Change`] ends, and there is no other way to change a subject.
#[derive(Debug)]
pub(super) struct Subjects {
    all: BTreeMap<Principal, Subject>,
    index: Index,
}

#[derive(Debug)]
struct Index {
    /// Members that are not dead, by when they were last heard.
    heard: BTreeSet<(Instant, Principal)>,
    suspects: BTreeSet<Principal>,
    /// Of whom anybody said that it is silent or gone.
    accused: BTreeSet<Principal>,
    /// Those who are not dead, and this node, as they observe each other.
    rings: Rings,
    /// Whether one that is observed or suspect may have changed, of which the clock has more to say.
    closely: bool,
}

/// What the indices say of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    heard_at: Option<Instant>,
    suspect: bool,
    accused: bool,
    observed: bool,
}

impl Place {
    const NONE: Self = Self { heard_at: None, suspect: false, accused: false, observed: false };

    fn of(subject: &Subject) -> Self {
        Self {
            heard_at: (subject.liveness != Liveness::Dead).then_some(subject.heard_at),
            suspect: subject.liveness == Liveness::Suspect,
            accused: !subject.votes.is_empty(),
            observed: subject.observed,
        }
    }
}

impl Index {
    fn put(&mut self, member: Principal, before: Place, after: Place) {
        if before.heard_at != after.heard_at {
            before.heard_at.map(|at| self.heard.remove(&(at, member)));
            after.heard_at.map(|at| self.heard.insert((at, member)));
        }
        if before.heard_at.is_some() != after.heard_at.is_some() {
            self.rings.set_present(member, after.heard_at.is_some());
        }
        if before.suspect != after.suspect {
            set(&mut self.suspects, member, after.suspect);
        }
        self.closely |= [before, after].iter().any(|it| it.observed || it.suspect);
        if before.accused != after.accused {
            set(&mut self.accused, member, after.accused);
        }
    }
}

fn set(of: &mut BTreeSet<Principal>, member: Principal, is_in: bool) {
    if is_in {
        of.insert(member);
    } else {
        of.remove(&member);
    }
}

/// A subject that is being changed.
#[derive(Debug)]
pub(super) struct Change<'a> {
    member: Principal,
    before: Place,
    subject: &'a mut Subject,
    index: &'a mut Index,
}

impl Deref for Change<'_> {
    type Target = Subject;

    fn deref(&self) -> &Subject {
        self.subject
    }
}

impl DerefMut for Change<'_> {
    fn deref_mut(&mut self) -> &mut Subject {
        self.subject
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.index.put(self.member, self.before, Place::of(self.subject));
    }
}

impl Subjects {
    /// Nobody is watched yet by this node.
    pub(super) fn new(flock: Digest, me: Principal) -> Self {
        let mut rings = Rings::new(flock);
        rings.know(me);
        rings.set_present(me, true);
        let (heard, suspects, accused) = Default::default();
        let index = Index { heard, suspects, accused, rings, closely: true };
        Self { all: BTreeMap::new(), index }
    }

    pub(super) fn get(&self, member: &Principal) -> Option<&Subject> {
        self.all.get(member)
    }

    pub(super) fn get_mut(&mut self, member: &Principal) -> Option<Change<'_>> {
        let subject = self.all.get_mut(member)?;
        let before = Place::of(subject);
        Some(Change { member: *member, before, subject, index: &mut self.index })
    }

    /// Watches these, too. Where they are most of all, it takes as little memory as it can.
    pub(super) fn extend(&mut self, news: impl Iterator<Item = (Principal, Subject)>) {
        let before = self.all.len();
        news.for_each(|(member, subject)| self.insert(member, subject));
        if self.all.len() > before * 2 {
            pack(&mut self.all);
            self.index.rings.pack();
        }
    }

    fn insert(&mut self, member: Principal, subject: Subject) {
        self.index.rings.know(member);
        let after = Place::of(&subject);
        let before = self.all.insert(member, subject).map_or(Place::NONE, |old| Place::of(&old));
        self.index.put(member, before, after);
    }

    /// Forgets everyone but these.
    pub(super) fn retain(&mut self, members: &BTreeSet<Principal>) {
        for (member, subject) in self.all.extract_if(.., |member, _| !members.contains(member)) {
            self.index.put(member, Place::of(&subject), Place::NONE);
            self.index.rings.forget(&member);
        }
    }

    pub(super) fn contains(&self, member: &Principal) -> bool {
        self.all.contains_key(member)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Principal, &Subject)> {
        self.all.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Members that are not dead, each with when it was last heard, the longest silent first.
    pub(super) fn live(&self) -> &BTreeSet<(Instant, Principal)> {
        &self.index.heard
    }

    /// Whether anybody who is observed or suspect may have changed since this was asked last.
    pub(super) const fn changed_closely(&mut self) -> bool {
        std::mem::replace(&mut self.index.closely, false)
    }

    pub(super) fn suspects(&self) -> &BTreeSet<Principal> {
        &self.index.suspects
    }

    /// Which member observes which, among those that are not dead.
    pub(super) const fn rings(&self) -> &Rings {
        &self.index.rings
    }

    /// Of whom anybody said that it is silent or gone.
    pub(super) fn accused(&self) -> &BTreeSet<Principal> {
        &self.index.accused
    }
}
