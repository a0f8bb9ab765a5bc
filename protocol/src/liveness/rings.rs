use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::hash::sha3;
use crux_crdt::{Digest, Principal};

/// How many observers a member has. From Rapid (ATC'18), which uses ten; the design takes eight.
pub(super) const RINGS: usize = 8;

/// The hash rings over which members observe each other.
#[derive(Debug, Default)]
pub(super) struct Rings {
    rings: [BTreeMap<Digest, Principal>; RINGS],
    places: BTreeMap<Principal, [Digest; RINGS]>,
}

impl Rings {
    /// Puts exactly these members on the rings.
    pub(super) fn set(&mut self, flock: &Digest, members: &BTreeSet<Principal>) {
        let gone: Vec<_> =
            self.places.keys().filter(|known| !members.contains(known)).copied().collect();
        for principal in gone {
            let places = self.places.remove(&principal).unwrap_or_default();
            for (ring, place) in self.rings.iter_mut().zip(places) {
                ring.remove(&place);
            }
        }
        for principal in members {
            if !self.places.contains_key(principal) {
                let places = std::array::from_fn(|ring| place(ring, flock, principal));
                for (ring, place) in self.rings.iter_mut().zip(places) {
                    ring.insert(place, *principal);
                }
                self.places.insert(*principal, places);
            }
        }
    }

    /// Those whom a member can observe at all: on each ring the eight before it for which `present`
    /// holds. Who is farther before it has another observer there, or eight others already.
    pub(super) fn before(
        &self,
        observer: &Principal,
        present: impl Fn(&Principal) -> bool,
    ) -> BTreeSet<Principal> {
        let Some(places) = self.places.get(observer) else { return BTreeSet::new() };
        let rings = self.rings.iter().zip(places);
        rings
            .flat_map(|(ring, place)| {
                let after = (std::ops::Bound::Excluded(*place), std::ops::Bound::Unbounded);
                let back = ring.range(..*place).rev().chain(ring.range(after).rev());
                back.map(|(_, principal)| *principal).filter(&present).take(RINGS)
            })
            .collect()
    }

    /// Who observes a member: on each ring the next one for which `present` holds and that is not
    /// chosen yet.
    pub(super) fn observers(
        &self,
        subject: &Principal,
        present: impl Fn(&Principal) -> bool,
    ) -> BTreeSet<Principal> {
        let mut chosen = BTreeSet::new();
        let Some(places) = self.places.get(subject) else { return chosen };
        for (ring, place) in self.rings.iter().zip(places) {
            let after = ring.range((std::ops::Bound::Excluded(*place), std::ops::Bound::Unbounded));
            let around = ring.range(..*place);
            let next = after
                .chain(around)
                .map(|(_, principal)| *principal)
                .find(|other| present(other) && !chosen.contains(other));
            chosen.extend(next);
        }
        chosen
    }
}

fn place(ring: usize, flock: &Digest, principal: &Principal) -> Digest {
    let ring = u8::try_from(ring).expect("there are few rings");
    sha3("crux/ring/1", &[&[ring], &flock.0, &principal.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(count: u8) -> BTreeSet<Principal> {
        (0..count).map(|n| Principal([n; 32])).collect()
    }

    fn rings(members: &BTreeSet<Principal>) -> Rings {
        let mut rings = Rings::default();
        rings.set(&Digest([7; 32]), members);
        rings
    }

    #[test]
    fn up_to_nine_members_everyone_observes_everyone() {
        let all = members(9);
        let rings = rings(&all);
        for subject in &all {
            let observers = rings.observers(subject, |_| true);
            assert_eq!(observers.len(), 8);
            assert!(!observers.contains(subject));
        }
    }

    #[test]
    fn large_flocks_have_eight_observers_each_and_skip_the_absent() {
        let all = members(100);
        let rings = rings(&all);
        let subject = Principal([42; 32]);
        let before = rings.observers(&subject, |_| true);
        assert_eq!(before.len(), RINGS);
        let absent = *before.first().expect("eight observers");
        let after = rings.observers(&subject, |other| *other != absent);
        assert_eq!(after.len(), RINGS);
        assert!(!after.contains(&absent));
        assert!(before.intersection(&after).count() >= RINGS - 2, "rings hardly move");
    }

    #[test]
    fn whoever_a_member_observes_is_close_before_it() {
        let all = members(60);
        let rings = rings(&all);
        let present = |other: &Principal| !other.0[0].is_multiple_of(3);
        for me in all.iter().filter(|member| present(member)) {
            let living = all.iter().filter(|member| present(member) && *member != me);
            let observed: BTreeSet<_> =
                living.filter(|it| rings.observers(it, present).contains(me)).copied().collect();
            assert!(!observed.is_empty());
            assert!(observed.is_subset(&rings.before(me, present)));
        }
    }

    #[test]
    fn members_that_leave_are_taken_off() {
        let mut all = members(20);
        let mut rings = rings(&all);
        all.remove(&Principal([3; 32]));
        rings.set(&Digest([7; 32]), &all);
        let all_observers: BTreeSet<_> =
            all.iter().flat_map(|subject| rings.observers(subject, |_| true)).collect();
        assert!(!all_observers.contains(&Principal([3; 32])));
        assert!(rings.observers(&Principal([3; 32]), |_| true).is_empty());
    }
}
