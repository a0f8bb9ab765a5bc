use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::hash::sha3;
use crux_crdt::pack::pack;
use crux_crdt::{Digest, Principal};

/// How many observers a member has. From Rapid (ATC'18), which uses ten; the design takes eight.
pub(super) const RINGS: usize = 8;

/// A place on a ring: the beginning of a hash, which is enough to spread the members. Members with
/// the same place are ordered by their keys.
type Place = u32;

/// The hash rings over which members observe each other.
///
/// **Invariant**: each ring holds exactly the members that are present, by place and then by key.
/// Every other known member has a seat, too, because the absent are observed as well.
///
/// Rings name members by their seats: with thousands of members, this is what most of a node's
/// memory would go to otherwise.
#[derive(Debug)]
pub(super) struct Rings {
    flock: Digest,
    seats: Vec<Seat>,
    seat_of: BTreeMap<Principal, u32>,
    /// Seats that nobody has.
    free: Vec<u32>,
    rings: [Vec<(Place, u32)>; RINGS],
}

/// A member, and where it is on each ring.
#[derive(Debug)]
struct Seat {
    member: Principal,
    places: [Place; RINGS],
}

impl Rings {
    /// Rings without members.
    pub(super) fn new(flock: Digest) -> Self {
        Self {
            flock,
            seats: Vec::new(),
            seat_of: BTreeMap::new(),
            free: Vec::new(),
            rings: Default::default(),
        }
    }

    /// Gives a member its places. It is not present yet.
    pub(super) fn know(&mut self, member: Principal) {
        if self.seat_of.contains_key(&member) {
            return;
        }
        let seat = Seat { member, places: places(&self.flock, &member) };
        let number = if let Some(number) = self.free.pop() {
            self.seats[number as usize] = seat;
            number
        } else {
            self.seats.push(seat);
            u32::try_from(self.seats.len() - 1).expect("a flock has fewer members")
        };
        self.seat_of.insert(member, number);
    }

    /// Takes as little memory as it can, for those it knows now.
    pub(super) fn pack(&mut self) {
        pack(&mut self.seat_of);
        self.seats.shrink_to_fit();
        let most = self.seats.len();
        self.rings.iter_mut().for_each(|ring| ring.reserve_exact(most - ring.len()));
    }

    /// Takes a member off, and its places away.
    pub(super) fn forget(&mut self, member: &Principal) {
        self.set_present(*member, false);
        self.free.extend(self.seat_of.remove(member));
    }

    /// Puts a member that has places on the rings, or takes it off.
    pub(super) fn set_present(&mut self, member: Principal, present: bool) {
        let Some(number) = self.seat_of.get(&member) else { return };
        let seats = &self.seats;
        for (ring, place) in self.rings.iter_mut().zip(seats[*number as usize].places) {
            let order = |it: &(Place, u32)| (it.0, seats[it.1 as usize].member);
            match ring.binary_search_by_key(&(place, member), order) {
                Err(at) if present => ring.insert(at, (place, *number)),
                Ok(at) if !present => _ = ring.remove(at),
                _ => {}
            }
        }
    }

    fn member(&self, at: &(Place, u32)) -> Principal {
        self.seats[at.1 as usize].member
    }

    /// Each ring, with the place of a member on it; none: it has no places.
    fn around(&self, member: &Principal) -> impl Iterator<Item = (&[(Place, u32)], Place)> {
        let seat = self.seat_of.get(member).map(|number| &self.seats[*number as usize]);
        let rings = |seat: &Seat| self.rings.iter().map(Vec::as_slice).zip(seat.places);
        seat.into_iter().flat_map(rings)
    }

