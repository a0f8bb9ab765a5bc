//! Random histories: five honest nodes, an adversary with the keys of a stolen node and three more, partitions, and
//! up to three evictions on whichever sides. The adversary signs anything, and its acts come to everybody who takes
//! them. Epochs, of which the successors of the join secret are made, are not acts yet: here they travel beside.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::act::{After, NUMBER_LIMIT, Statement};
use crux_crdt::canon::Canonical as _;
use crux_crdt::strew::Strew;
use crux_crdt::{Digest, Principal};

use crate::rule::{self, Lists};
use crate::world::*;

const HONEST: [&str; 5] = ["h0", "h1", "h2", "h3", "h4"];
const ADVERSARY: [&str; 4] = ["s", "k1", "k2", "k3"];
/// The one of the honest that joins late.
const LATE: usize = 4;

/// Numbers that look random and are the same in each run (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn percent(&mut self, of: usize) -> bool {
        self.below(100) < of
    }

    pub(crate) fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

/// A secret that some member made: it admits, and excludes these.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Epoch {
    number: u32,
    author: Principal,
    after: BTreeSet<Principal>,
}

struct Node {
    me: Principal,
    strew: Strew,
    epochs: BTreeSet<Epoch>,
}

impl Node {
    fn new(name: &str) -> Self {
        let me = key(name);
        Self { me, strew: replica(&me, []), epochs: BTreeSet::new() }
    }

    fn knows(&self, of: &Principal) -> bool {
        self.strew.membership().contains(of)
    }

    /// The epochs that it wraps for its members: of one that names an eviction of which it has not heard it waits for
    /// that. A file with a secret may have come before.
    fn wraps(&self) -> impl Iterator<Item = Epoch> {
        let evicted = evicted(&self.strew);
        self.epochs.iter().filter(move |it| it.after.is_subset(&evicted)).cloned()
    }

