//! Random histories: nodes die, come back and lose power, the network parts and heals, users change their minds. Every
//! plan is judged when it becomes durable, and in the end one leader has everything run as the last target says.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crux_crdt::document::Usage;
use crux_crdt::record::Stage;

use super::horde::{Horde, Wish};
use super::machine::{BAD, bad};

/// How many histories.
const SEEDS: u64 = 150;

#[derive(Debug, Clone, Copy)]
enum Happens {
    Dies(usize),
    Returns(usize),
    LosesPower(usize),
    Parts(u8),
    Heals,
    Applies(usize, Wish),
    Drains(usize),
    Opens(usize),
    /// A node gets or loses the label that `db` needs.
    Relabels(usize),
    Passes(u32),
}

fn happens(rng: &mut StdRng, count: usize) -> Happens {
    let at = rng.random_range(0..count);
    let wish = Wish { web: rng.random_range(1..=3), version: rng.random_range(1..=3) };
    match rng.random_range(0..20) {
        0 | 1 => Happens::Dies(at),
        2 | 3 => Happens::Returns(at),
        4 => Happens::LosesPower(at),
        5 | 6 => Happens::Parts(rng.random_range(1..31)),
        7 | 8 => Happens::Heals,
        9 | 10 => Happens::Applies(at, wish),
        11 => Happens::Drains(at),
        12 | 13 => Happens::Opens(at),
        14 => Happens::Relabels(at),
        _ => Happens::Passes(rng.random_range(1..25)),
    }
}

fn happen(horde: &mut Horde, what: Happens) {
    match what {
        Happens::Dies(at) => horde.machines[at].is_alive = false,
        Happens::Returns(at) if !horde.machines[at].is_alive => horde.machines[at].start(false),
        Happens::LosesPower(at) => horde.machines[at].start(true),
        Happens::Parts(mask) => {
            for (at, side) in horde.sides.iter_mut().enumerate() {
                *side = mask >> at & 1 == 1;
            }
        }
        Happens::Heals => horde.sides.fill(false),
        Happens::Applies(at, wish) if horde.machines[at].is_alive => horde.apply(at, wish),
        Happens::Drains(at) => horde.usages[at] = Usage::Draining { deadline: None },
        Happens::Opens(at) => horde.usages[at] = Usage::Open,
        Happens::Relabels(at) => horde.disks[at] = !horde.disks[at],
        Happens::Passes(ticks) => (0..ticks).for_each(|_| horde.tick()),
        Happens::Returns(_) | Happens::Applies(..) => {}
    }
    horde.tick();
}

/// Everything is well again, and time passes.
fn recover(horde: &mut Horde) {
    for machine in horde.machines.iter_mut().filter(|machine| !machine.is_alive) {
        machine.start(false);
    }
    horde.sides.fill(false);
    horde.usages.fill(Usage::Open);
    horde.disks[0] = true;
    (0..250).for_each(|_| horde.tick());
}

/// In the end everything runs as the last target says, and nothing more is said.
fn assert_settled(horde: &mut Horde) {
    let leaders = horde.machines.iter().filter(|machine| machine.leads.is_some());
    assert_eq!(leaders.count(), 1, "one leads");
    let plans = horde.plans;
    (0..20).for_each(|_| horde.tick());
    assert_eq!(horde.plans, plans, "it goes on planning");
    let marker = horde.machines[0].marker();
    let Some(marker) = marker else { return };
    assert!(horde.machines.iter().all(|machine| machine.marker() == Some(marker)));
    let orders: Vec<_> = horde.machines.iter().map(|machine| machine.floor).collect();
    assert!(orders.iter().all(|order| *order == orders[0]), "one plan is obeyed: {orders:?}");
    let wish = horde.wish(marker);
    let runs = || horde.machines.iter().flat_map(|machine| &machine.runs);
    for (service, wanted) in [("web", u16::from(wish.web)), ("db", 1), ("app", 1)] {
        let of = || runs().filter(|(key, _)| key.service.as_str() == service);
        let count: u16 = of().map(|(_, run)| run.count).sum();
        assert_eq!(count, wanted, "{service}");
        let is_good = of().all(|(_, run)| run.stage == Stage::Ready);
        // A version that fails everywhere has nothing to go back to.
        let is_bad = service == "web" && of().all(|(key, _)| key.spec == bad());
        assert!(is_good || (is_bad && wish.version == BAD), "{service} is not ready");
    }
}

/// The history of a seed.
fn history(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let count = rng.random_range(3..=5);
    let mut horde = Horde::new(count);
    horde.apply(0, Wish { web: 2, version: 1 });
    let mut trace = vec![Happens::Passes(10)];
    trace.extend((0..rng.random_range(5..40)).map(|_| happens(&mut rng, count.into())));
    for what in &trace {
        happen(&mut horde, *what);
    }
    recover(&mut horde);
    assert_settled(&mut horde);
}

#[test]
fn every_plan_keeps_the_rules_and_in_the_end_all_is_as_the_target_says() {
    let fails = |seed: &u64| std::panic::catch_unwind(|| history(*seed)).is_err();
    let failed: Vec<u64> = (0..SEEDS).filter(fails).collect();
    assert!(failed.is_empty(), "seeds {failed:?}; what broke is above");
}
