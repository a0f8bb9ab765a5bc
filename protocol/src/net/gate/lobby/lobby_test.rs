use std::net::IpAddr;

use super::*;

/// The lobby of a node, and a clock.
struct World {
    lobby: Lobby,
    familiar: Familiar,
    limits: Limits,
    now: Instant,
    next: usize,
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

impl World {
    /// Six places, two of them for members, who are at 10.0.0.1; of one address two.
    fn new() -> Self {
        Self {
            lobby: Lobby::default(),
            familiar: Familiar::new([ip("10.0.0.1")]),
            limits: Limits {
                pending_max: 6,
                pending_kept: 2,
                pending_per_address_max: 2,
                pending_per_network_max: 3,
                ..Limits::default()
            },
            now: Instant::now(),
            next: 0,
        }
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    /// A connection comes, a while after the last one.
    fn come(&mut self, from: &str) -> Arc<Handshake> {
        self.wait(1);
        self.next += 1;
        let (id, from) = (ConnectionId::new_unchecked(self.next), Group::of(ip(from)));
        let handshake = Arc::new(Handshake::new(self.now));
        let (familiar, limits, now) = (&self.familiar, &self.limits, self.now);
        let entered = self.lobby.enter(id, from, handshake.clone(), familiar, limits, now);
        entered.expect("there is room to make");
        assert!(self.lobby.pending.len() <= self.limits.pending_max);
        handshake
    }
}

/// Which of them were closed.
fn closed<'a>(all: impl IntoIterator<Item = &'a Arc<Handshake>>) -> Vec<usize> {
    let all = all.into_iter().enumerate();
    all.filter(|(_, handshake)| handshake.progress().yields).map(|(n, _)| n).collect()
}

#[test]
fn one_too_many_closes_the_oldest() {
    let mut world = World::new();
    let mut all: Vec<_> = (0..6).map(|_| world.come("10.0.0.1")).collect();
    assert!(closed(&all).is_empty());
    for n in 0..3 {
        all.push(world.come("10.0.0.1"));
        assert_eq!(closed(&all), (0..=n).collect::<Vec<_>>());
    }
    assert_eq!(world.lobby.pending.len(), 6);
}

#[test]
fn a_place_is_free_when_its_connection_is_made_or_closed() {
    let mut world = World::new();
    let mut all: Vec<_> = (0..6).map(|_| world.come("10.0.0.1")).collect();
    world.lobby.leave(ConnectionId::new_unchecked(3));
    all.push(world.come("10.0.0.1"));
    assert!(closed(&all).is_empty());
}

#[test]
fn the_silent_go_first_when_they_had_their_time() {
    let mut world = World::new();
    let all: Vec<_> = (0..6).map(|_| world.come("10.0.0.1")).collect();
    for n in [0, 1, 3] {
        all[n].hear(world.now);
    }
    world.wait(99);
    all[0].step(world.now);
    // Nobody is silent for long enough but the third.
    world.now = all[2].progress().advanced + QUIET;
    let more: Vec<_> = (0..3).map(|_| world.come("10.0.0.1")).collect();
    assert_eq!(closed(&all), [2, 4, 5]);
    // Then the one that advanced longest ago.
    more.iter().for_each(|handshake| handshake.hear(world.now));
    world.come("10.0.0.1");
    assert_eq!(closed(&all), [1, 2, 4, 5]);
}

#[test]
fn those_who_begin_and_stop_do_not_outrank_a_handshake_that_goes_on() {
    let mut world = World::new();
    let stuck: Vec<_> = (0..5).map(|_| world.come("10.0.0.1")).collect();
    for _ in 0..4 {
        stuck.iter().for_each(|handshake| handshake.step(world.now));
    }
    let honest = world.come("10.0.0.1");
    for round in 0..4 {
        // As many come as there are places beside this one, and all of them begin at once.
        for _ in 0..5 {
            let other = world.come("10.0.0.1");
            other.hear(world.now);
            other.step(world.now);
        }
        assert!(!honest.progress().yields, "round {round}");
        world.wait(1);
        honest.hear(world.now);
        honest.step(world.now);
    }
}

#[test]
fn an_address_has_its_share_and_loses_its_own() {
    let mut world = World::new();
    let other = world.come("192.0.2.7");
    let mut flood: Vec<_> = (0..2).map(|_| world.come("192.0.2.1")).collect();
    assert!(closed(&flood).is_empty());
    flood.extend((0..4).map(|_| world.come("192.0.2.1")));
    assert_eq!(closed(&flood), [0, 1, 2, 3]);
    assert!(closed([&other]).is_empty());
    let network: Vec<_> =
        ["2001:db8::1", "2001:db8::2", "2001:db8::3"].map(|from| world.come(from)).into();
    assert_eq!(closed(&network), [0]);
}

/// A site has 65,536 networks of 64 bits.
#[test]
fn a_site_has_its_share_and_loses_its_own() {
    let mut world = World::new();
    let other = world.come("192.0.2.7");
    let mut site: Vec<_> = (1..=3).map(|n| world.come(&format!("2001:db8:9:{n}::1"))).collect();
    assert!(closed(&site).is_empty());
    site.extend((4..=9).map(|n| world.come(&format!("2001:db8:9:{n}::1"))));
    assert_eq!(closed(&site), [0, 1, 2, 3, 4, 5]);
    assert!(closed([&other]).is_empty(), "the oldest of all");
}

#[test]
fn members_are_not_counted_with_their_site() {
    let mut world = World::new();
    world.familiar = Familiar::new([ip("2001:db8:9:1::1")]);
    let members: Vec<_> = (0..3).map(|_| world.come("2001:db8:9:1::2")).collect();
    let strangers: Vec<_> = (2..=4).map(|n| world.come(&format!("2001:db8:9:{n}::1"))).collect();
    assert_eq!((closed(&members), closed(&strangers)), (vec![], vec![]));
}

#[test]
fn strangers_leave_places_for_members() {
    let mut world = World::new();
    let strangers: Vec<_> = (1..=9).map(|n| world.come(&format!("192.0.2.{n}"))).collect();
    assert_eq!(closed(&strangers), [0, 1, 2, 3, 4]);
    let members: Vec<_> = (0..2).map(|_| world.come("10.0.0.1")).collect();
    assert_eq!(closed(&strangers).len(), 5);
    assert!(closed(&members).is_empty());
}

#[test]
fn the_address_that_has_most_loses_most() {
    let mut world = World::new();
    let alone = world.come("192.0.2.1");
    let many: Vec<_> = (0..6).map(|n| world.come(&format!("192.0.2.{}", 2 + n / 2))).collect();
    assert!(closed([&alone]).is_empty(), "the oldest, and the only one of its address");
    assert_eq!(closed(&many), [0, 2, 4]);
    world.come("192.0.2.9");
    assert_eq!(closed([&alone]), [0], "all have one");
}

#[test]
fn a_node_without_descriptors_closes_one() {
    let mut world = World::new();
    assert_eq!(world.lobby.relieve(world.now), None);
    let all = [world.come("10.0.0.1"), world.come("10.0.0.1")];
    assert_eq!(world.lobby.relieve(world.now), Some(Group::of(ip("10.0.0.1"))));
    assert_eq!(closed(&all), [0]);
}