    /// The lists of the secrets with which it lets in, with the epoch that each is made of.
    fn open(&self) -> Vec<Option<Epoch>> {
        let evicted = evicted(&self.strew);
        let usable = |it: &&Epoch| it.after == evicted && self.knows(&it.author);
        let mut open: Vec<_> = self.epochs.iter().filter(usable).cloned().map(Some).collect();
        if evicted.is_empty() {
            open.push(None);
        }
        open
    }
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bad {
    /// A key of the adversary is a member of a node that knows all evictions.
    BackIn { of: usize, key: &'static str },
    /// One of two nodes that know all evictions takes the other for a member, and not the other way.
    OneSided(usize, usize),
    /// Two nodes that know all, and take each other for members, have other members.
    ViewsDiffer(usize, usize),
    /// An honest node that is on every list is not a member.
    ListedLost(usize),
    /// The operator listed a suspended node, and it is not back.
    ApprovedNotBack,
    /// A replica does not say what the definitions say.
    NotTheRule(usize),
}

/// What a history had, so that a test can say that there was something to see.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Had {
    pub(crate) evictions: usize,
    pub(crate) suspended: bool,
    pub(crate) approved: bool,
    pub(crate) admitted_unaware: bool,
}

struct Play {
    random: Random,
    nodes: Vec<Node>,
    side: [bool; HONEST.len()],
    pool: BTreeMap<Digest, SignedAct>,
    stolen: BTreeSet<Epoch>,
    evictions: Vec<SignedAct>,
    epochs: u32,
    had: Had,
}

fn adversary() -> Vec<Principal> {
    ADVERSARY.map(key).to_vec()
}

impl Play {
    fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            nodes: HONEST.map(Node::new).into(),
            side: [false; HONEST.len()],
            pool: BTreeMap::new(),
            stolen: BTreeSet::new(),
            evictions: Vec::new(),
            epochs: 0,
            had: Had::default(),
        }
    }

    fn keep(&mut self, act: SignedAct) {
        self.pool.insert(act.id(), act);
    }

    fn evicted(&self) -> BTreeSet<Principal> {
        Lists::of(&self.evictions).evicted()
    }

    /// All but one honest node and the stolen one join, in a chain, a star or a tree; all know all of it.
    fn begin(&mut self) {
        let mut order = ["h0", "h1", "h2", "s", "h3"];
        for at in (1..order.len()).rev() {
            order.swap(at, self.random.below(at + 1));
        }
        let star = self.random.percent(40);
        let mut acts = Vec::new();
        for at in 1..order.len() {
            let sponsor = order[if star { 0 } else { self.random.below(at) }];
            acts.extend(join(&key(sponsor), &key(order[at]), at as u64));
        }
        for node in &mut self.nodes[..LATE] {
            acts.iter().for_each(|act| _ = node.strew.merge_act(act.clone()));
        }
        acts.into_iter().for_each(|act| self.keep(act));
    }

    /// An honest node exchanges what it shares with another one.
    fn sync(&mut self, one: usize, other: usize) {
        for (from, to) in [(one, other), (other, one)] {
            let (a, b) = (&self.nodes[from], &self.nodes[to]);
            if !a.knows(&b.me) && !b.knows(&a.me) {
                continue;
            }
            let acts = shared_acts(&a.strew);
            let epochs = a.knows(&b.me).then(|| a.wraps().collect::<Vec<_>>());
            take(&mut self.nodes[to].strew, &acts);
            self.nodes[to].epochs.extend(epochs.into_iter().flatten());
        }
    }

    /// All acts and secrets of the adversary come to a node, which takes what anybody may bring. A node that takes a
    /// key of the adversary for a member tells it all it knows.
    fn intrude(&mut self, at: usize) {
        let pool: Vec<_> = self.pool.values().cloned().collect();
        let node = &mut self.nodes[at];
        take(&mut node.strew, &pool);
        if adversary().iter().any(|it| node.knows(it)) {
            node.epochs.extend(self.stolen.iter().cloned());
            self.stolen.extend(node.wraps());
            let told = shared_acts(&node.strew);
            told.into_iter().for_each(|act| self.keep(act));
        }
    }

    /// A newcomer, honest or not, is let in by a node with a secret that both have. The list of that secret.
    fn admits(
        &mut self,
        at: usize,
        newcomer: &Principal,
        has: &BTreeSet<Epoch>,
    ) -> Option<SignedAct> {
        let node = &mut self.nodes[at];
        let opens = |it: &&Option<Epoch>| it.as_ref().is_none_or(|epoch| has.contains(epoch));
        let secret = node.open().iter().find(opens)?.clone();
        if node.strew.membership().is_evicted(newcomer) {
            return None;
        }
        let after = secret.map(|epoch| epoch.after).unwrap_or_default();
        let act = admit(&node.me, newcomer, node.strew.membership().next_generation(), &after);
        node.strew.merge_act(act.clone());
        Some(act)
    }

    fn adversary_joins(&mut self) {
        let (newcomer, at) = (self.random.pick(&adversary()), self.random.below(HONEST.len()));
        let has = self.stolen.clone();
        let Some(act) = self.admits(at, &newcomer, &has) else { return };
        if self.evictions.iter().any(|act| self.nodes[at].strew.act(&act.id()).is_none()) {
            self.had.admitted_unaware = true;
        }
        self.keep(act.clone());
        if self.random.percent(60) {
            let Statement::Admit { after, .. } = &act.value().statement else { return };
            let statement = Statement::Admit {
                subject: self.nodes[at].me,
                generation: 1,
                after: after.clone(),
            };
            self.keep(say(&newcomer, 1, statement));
        }
    }

    /// The adversary signs what it likes.
    fn adversary_signs(&mut self) {
        let random = &mut self.random;
        let by = random.pick(&adversary());
        let anybody: Vec<_> = HONEST.iter().chain(&ADVERSARY).map(|it| key(it)).collect();
        let subject = random.pick(&anybody);
        let evicted = self.evictions.iter().filter_map(|act| match act.value().statement {
            Statement::Evict { subject, .. } => Some(subject),
            _ => None,
        });
        let after: BTreeSet<_> = match random.below(3) {
            0 => BTreeSet::new(),
            1 => evicted.collect(),
            _ => evicted.filter(|_| random.percent(50)).collect(),
        };
        let number = 1 + random.below(3) as u64;
        let statement = match random.below(20) {
            0 => Statement::Retire { subject, incarnation: number },
            1 => Statement::Leave { incarnation: number },
            2 => eviction(&subject, &anybody, &after),
            3 => Statement::from_canonical(&[9, 1]).unwrap(),
            _ => Statement::Admit {
                subject,
                generation: random.pick(&[0, 1, NUMBER_LIMIT - 1]),
                after: After::of(&after).unwrap(),
            },
        };
        let act = say(&by, number, statement);
        self.keep(act);
        if self.random.percent(30) {
            self.epochs += 1;
            let epoch = Epoch { number: self.epochs, author: by, after: self.evicted() };
            self.stolen.insert(epoch);
        }
    }

    fn evict(&mut self) {
        let at = self.random.below(LATE);
        let targets = ["s", "k1", "k2", "k3", "s", "s"].map(key);
        let first = self.evictions.is_empty();
        let subject = if first { targets[0] } else { self.random.pick(&targets) };
        let node = &mut self.nodes[at];
        if self.evictions.len() < 3 && node.strew.membership().reached().any(|it| it == subject) {
            let act = evict_at(&node.strew, self.evictions.len() as u64 + 1, &subject);
            node.strew.merge_act(act.clone());
            self.evictions.push(act);
        }
    }

    fn makes_epoch(&mut self) {
        let at = self.random.below(HONEST.len());
        let after = evicted(&self.nodes[at].strew);
        if !after.is_empty() {
            self.epochs += 1;
            let author = self.nodes[at].me;
            self.nodes[at].epochs.insert(Epoch { number: self.epochs, author, after });
        }
    }

    fn late_joins(&mut self) {
        let at = self.random.below(LATE);
        if self.random.percent(50) {
            // A file with the new secret was carried to it.
            let exported = self.nodes[at].epochs.clone();
            self.nodes[LATE].epochs.extend(exported);
        }
        let (newcomer, has) = (self.nodes[LATE].me, self.nodes[LATE].epochs.clone());
        let Some(act) = self.admits(at, &newcomer, &has) else { return };
        let Statement::Admit { after, .. } = &act.value().statement else { return };
        let statement =
            Statement::Admit { subject: self.nodes[at].me, generation: 1, after: after.clone() };
        let back = say(&newcomer, 1, statement);
        self.nodes[LATE].strew.merge_act(act);
        self.nodes[LATE].strew.merge_act(back.clone());
        take(&mut self.nodes[at].strew, [&back]);
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..8 => {
                for at in 0..HONEST.len() {
                    self.side[at] = self.random.percent(50);
                }
            }
            8..16 => self.side = [false; HONEST.len()],
            16..27 => self.evict(),
            27..36 => self.makes_epoch(),
            36..52 => self.adversary_joins(),
            52..62 => self.adversary_signs(),
            62..70 => self.late_joins(),
            70..80 => {
                let at = self.random.below(HONEST.len());
                self.intrude(at);
            }
            _ => {
                let (one, other) =
                    (self.random.below(HONEST.len()), self.random.below(HONEST.len()));
                if one != other && self.side[one] == self.side[other] {
                    self.sync(one, other);
                }
            }
        }
        self.had.suspended |=
            self.nodes[..LATE].iter().any(|it| it.strew.membership().suspended().next().is_some());
    }

    /// The adversary tells all it has; then the partition heals, and all exchange what they have.
    fn heal(&mut self) {
        for _ in 0..6 {
            (0..HONEST.len()).for_each(|at| self.intrude(at));
            self.sync_all();
        }
    }

    fn sync_all(&mut self) {
        for one in 0..HONEST.len() {
            (one + 1..HONEST.len()).for_each(|other| self.sync(one, other));
        }
    }

    fn bad(&mut self) -> Option<Bad> {
        let evictions: Vec<_> = self.evictions.clone();
        let lists = Lists::of(&evictions);
        let gone = lists.evicted();
        let aware = |it: &Node| evictions.iter().all(|act| it.strew.act(&act.id()).is_some());
        let know: Vec<_> = (0..LATE).filter(|at| aware(&self.nodes[*at])).collect();
        for of in &know {
            let node = &self.nodes[*of];
            // A listed key of the adversary is a member still, and admits as it likes.
            let liar =
                |it: &Principal| node.knows(it) && !gone.contains(it) && lists.list_for_all(it);
            let liar = gone.is_empty() || adversary().iter().any(liar);
            for name in ADVERSARY {
                let key = key(name);
                let is_back = gone.contains(&key) || !lists.list_for_all(&key) && !liar;
                if node.knows(&key) && is_back {
                    return Some(Bad::BackIn { of: *of, key: name });
                }
            }
        }
        for (one, other) in know.iter().flat_map(|one| know.iter().map(move |it| (*one, *it))) {
            let (a, b) = (&self.nodes[one], &self.nodes[other]);
            if a.knows(&b.me) != b.knows(&a.me) {
                return Some(Bad::OneSided(one, other));
            }
            if a.knows(&b.me) && members(&a.strew) != members(&b.strew) {
                return Some(Bad::ViewsDiffer(one, other));
            }
        }
        let is_listed = |it: &Node| lists.list_for_all(&it.me);
        let lost = (1..LATE).find(|at| {
            let (one, it) = (&self.nodes[0], &self.nodes[*at]);
            aware(one) && is_listed(one) && is_listed(it) && !one.knows(&it.me)
        });
        lost.map(Bad::ListedLost).or_else(|| self.approve(&know))
    }

    /// The operator lists the late one, if a listed node let it in and it is suspended.
    fn approve(&mut self, know: &[usize]) -> Option<Bad> {
        let gone = self.evicted();
        let (one, late) = (&self.nodes[0], &self.nodes[LATE]);
        let lists = Lists::of(&self.evictions);
        let vouches = |at: &usize| {
            let it = &self.nodes[*at];
            let is_of = |act: &&SignedAct| match &act.value().statement {
                Statement::Admit { subject, .. } => *subject == late.me && act.author() == it.me,
                _ => false,
            };
            lists.list_for_all(&it.me) && late.strew.acts().any(|act| is_of(&act))
        };
        if gone.is_empty() || one.knows(&late.me) || !know.contains(&0) || !know.iter().any(vouches)
        {
            return None;
        }
        assert!(one.strew.membership().is_suspended(&late.me), "it is shown");
        let mut known: Vec<_> = one.strew.membership().reached().collect();
        known.push(late.me);
        // One statement: its list counts for all in its `after`.
        let number = self.evictions.len() as u64 + 1;
        self.evictions.push(evict(number, gone.first().unwrap(), &known, &gone));
        for act in &self.evictions {
            self.nodes[0].strew.merge_act(act.clone());
        }
        for _ in 0..4 {
            self.sync(0, LATE);
            self.sync_all();
        }
        self.had.approved = true;
        (!self.nodes[0].knows(&key(HONEST[LATE]))).then_some(Bad::ApprovedNotBack)
    }

    /// The first replica that does not follow the definitions.
    fn not_the_rule(&self) -> Option<Bad> {
        let wrong = self.nodes.iter().position(|it| !rule::is_followed(&it.me, &it.strew));
        wrong.map(Bad::NotTheRule)
    }
}

