//! Peers that stall do not keep this node from others.

use crate::fixture::{answer_acts, merge_all};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crux_crdt::fact::Kind;
use crux_crdt::hash::sha3;
use crux_crdt::strew::{Bounds, Strew};
use crux_crdt::{Digest, Principal};
use crux_protocol::link::ReplyId;
use crux_protocol::sync::{Aside, Config, Merged, Output, Piece, Request, Response, Roots, State};
use crux_protocol::time::Instant;
use rand::rngs::StdRng;

use crate::fixture::{admission, at, context, principal, record, rng, same_roots, strew};

const LIARS: std::ops::Range<u8> = 2..18;
/// What the network gives up after.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Just before that.
const LATE: Duration = Duration::from_secs(9);
pub(crate) const PROMPT: Duration = Duration::from_millis(5);
/// For how long a peer may hold a place that others wait for.
pub(crate) const QUANTUM: Duration = Duration::from_secs(2);

/// An honest peer, and sixteen liars that made their keys so that they come before its own.
fn ground() -> (Principal, Vec<Principal>) {
    let mut all: Vec<_> = (2..=100).map(principal).collect();
    all.sort_unstable();
    let honest = all.pop().unwrap();
    all.truncate(LIARS.len());
    (honest, all)
}

/// What a liar does when a session asks it something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// Nothing, until the network gives up.
    Silence,
    /// A step that leads nowhere, just in time.
    Circles,
    /// One thing that is new and true, just in time, and always more to come.
    OneItem,
    /// Everything at once and truly, until it ended one session well. Then nothing.
    WellOnce,
}

/// What a peer answers, if it does.
type Answer = (Principal, Option<Vec<u8>>);

/// One node, an honest peer, and sixteen keys of a liar.
struct World {
    honest: Principal,
    liars: Vec<Principal>,
    /// How fast the honest peer is.
    pace: Duration,
    /// Whether the liars have the same roots as this node.
    quiet: bool,
    state: State,
    mine: Strew,
    theirs: Strew,
    lie: Lie,
    well: BTreeSet<Principal>,
    now: Instant,
    /// What comes in: an answer, or that there is none.
    due: BTreeMap<(Instant, u64), Answer>,
    number: u64,
    rng: StdRng,
}

impl World {
    fn new(lie: Lie) -> Self {
        let mine = strew(1, 3);
        let (honest, liars) = ground();
        let mut world = Self {
            honest,
            liars,
            pace: PROMPT,
            quiet: false,
            state: State::new(Config::default(), context(1), &[7; 32], at(0)),
            theirs: mine.clone(),
            mine,
            lie,
            well: BTreeSet::new(),
            now: at(0),
            due: BTreeMap::new(),
            number: 0,
            rng: rng(),
        };
        for peer in world.liars.clone().into_iter().chain([honest]) {
            let out = world.state.on_connected(peer, &world.mine, &Aside::default());
            world.act(out);
        }
        world
    }