    /// The members that a member can observe at all, the absent excepted: on each ring the eight before
    /// it. A member farther before it has another observer there, or eight others already.
    pub(super) fn before(&self, observer: &Principal) -> BTreeSet<Principal> {
        self.around(observer)
            .flat_map(|(ring, place)| {
                let (before, after) = ring.split_at(ring.partition_point(|it| it.0 < place));
                let back = before.iter().rev().chain(after.iter().rev());
                back.map(|at| self.member(at)).filter(|member| member != observer).take(RINGS)
            })
            .collect()
    }

    /// The observers of a member: on each ring the next one that is not chosen yet.
    pub(super) fn observers(&self, subject: &Principal) -> Vec<Principal> {
        let mut chosen = Vec::with_capacity(RINGS);
        for (ring, place) in self.around(subject) {
            let (before, after) = ring.split_at(ring.partition_point(|it| it.0 <= place));
            let mut around = after.iter().chain(before).map(|at| self.member(at));
            let next = around.find(|other| other != subject && !chosen.contains(other));
            chosen.extend(next);
        }
        chosen
    }
}

/// The parts of one hash, a ring each: they say as little of each other as hashes of their own.
fn places(flock: &Digest, member: &Principal) -> [Place; RINGS] {
    let hash = sha3("crux/rings/2", &[&flock.0, &member.0]).0;
    let (parts, _) = hash.as_chunks();
    std::array::from_fn(|ring| Place::from_be_bytes(parts[ring]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(count: u8) -> BTreeSet<Principal> {
        (0..count).map(|n| Principal([n; 32])).collect()
    }

    fn rings(members: &BTreeSet<Principal>) -> Rings {
        let mut rings = Rings::new(Digest([7; 32]));
        for member in members {
            rings.know(*member);
            rings.set_present(*member, true);
        }
        rings
    }

    #[test]
    fn up_to_nine_members_everyone_observes_everyone() {
        let all = members(9);
        let rings = rings(&all);
        for subject in &all {
            let observers = rings.observers(subject);
            assert_eq!(observers.len(), 8);
            assert!(!observers.contains(subject));
        }
    }

    #[test]
    fn large_flocks_have_eight_observers_each_and_skip_the_absent() {
        let all = members(100);
        let mut rings = rings(&all);
        let subject = Principal([42; 32]);
        let before = rings.observers(&subject);
        assert_eq!(before.len(), RINGS);
        let absent = before[0];
        rings.set_present(absent, false);
        let after = rings.observers(&subject);
        assert_eq!(after.len(), RINGS);
        assert!(!after.contains(&absent));
        let same = before.iter().filter(|it| after.contains(it)).count();
        assert!(same >= RINGS - 2, "rings hardly move");
        assert_eq!(rings.observers(&absent).len(), RINGS, "the absent are observed, too");
        rings.set_present(absent, true);
        assert_eq!(rings.observers(&subject), before);
    }

    #[test]
    fn whoever_a_member_observes_is_close_before_it() {
        let mut all = members(60);
        let mut rings = rings(&all);
        for absent in all.extract_if(.., |member| member.0[0].is_multiple_of(3)) {
            rings.set_present(absent, false);
        }
        for me in &all {
            let others = all.iter().filter(|member| *member != me);
            let observed: BTreeSet<_> =
                others.filter(|it| rings.observers(it).contains(me)).copied().collect();
            assert!(!observed.is_empty());
            assert!(observed.is_subset(&rings.before(me)));
        }
    }

    #[test]
    fn members_that_leave_are_taken_off() {
        let all = members(20);
        let mut rings = rings(&all);
        let gone = Principal([3; 32]);
        rings.forget(&gone);
        assert!(all.iter().all(|subject| !rings.observers(subject).contains(&gone)));
        assert!(rings.observers(&gone).is_empty());
        let before = rings.observers(&Principal([4; 32]));
        rings.know(Principal([99; 32]));
        assert_eq!(
            rings.observers(&Principal([99; 32])).len(),
            RINGS,
            "with the seat that was free"
        );
        assert_eq!(rings.observers(&Principal([4; 32])), before, "which is on no ring yet");
    }
}