/// Plays a history. `by_rule`: each replica is compared with the definitions after every step.
pub(crate) fn play(seed: u64, by_rule: bool) -> (Option<Bad>, Had) {
    let mut play = Play::new(seed);
    play.begin();
    let steps = play.random.below(26) + 15;
    for _ in 0..steps {
        play.step();
        if let Some(bad) = play.not_the_rule().filter(|_| by_rule) {
            return (Some(bad), play.had);
        }
    }
    play.heal();
    play.had.evictions = play.evictions.len();
    let bad = play.bad().or_else(|| play.not_the_rule().filter(|_| by_rule));
    (bad, play.had)
}

fn play_all(seeds: std::ops::Range<u64>, by_rule: bool) {
    let (mut evictions, mut suspended, mut approved, mut unaware) = (0, 0, 0, 0);
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let (bad, had) = play(seed, by_rule);
        assert_eq!(bad, None, "seed {seed}: {had:?}");
        evictions += u64::from(had.evictions > 0);
        suspended += u64::from(had.suspended);
        approved += u64::from(had.approved);
        unaware += u64::from(had.admitted_unaware);
    }
    println!(
        "{count} histories: {evictions} with evictions, {suspended} with suspended nodes, {approved} with an \
         approval, {unaware} in which a node that had not heard admitted a key of the adversary"
    );
    assert!(evictions > count / 2 && suspended > count / 10, "{evictions}, {suspended}");
    assert!(approved > count / 100 && unaware > count / 20, "{approved}, {unaware}");
}

#[test]
fn nobody_of_the_adversary_is_back_and_nobody_listed_is_lost() {
    play_all(0..2_000, false);
}

/// As above, and after every step each replica says what the definitions say.
#[test]
fn step_by_step_is_as_from_nothing() {
    play_all(10_000..10_300, true);
}

#[test]
#[ignore = "long: the same for many more seeds"]
fn many_histories() {
    play_all(100_000..120_000, false);
    play_all(200_000..203_000, true);
}