    fn act(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send { peer, request } if peer == self.honest => {
                    let body = answer(&request, &self.theirs);
                    self.later(peer, self.pace, Some(body));
                }
                Output::Send { peer, request } => self.lie_about(peer, &request),
                Output::Merge { peer, facts } => {
                    merge_all(&mut self.mine, &facts);
                    self.resume(peer);
                }
                Output::Complete { peer } if peer != self.honest => {
                    self.well.insert(peer);
                }
                _ => {}
            }
        }
    }

    fn resume(&mut self, peer: Principal) {
        let merged = Merged { brought: true, ..Merged::default() };
        let out = self.state.resume(peer, merged, self.now, &self.mine);
        self.act(out);
    }

    fn later(&mut self, peer: Principal, after: Duration, body: Option<Vec<u8>>) {
        self.number += 1;
        self.due.insert((self.now + after, self.number), (peer, body));
    }

    fn lie_about(&mut self, peer: Principal, request: &Request) {
        self.number += 1;
        let lie = sha3("lie", &[&self.number.to_be_bytes()]);
        let honest_yet = self.lie == Lie::WellOnce && !self.well.contains(&peer);
        let circle = Piece::Range(Bounds::ALL, lie);
        match request {
            Request::Roots { .. } if self.quiet => {
                self.later(peer, PROMPT, Some(answer(request, &self.mine)));
            }
            Request::Roots { .. } => {
                let roots = same_roots(lie);
                let body = Response::encode_roots(&roots, &Aside::default());
                self.later(peer, PROMPT, Some(body));
            }
            _ if honest_yet => self.later(peer, PROMPT, Some(answer(request, &self.mine))),
            Request::Ranges { .. } if self.lie == Lie::Circles => {
                self.later(peer, LATE, Some(Response::encode_pieces(&[circle])));
            }
            Request::Ranges { .. } if self.lie == Lie::OneItem => {
                let pieces = [Piece::Items(vec![(lie, lie)]), circle];
                self.later(peer, LATE, Some(Response::encode_pieces(&pieces)));
            }
            Request::Facts { kind: Kind::ACT, .. } if self.lie == Lie::OneItem => {
                self.later(peer, LATE, Some(answer_acts([].iter())));
            }
            _ => self.later(peer, TIMEOUT, None),
        }
    }

    /// Lets the next thing happen.
    fn step(&mut self) {
        let next = self.due.first_key_value().map_or(Instant::NEVER, |((at, _), _)| *at);
        let wake = self.state.deadline();
        if wake < next {
            self.now = self.now.max(wake);
            let (mine, aside) = (&self.mine, Aside::default());
            let out = self.state.on_wake(self.now, mine, &aside, &mut self.rng);
            return self.act(out);
        }
        let Some(((at, _), (peer, body))) = self.due.pop_first() else { return };
        self.now = at;
        let out = match body {
            Some(body) => self.state.on_response(peer, &body, self.now, &self.mine),
            None => self.state.on_failed(peer, self.now, &self.mine),
        };
        self.act(out);
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.due.first_key_value().is_some_and(|((at, _), _)| *at <= end)
            || self.state.deadline() <= end
        {
            self.step();
        }
        self.now = end;
    }

    /// A peer says at once that it has other roots.
    fn press(&mut self, peer: Principal, roots: Roots) {
        let aside = Aside::default();
        let body = Request::Roots { roots, aside: aside.clone(), urgent: true }.encode();
        let out = self.state.on_request(peer, ReplyId(1), &body, self.now, &self.mine, &aside);
        self.act(out);
    }

    /// The honest peer has something new. How long it takes until this node has it.
    fn change(&mut self, seq: u64) -> Duration {
        self.theirs.merge_record(record(2, seq));
        self.fetch()
    }

    fn fetch(&mut self) -> Duration {
        let since = self.now;
        self.press(self.honest, Roots::of(&self.theirs));
        while self.mine.digest() != self.theirs.digest() {
            assert!(self.now.since(since) < Duration::from_secs(600), "{:?}", self.lie);
            self.step();
        }
        self.now.since(since)
    }
}

fn answer(request: &Request, strew: &Strew) -> Vec<u8> {
    let mut other = State::new(Config::default(), context(2), &[7; 32], at(0));
    let body = request.encode();
    let (peer, aside) = (principal(1), Aside::default());
    let outputs = other.on_request(peer, ReplyId(1), &body, at(0), strew, &aside);
    let reply = outputs.into_iter().find_map(|output| match output {
        Output::Reply { body, .. } => Some(body),
        _ => None,
    });
    reply.unwrap()
}

#[test]
fn sixteen_keys_that_stall_delay_an_honest_peer_by_eleven_seconds_in_all() {
    for lie in [Lie::Silence, Lie::Circles, Lie::OneItem, Lie::WellOnce] {
        let mut world = World::new(lie);
        world.run(Duration::from_millis(100));
        let mut delays = Vec::new();
        for seq in 1..60 {
            delays.push(world.change(seq));
            world.run(Duration::from_secs(7));
        }
        let all: Duration = delays.iter().sum();
        assert!(all <= Duration::from_secs(11) + PROMPT * 60 * 5, "{lie:?}: {delays:?}");
        // They go on, and each of them had its time.
        let worst = delays[20..].iter().max();
        assert!(worst <= Some(&Duration::from_millis(100)), "{lie:?}: {delays:?}");
    }
}

/// The liars rest until all they used is forgiven, end one session well, and stall all at once.
#[test]
fn keys_that_are_made_to_come_first_delay_a_peer_that_is_quick_by_one_quantum() {
    let mut world = World::new(Lie::WellOnce);
    world.run(Duration::from_millis(100));
    let mut delays = Vec::new();
    for seq in 1..6 {
        world.quiet = true;
        world.run(Duration::from_secs(1_200));
        world.quiet = false;
        world.well.clear();
        let lie = same_roots(Digest([9; 32]));
        for _ in 0..2 {
            for peer in world.liars.clone() {
                world.press(peer, lie.clone());
            }
            world.run(Duration::from_millis(100));
        }
        delays.push(world.change(seq));
    }
    // Once each of them was not known to stall.
    assert!(delays[1..].iter().all(|delay| *delay <= QUANTUM + PROMPT * 10), "{delays:?}");
}

