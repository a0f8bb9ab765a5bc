//! So many peers that always have something new that not all of them have a place.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::fact::Kind;
use crux_crdt::hash::sha3;
use crux_crdt::strew::Strew;
use crux_crdt::{Digest, Principal};
use crux_protocol::link::ReplyId;
use crux_protocol::sync::{Aside, Config, Output, Request, Response, Roots, State};
use crux_protocol::time::Instant;

use crate::fixture::{at, context, strew};
use crate::places::{PROMPT, QUANTUM};

/// A node, and peers that always have something new: as soon as a session with one ended it wants another.
struct Crowd {
    state: State,
    mine: Strew,
    now: Instant,
    /// The peers that will answer, by the time of the answer.
    due: BTreeMap<(Instant, u64), Principal>,
    /// How fast each answers.
    pace: BTreeMap<Principal, Duration>,
    /// When sessions began.
    begun: BTreeMap<Principal, Vec<Instant>>,
    number: u64,
}

impl Crowd {
    fn new() -> Self {
        Self {
            state: State::new(Config::default(), context(1), &[7; 32], at(0)),
            mine: strew(1, 3),
            now: at(0),
            due: BTreeMap::new(),
            pace: BTreeMap::new(),
            begun: BTreeMap::new(),
            number: 0,
        }
    }

    fn comes(&mut self, peer: Principal, pace: Duration) {
        self.pace.insert(peer, pace);
        self.state.on_connected(peer, &self.mine, &Aside::default());
        self.press(peer);
    }

    /// A session of two questions, of which the first one begins it.
    fn act(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send { peer, request: Request::Ranges { kind, .. } } => {
                    if kind == Kind::ACT {
                        self.begun.entry(peer).or_default().push(self.now);
                    }
                    self.number += 1;
                    self.due.insert((self.now + self.pace[&peer], self.number), peer);
                }
                Output::Complete { peer } => self.press(peer),
                _ => {}
            }
        }
    }

    fn press(&mut self, peer: Principal) {
        let unlike = [Kind::ACT, Kind::RECORD].map(|kind| (kind, Digest([9; 32])));
        let (roots, aside) = (Roots::new(unlike), Aside::default());
        let body = Request::Roots { roots, aside: aside.clone(), urgent: true }.encode();
        let out = self.state.on_request(peer, ReplyId(1), &body, self.now, &self.mine, &aside);
        self.act(out);
    }

    fn run(&mut self, time: Duration) {
        let (end, nothing) = (self.now + time, Response::encode_pieces(&[]));
        while let Some(next) = self.due.first_entry().filter(|next| next.key().0 <= end) {
            let ((at, _), peer) = next.remove_entry();
            self.now = at;
            let out = self.state.on_response(peer, &nothing, self.now, &self.mine);
            self.act(out);
        }
        self.now = end;
    }

    fn begun(&self, peer: &Principal) -> usize {
        self.begun.get(peer).map_or(0, Vec::len)
    }
}

/// They are so many that what each of them uses is forgiven before its next turn.
#[test]
fn five_hundred_quick_peers_do_not_keep_a_new_or_slow_one_waiting_for_good() {
    let mut crowd = Crowd::new();
    let key = |n: u16| Principal(sha3("key", &[&n.to_be_bytes()]).0);
    (0..500).for_each(|n| crowd.comes(key(n), Duration::from_millis(50)));
    crowd.run(Duration::from_secs(60));
    assert!((0..500).all(|n| crowd.begun(&key(n)) > 0));
    let slow: Vec<_> = (1_000..1_005).map(key).collect();
    for peer in &slow {
        crowd.comes(*peer, Duration::from_millis(300));
    }
    let since = crowd.now;
    crowd.run(QUANTUM + Duration::from_secs(8));
    assert!(slow.iter().all(|peer| crowd.begun(peer) == 1), "those that are new: {:?}", since);
    crowd.run(Duration::from_secs(100));
    assert!(slow.iter().all(|peer| crowd.begun(peer) >= 2), "and slow by now");
    // One of them at a time, so that the quick ones wait little longer for it.
    let mut begun: Vec<_> = slow.iter().flat_map(|peer| &crowd.begun[peer]).copied().collect();
    begun.sort_unstable();
    let apart = |pair: &[Instant]| pair[1].since(pair[0]) >= Duration::from_millis(600);
    assert!(begun.windows(2).all(apart), "{begun:?}");
}

/// Each costs memory here and an answer there.
#[test]
fn so_many_sessions_run_at_once_and_no_more() {
    let mut crowd = Crowd::new();
    let key = |n: u16| Principal(sha3("key", &[&n.to_be_bytes()]).0);
    (0..20).for_each(|n| crowd.comes(key(n), PROMPT));
    let most = Config::default().sessions_max;
    assert_eq!(crowd.due.len(), most - 1, "a place is kept for who ended a session well");
    for _ in 0..400 {
        crowd.run(PROMPT);
        assert!(crowd.due.len() <= most, "{} run", crowd.due.len());
    }
    assert!((0..20).all(|n| crowd.begun(&key(n)) > 1), "all of them ended well");
    assert_eq!(crowd.due.len(), most);
}
