use crux_crdt::Principal;

use super::super::super::identity::peer_of;
use super::*;

fn id(n: usize) -> ConnectionId {
    ConnectionId::new_unchecked(n)
}

fn peer(n: u8) -> PeerId {
    peer_of(&Principal([n; 32]))
}

fn at(n: u8) -> Group {
    Group::of([192, 0, 2, n].into())
}

fn limits() -> Limits {
    Limits { strangers_max: 2, ..Limits::default() }
}

/// The peer that has to go for a stranger, by the number of the connection.
fn of_stranger(made: Result<Room, Refusal>) -> Option<ConnectionId> {
    let room = made.expect("not refused");
    assert_eq!(room.of_same, None);
    room.of_stranger.map(|(id, _)| id)
}

#[test]
fn only_open_connections_count() {
    let mut table = Table::default();
    let mut insert = |n, open| {
        let made = table.insert(id(n), Link::new(peer(1), at(1), open, false), &limits());
        assert_eq!(made, Ok(Room::default()));
    };
    insert(1, false);
    insert(2, true);
    insert(3, true);
    assert_eq!(table.open_beside(&peer(1), id(1)), 2);
    assert_eq!(table.open_beside(&peer(1), id(2)), 1);
    assert_eq!(table.open_link(&peer(1)), Some(id(3)));
    table.close(id(3));
    assert_eq!(table.open_link(&peer(1)), Some(id(2)));
    assert_eq!(table.remove(id(2)), Some(true));
    assert_eq!(table.open_link(&peer(1)), Some(id(3)));
    assert_eq!(table.remove(id(3)), Some(true));
    assert_eq!(table.open_link(&peer(1)), None);
    assert_eq!(table.remove(id(1)), Some(false));
    assert_eq!(table.remove(id(1)), None);
    assert!(table.peers().is_empty());
}

#[test]
fn one_too_many_of_a_peer_closes_the_oldest() {
    let mut table = Table::default();
    let mut insert = |n| {
        let made = table.insert(id(n), Link::new(peer(1), at(1), true, true), &limits());
        made.expect("not refused").of_same
    };
    assert_eq!([1, 2, 3].map(&mut insert), [None; 3]);
    assert_eq!(insert(4), Some(id(1)));
    assert_eq!(insert(5), Some(id(2)), "the first is on its way already");
}

/// A table, and who comes from where.
fn come(table: &mut Table, n: u8, from: u8) -> Option<ConnectionId> {
    of_stranger(table.insert(id(n.into()), Link::new(peer(n), at(from), false, true), &limits()))
}

#[test]
fn a_stranger_that_comes_closes_the_oldest_that_proved_nothing() {
    let mut table = Table::default();
    assert_eq!([1, 2].map(|n| come(&mut table, n, n)), [None; 2]);
    assert_eq!(come(&mut table, 3, 3), Some(id(1)));
    assert_eq!(come(&mut table, 4, 4), Some(id(2)), "the first is on its way already");
    let dialled = Link::new(peer(5), at(5), false, false);
    assert_eq!(of_stranger(table.insert(id(5), dialled, &limits())), None, "this side dialled");
    let member = Link::new(peer(6), at(6), true, true);
    assert_eq!(of_stranger(table.insert(id(6), member, &limits())), None);
    table.keep(&peer(3), &limits());
    assert_eq!(come(&mut table, 7, 7), None, "one proved it");
    assert_eq!(come(&mut table, 8, 8), Some(id(4)));
    assert_eq!(come(&mut table, 9, 9), Some(id(7)));
}

#[test]
fn the_address_that_has_most_loses_one() {
    let mut table = Table::default();
    let limits = Limits { strangers_max: 3, ..Limits::default() };
    let mut come = |n: u8, from| {
        let link = Link::new(peer(n), at(from), false, true);
        of_stranger(table.insert(id(n.into()), link, &limits))
    };
    assert_eq!([come(1, 1), come(2, 2), come(3, 2)], [None; 3]);
    assert_eq!(come(4, 2), Some(id(2)));
    assert_eq!(come(5, 3), Some(id(3)));
    assert_eq!(come(6, 3), Some(id(5)), "the one that comes counts");
    assert_eq!(come(7, 4), Some(id(1)), "all have one");
}

#[test]
fn those_who_proved_it_are_bounded_too() {
    let mut table = Table::default();
    for n in 1..=5 {
        come(&mut table, n, n);
        table.keep(&peer(n), &limits());
    }
    let kept = table.links.values().filter(|link| link.kept).count();
    assert_eq!(kept, limits().strangers_max);
    assert_eq!(come(&mut table, 6, 6), Some(id(4)), "it found no place among them");
}