#[test]
fn a_slow_peer_with_much_to_tell_is_not_begun_anew_for_ever() {
    for lie in [Lie::Silence, Lie::Circles, Lie::OneItem] {
        let mut world = World::new(lie);
        world.pace = Duration::from_millis(1_100);
        world.run(Duration::from_secs(30));
        for number in 4..=120 {
            world.theirs.merge_act(admission(1, number));
            world.theirs.merge_record(record(number, 1));
        }
        let took = world.fetch();
        assert!(took <= Duration::from_secs(180), "{lie:?}: {took:?}");
    }
}

#[test]
fn a_place_is_kept_for_peers_whose_last_session_ended_well() {
    const HONEST: u8 = 200;
    let mine = strew(1, 3);
    let mut state = State::new(Config::default(), context(1), &[7; 32], at(0));
    let asked = |out: Vec<Output>| {
        let sent = |output: &Output| {
            matches!(output, Output::Send { request: Request::Ranges { .. }, .. })
        };
        out.iter().filter(|output| sent(output)).count()
    };
    let lies = same_roots(Digest([9; 32]));
    let other = Response::encode_roots(&lies, &Aside::default());
    for peer in [HONEST].into_iter().chain(LIARS) {
        state.on_connected(principal(peer), &mine, &Aside::default());
    }
    // One session ends well: the peer has nothing that is lacking here.
    state.on_response(principal(HONEST), &other, at(1), &mine);
    let nothing = Response::encode_pieces(&[]);
    state.on_response(principal(HONEST), &nothing, at(2), &mine);
    state.on_response(principal(HONEST), &nothing, at(3), &mine);
    assert!(!state.is_busy());
    let stalled: usize =
        LIARS.map(|peer| asked(state.on_response(principal(peer), &other, at(4), &mine))).sum();
    assert_eq!(stalled, 3, "of four places");
    // It finds its place free, though its use is greater than that of all who wait.
    let urgent = Request::Roots { roots: lies, aside: Aside::default(), urgent: true }.encode();
    let peer = principal(HONEST);
    let out = state.on_request(peer, ReplyId(1), &urgent, at(5), &mine, &Aside::default());
    assert_eq!(asked(out), 1);
}

#[test]
fn a_slow_peer_loses_its_place_and_goes_on_where_it_was() {
    let (mine, theirs) = (strew(1, 2), strew(2, 4));
    let mut state = State::new(Config::default(), context(1), &[7; 32], at(0));
    let other = Response::encode_roots(&Roots::of(&theirs), &Aside::default());
    for peer in 2..=5 {
        state.on_connected(principal(peer), &mine, &Aside::default());
        state.on_response(principal(peer), &other, at(0), &mine);
    }
    // Three places are taken, and the fourth peer waits: none of them ended a session well yet.
    let ranges = Request::Ranges {
        kind: Kind::ACT,
        ranges: vec![(Bounds::ALL, mine.acts_index().fingerprint().digest())],
    };
    let due = state.deadline();
    assert_eq!(due, at(2_000));
    let out = state.on_wake(due, &mine, &Aside::default(), &mut rng());
    let begun = |output: &Output| match output {
        Output::Send { peer, request } if *request == ranges => Some(*peer),
        _ => None,
    };
    let to: Vec<_> = out.iter().filter_map(begun).collect();
    assert_eq!(to.len(), 1, "one of three gave up its place");
    // Each of the three answers late. Two of them still hold their places; the third waits for one.
    let pieces = answer(&ranges, &theirs);
    let (mut hold, mut lost) = (Vec::new(), Vec::new());
    for peer in (2..=5).map(principal).filter(|peer| !to.contains(peer)) {
        let out = state.on_response(peer, &pieces, at(2_100), &mine);
        if fetches(&out).is_empty() { lost.push(peer) } else { hold.push(peer) }
    }
    assert_eq!((hold.len(), lost.len()), (2, 1));
    // One of them is gone: the third fetches what it found, and does not begin again.
    let out = state.on_failed(hold[0], at(2_200), &mine);
    assert_eq!(fetches(&out), lost);
}

