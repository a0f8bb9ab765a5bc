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

#[test]
fn without_a_place_strangers_are_refused() {
    let limits = Limits { strangers_max: 0, ..Limits::default() };
    let link = Link::new(peer(1), at(1), false, true);
    assert_eq!(Table::default().insert(id(1), link, &limits), Err(Refusal::Strangers));
}