/// A site has 65,536 networks of 64 bits, each with an address for every stranger.
#[test]
fn strangers_of_one_site_close_their_own_only() {
    let mut table = Table::default();
    let limits = Limits { strangers_max: 6, strangers_per_network_max: 3, ..Limits::default() };
    let mut come = |n: u8, from: String| {
        let from = Group::of(from.parse().expect("an address"));
        of_stranger(table.insert(id(n.into()), Link::new(peer(n), from, false, true), &limits))
    };
    assert_eq!(come(1, "192.0.2.1".to_owned()), None);
    assert_eq!(come(2, "2001:db8:7::1".to_owned()), None);
    let site = |n| format!("2001:db8:9:{n}::1");
    assert_eq!([3, 4, 5].map(|n| come(n, site(n))), [None; 3], "as many as may be");
    assert_eq!([6, 7, 8].map(|n| come(n, site(n))), [3, 4, 5].map(|n| Some(id(n))));
    assert_eq!(come(9, "192.0.2.2".to_owned()), None, "the places of others are free");
}

/// Members by number, of which there may be more than a byte counts.
fn member(n: u16, from: u8, inbound: bool) -> Link {
    let mut key = [7; 32];
    key[..2].copy_from_slice(&n.to_be_bytes());
    Link::new(peer_of(&Principal(key)), at(from), true, inbound)
}

fn of_member(made: Result<Room, Refusal>) -> Option<ConnectionId> {
    let room = made.expect("not refused");
    assert_eq!((room.of_stranger, room.of_same), (None, None));
    room.of_member
}

#[test]
fn members_have_so_many_connections_and_the_one_that_is_missed_least_goes() {
    let mut table = Table::default();
    let limits = Limits { members_max: 5, ..Limits::default() };
    let mut come = |n, link| of_member(table.insert(id(n), link, &limits));
    let first =
        [(1, 1, 1, false), (2, 2, 2, true), (3, 3, 3, true), (4, 4, 3, true), (5, 3, 4, true)];
    for (n, who, from, inbound) in first {
        assert_eq!(come(n, member(who, from, inbound)), None);
    }
    assert_eq!(come(6, member(6, 5, true)), Some(id(3)), "one of two of a member");
    assert_eq!(come(7, member(7, 5, true)), Some(id(6)), "of the address that has most");
    assert_eq!(come(8, member(8, 6, true)), Some(id(2)), "all have one: the oldest");
    assert_eq!(come(9, member(4, 3, true)), Some(id(4)), "its own");
    assert_eq!(come(10, member(10, 7, false)), Some(id(5)), "this node dialled the oldest");
    for n in [7, 8, 9] {
        assert!(come(n + 10, member(20, 9, false)).is_some());
    }
    assert_eq!(table.members().count(), 5);
}

/// A site has 65,536 networks of 64 bits: a member that takes another one for each key is one site all the same.
#[test]
fn members_of_one_site_close_their_own_connections_first() {
    let mut table = Table::default();
    let limits = Limits { members_max: 4, ..Limits::default() };
    let mut come = |n: u16, from: &str| {
        let from = Group::of(from.parse().expect("an address"));
        let link = Link { from, ..member(n, 0, true) };
        of_member(table.insert(id(n.into()), link, &limits))
    };
    assert_eq!(come(1, "192.0.2.1"), None);
    assert_eq!(come(2, "2001:db8:7::1"), None);
    assert_eq!([3, 4].map(|n| come(n, &format!("2001:db8:9:{n}::1"))), [None; 2]);
    assert_eq!(come(5, "2001:db8:9:5::1"), Some(id(3)));
    assert_eq!(come(6, "2001:db8:9:6::1"), Some(id(4)));
    assert_eq!(come(7, "192.0.2.2"), Some(id(5)));
}

#[test]
fn a_large_flock_that_is_called_at_once_is_linked_as_a_whole() {
    let (mut table, limits) = (Table::default(), Limits::default());
    let flock = 3_000;
    let all = (1..=flock).map(|n| (n, false)).chain((1..=flock).map(|n| (n, true)));
    for (number, (n, inbound)) in all.enumerate() {
        table.insert(id(number), member(n, 1, inbound), &limits).expect("not refused");
    }
    assert_eq!(table.members().count(), limits.members_max);
    let linked: BTreeSet<_> = table.members().map(|(_, link)| link.peer).collect();
    assert_eq!(linked.len(), usize::from(flock), "each has one");
}

#[test]
fn without_a_place_strangers_are_refused() {
    let limits = Limits { strangers_max: 0, ..Limits::default() };
    let link = Link::new(peer(1), at(1), false, true);
    assert_eq!(Table::default().insert(id(1), link, &limits), Err(Refusal::Strangers));
}