/// What a peer used is remembered of so many; those that are gone are forgotten first.
#[test]
fn a_peer_that_is_linked_is_remembered_however_many_come_and_go() {
    let mine = strew(1, 3);
    let mut state = State::new(Config::default(), context(1), &[7; 32], at(0));
    let lies = same_roots(Digest([9; 32]));
    let other = Response::encode_roots(&lies, &Aside::default());
    let nothing = Response::encode_pieces(&[]);
    let ends_well = |state: &mut State, peer: Principal, now: u64, pace: u64| {
        state.on_connected(peer, &mine, &Aside::default());
        state.on_response(peer, &other, at(now), &mine);
        state.on_response(peer, &nothing, at(now + pace), &mine);
        state.on_response(peer, &nothing, at(now + 2 * pace), &mine);
        assert!(!state.is_busy());
    };
    let key = |n: u16| {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&n.to_be_bytes());
        Principal(key)
    };
    // It is not the quickest, but what it used is forgiven soon.
    ends_well(&mut state, key(0), 0, 50);
    for n in 1..=5_000 {
        ends_well(&mut state, key(n), 1_000 + u64::from(n) * 10, 1);
        state.on_disconnected(key(n), at(1_003 + u64::from(n) * 10), &mine);
    }
    // The kept place shows that it is: the others are taken.
    let asks = |out: Vec<Output>| {
        let ranges = |output: &Output| {
            matches!(output, Output::Send { request: Request::Ranges { .. }, .. })
        };
        out.iter().any(ranges)
    };
    for peer in LIARS.map(principal) {
        state.on_connected(peer, &mine, &Aside::default());
        state.on_response(peer, &other, at(60_000), &mine);
    }
    let urgent = Request::Roots { roots: lies, aside: Aside::default(), urgent: true }.encode();
    let mut comes = |peer: Principal| {
        let aside = Aside::default();
        asks(state.on_request(peer, ReplyId(1), &urgent, at(60_001), &mine, &aside))
    };
    assert!(comes(key(0)));
}

/// The peers of which acts are fetched.
fn fetches(outputs: &[Output]) -> Vec<Principal> {
    let fetch = |output: &Output| match output {
        Output::Send { peer, request: Request::Facts { kind: Kind::ACT, .. } } => Some(*peer),
        _ => None,
    };
    outputs.iter().filter_map(fetch).collect()
}

/// Peers that name so much that it takes all the room there is for sessions without a place.
#[test]
fn sessions_without_a_place_remember_so_much_and_the_largest_goes() {
    let mine = strew(1, 3);
    let mut state = State::new(Config::default(), context(1), &[7; 32], at(0));
    let lies = same_roots(Digest([9; 32]));
    let other = Response::encode_roots(&lies, &Aside::default());
    let peers: Vec<_> = (2..12).map(principal).collect();
    let mut asked = BTreeSet::new();
    let mut note = |out: Vec<Output>| {
        for output in out {
            if let Output::Send { peer, request: Request::Ranges { .. } } = output {
                asked.insert(peer);
            }
        }
    };
    for peer in &peers {
        state.on_connected(*peer, &mine, &Aside::default());
        note(state.on_response(*peer, &other, at(0), &mine));
    }
    // All have a place in turn, and none of them answers within its quantum.
    let mut now = at(0);
    for _ in 0..4 {
        now = now + QUANTUM;
        note(state.on_wake(now, &mine, &Aside::default(), &mut rng()));
    }
    assert_eq!(asked.len(), 10);
    let holders = 3;
    let mut kept = BTreeSet::new();
    for (number, peer) in (0u8..).zip(&peers) {
        // All that one may name, but the last ones name one thing less each.
        let most = 131_072 - usize::from(number);
        let body = Response::encode_pieces(&named(number, most));
        let out = state.on_response(*peer, &body, now, &mine);
        assert!(fetches(&out).len() <= 1);
        if fetches(&out).is_empty() {
            kept.insert(*peer);
        }
    }
    assert_eq!(kept.len(), peers.len() - holders, "those without a place wait");
    // The places come free, one after the other, and those that were kept go on where they were.
    let (mut went_on, mut failed) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..3 {
        let holders = |peer: &&Principal| !kept.contains(*peer) || went_on.contains(*peer);
        for peer in peers.iter().copied().filter(|peer| holders(&peer)).collect::<Vec<_>>() {
            if failed.insert(peer) {
                went_on.extend(fetches(&state.on_failed(peer, now, &mine)));
            }
        }
    }
    assert_eq!(went_on.len(), 4, "four times what one may remember");
    let largest: BTreeSet<_> = peers.iter().filter(|peer| kept.contains(*peer)).take(3).collect();
    assert!(largest.iter().all(|peer| !went_on.contains(*peer)), "the largest went");
}

/// So many acts that nobody has.
fn named(by: u8, most: usize) -> Vec<Piece> {
    let digest = |n: usize| {
        let mut id = [by; 32];
        id[..8].copy_from_slice(&(n as u64).to_be_bytes());
        Digest(id)
    };
    let items: Vec<_> = (0..most).map(|n| (digest(n), digest(n))).collect();
    items.chunks(600).map(|chunk| Piece::Items(chunk.to_vec())).collect()
}
