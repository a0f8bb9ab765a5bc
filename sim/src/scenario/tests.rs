use core::time::Duration;
use std::collections::BTreeSet;

use crux_crdt::document::State;
use proptest::prelude::*;

use super::*;

fn names() -> impl Strategy<Value = Vec<String>> {
    let name =
        prop::sample::select(&["all", "spare", "up", "down", "frozen", "n0", "n12", "a"][..]);
    prop::collection::vec(name.prop_map(str::to_owned), 1..3)
}

fn who() -> BoxedStrategy<Who> {
    let share = prop_oneof![
        (1..9_usize).prop_map(Share::Number),
        (0..3_usize, 3..9_usize).prop_map(|(first, last)| Share::Range(first, last)),
        (1..3_usize, 3..9_usize).prop_map(|(part, whole)| Share::Fraction(part, whole)),
    ];
    let but = prop_oneof![Just(Vec::new()), names()];
    (prop::option::of(share), names(), but).prop_map(|(any, of, but)| Who { any, of, but }).boxed()
}

fn hosts() -> BoxedStrategy<Hosts> {
    prop::collection::btree_set(0..200_usize, 0..5).prop_map(Hosts).boxed()
}

fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0..2_000_u64).prop_map(Duration::from_micros),
        (0..2_000_u64).prop_map(Duration::from_millis),
        (0..900_u64).prop_map(Duration::from_secs),
    ]
}

fn weather() -> impl Strategy<Value = Weather> {
    let rates = (0..500_u32, 0..500_u32, 0..500_u32, 0..500_u32);
    let some = (time(), time(), rates).prop_map(|(a, b, rates)| {
        let (loss, gossip_loss, gossip_twice, gossip_late) = rates;
        let (delay_min, delay_max) = (a.min(b), a.max(b));
        Weather { delay_min, delay_max, loss, gossip_loss, gossip_twice, gossip_late }
    });
    prop_oneof![Just(Weather::calm()), Just(Weather::rough()), some]
}

fn condition<S: core::fmt::Debug + Clone + 'static>(
    who: impl Strategy<Value = S> + Clone + 'static,
) -> impl Strategy<Value = Condition<S>> {
    use Seen::{Alive, Dead, Doubted, Left, NotDead, Retired, Suspect};
    let state = prop::sample::select(&[Alive, Suspect, Dead, Doubted, NotDead, Left, Retired][..]);
    let shown = (who.clone(), state, who.clone()).prop_map(|(whom, state, by)| Condition::Shown {
        whom,
        state,
        by,
    });
    prop_oneof![
        who.clone().prop_map(Condition::OneFlock),
        who.clone().prop_map(Condition::Component),
        who.clone().prop_map(Condition::Unsuspecting),
        who.clone().prop_map(Condition::Stopped),
        who.clone().prop_map(Condition::Named),
        who.clone().prop_map(Condition::OneRuns),
        (0..99_u32, who.clone(), who.clone()).prop_map(|(service, of, by)| {
            Condition::Registered { service: Service(service), of, by }
        }),
        (0..99_u32, 0..4_usize, who.clone()).prop_map(|(paper, state, by)| {
            let states = [State::Current, State::Conflict, State::Deleted, State::Void];
            Condition::Document { paper: Paper(paper), state: states[state], by }
        }),
        who.clone().prop_map(Condition::Placed),
        who.clone().prop_map(Condition::Drained),
        who.prop_map(Condition::Truthful),
        shown,
        time().prop_map(Condition::Still),
        Just(Condition::Settled),
        Just(Condition::SameLeader),
        Just(Condition::Answered),
        Just(Condition::Obeyed),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    let signer = prop_oneof![
        Just(Signer::Operator),
        prop::sample::select(&User::ALL[..]).prop_map(Signer::User),
    ];
    let user = || prop::sample::select(&User::ALL[..]);
    let deed = prop_oneof![
        (0..99_u32, signer.clone()).prop_map(|(paper, by)| Deed::Put(Paper(paper), by)),
        (0..99_u32, signer).prop_map(|(paper, by)| Deed::Drop(Paper(paper), by)),
        (user(), 0..9_000_u32).prop_map(|(user, documents)| Deed::Grant(user, documents)),
        user().prop_map(Deed::Revoke),
        user().prop_map(Deed::Flood),
        Just(Deed::Remember),
        (0..Shape::ALL.len(), any::<u8>(), any::<[bool; 2]>()).prop_map(
            |(shape, version, [is_bad, replaces])| {
                let shape = Shape::ALL[shape].1;
                Deed::Apply(Site { shape, version, is_bad, replaces })
            }
        ),
    ];
    (deed, any::<[bool; 3]>(), 0..3_u32).prop_map(|(deed, [old, unasked, stored], sync)| Write {
        deed,
        old,
        unasked,
        stored,
        sync,
    })
}

fn op<S: core::fmt::Debug + Clone + 'static>(
    who: impl Strategy<Value = S> + Clone + 'static,
) -> impl Strategy<Value = Op<S>> {
    let request = prop_oneof![
        (0..99_u32, 79..82_u16, 0..3_u32).prop_map(|(service, port, sync)| Request::Register {
            service: Service(service),
            port: port.try_into().expect("it is not zero"),
            sync,
        }),
        (0..99_u32).prop_map(|service| Request::Deregister(Service(service))),
        Just(Request::Ping),
        Just(Request::Leave),
        (1..10_000_u64).prop_map(|millis| Request::Restart(Duration::from_millis(millis))),
        who.clone().prop_map(Request::Forget),
        write().prop_map(Request::Write),
        (who.clone(), prop::sample::select(&[Order::Drain, Order::Cordon, Order::Uncordon][..]))
            .prop_map(|(who, order)| Request::Order(order, who)),
    ];
    let on_some = (0..11_usize, who.clone()).prop_map(|(kind, who)| match kind {
        0 => Op::Kill(who),
        1 => Op::Freeze(who),
        2 => Op::Resume(who),
        3 => Op::Wipe(who),
        4 => Op::Rekey(who),
        5 => Op::Backup(who),
        6 => Op::Restore(who),
        7 => Op::Fill(who),
        8 => Op::Empty(who),
        9 => Op::Start { who, joining: None },
        _ => Op::Sleep(who, Duration::from_secs(3)),
    });
    let how = prop::sample::select(&[Cut::Silent, Cut::Refused][..]);
    let pair = (who.clone(), who.clone(), any::<bool>(), how, 0..5_usize);
    let on_two = pair.prop_map(|(from, to, flag, how, kind)| match kind {
        0 => Op::Copy { from, to, disk: flag },
        1 => Op::Find { other: from, by: to },
        2 => Op::Start { who: from, joining: Some(to) },
        3 => Op::Name { who: from, like: to },
        _ => Op::Cut { how, from, to, both: flag },
    });
    let expect = (condition(who.clone()), time(), prop::option::of(time()))
        .prop_map(|(what, within, rough)| Op::Expect { what, within, rough });
    let always =
        (condition(who.clone()), time()).prop_map(|(what, time)| Op::Always { what, time });
    prop_oneof![
        on_some,
        on_two,
        expect,
        always,
        condition(who.clone()).prop_map(Op::Watch),
        Just(Op::Unwatch),
        (who, request).prop_map(|(who, request)| Op::Ask(who, request)),
        weather().prop_map(Op::Weather),
        time().prop_map(Op::Wait),
        Just(Op::Heal),
    ]
}

fn line() -> impl Strategy<Value = Line> {
    let leaf = prop_oneof![
        Just(Line::Form),
        Just(Line::AnyWeather),
        time().prop_map(Line::Pause),
        (who(), 0..99_u32).prop_map(|(at, count)| Line::Clients(at, count)),
        (who(), 0..99_u32).prop_map(|(at, count)| Line::Writers(at, count)),
        (who(), 0..99_u32).prop_map(|(at, count)| Line::Targets(at, count)),
        op(who()).prop_map(Line::Do),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let some = || prop::collection::vec(inner.clone(), 0..3);
        let options = prop::collection::vec((1..9_u32, inner.clone()), 1..3);
        prop_oneof![
            (0..3_u32, 3..9_u32, some())
                .prop_map(|(first, last, lines)| Line::Repeat(Count(first, last), lines)),
            (0..=100_u32, some()).prop_map(|(percent, lines)| Line::Maybe(percent, lines)),
            (who(), some()).prop_map(|(from, lines)| Line::Each("b".to_owned(), from, lines)),
            options.prop_map(Line::Choose),
        ]
    })
}

proptest! {
    #[test]
    fn an_operation_prints_as_what_it_is_read_from(op in op(who())) {
        prop_assert_eq!(op.to_string().parse::<Op<Who>>(), Ok(op));
    }

    #[test]
    fn a_step_prints_as_what_it_is_read_from(step in op(hosts())) {
        prop_assert_eq!(step.to_string().parse::<Step>(), Ok(step));
    }

    #[test]
    fn a_scenario_prints_as_what_it_is_read_from(
        mut lines in prop::collection::vec(line(), 0..6),
        health in any::<bool>(),
        picket in prop::bool::weighted(0.2),
        with_goals in any::<bool>(),
        targets in any::<bool>(),
    ) {
        // The name that other lines use.
        lines.insert(0, Line::Let("a".to_owned(), Who::named("all")));
        if picket {
            lines.clear();
        }
        let head = (4, (2, 9), 1, 3);
        let (nodes, sizes, spare, weight) = head;
        let (name, about) = (String::new(), "some words".to_owned());
        let (file, goals) = (None, picket && with_goals);
        let scenario =
            Scenario {
                name, file, about, nodes, sizes, spare, weight, picket, goals, health, targets, lines,
            };
        prop_assert_eq!(scenario.to_string().parse::<Scenario>(), Ok(scenario));
    }

    #[test]
    fn nothing_read_is_a_panic(text in ".{0,200}") {
        let found = text.parse::<Scenario>().is_err();
        prop_assert!(found || text.contains("nodes"));
    }
}

fn drawn(scenario: &Scenario, seed: u64) -> Vec<Step> {
    scenario.draw(scenario.nodes, seed_of(seed))
}

fn text_of(steps: &[Step]) -> String {
    steps.iter().map(|step| format!("{step}\n")).collect()
}

#[test]
fn every_scenario_reads_draws_and_ends_well() {
    for scenario in library() {
        assert!(!scenario.about.is_empty(), "{}", scenario.name);
        if scenario.picket {
            assert_eq!((scenario.lines.len(), scenario.weight), (0, 0), "{}", scenario.name);
            continue;
        }
        for seed in 0..20 {
            let steps = drawn(&scenario, seed);
            assert_eq!(steps, drawn(&scenario, seed), "the same luck draws the same");
            let text = text_of(&steps);
            let again: Vec<Step> = text.lines().map(|line| line.parse().unwrap()).collect();
            assert_eq!(again, steps, "{}", scenario.name);
            assert!(text.contains("expect settled within 1min\n"));
            assert!(text.ends_with(
                "expect obeyed within 15s\nalways same-leader for 5s\nexpect still 6s within 20s\n\
                 expect answered within 15s\n"
            ));
        }
    }
}

#[test]
fn what_is_down_stopped_full_or_cut_is_not_so_at_the_end() {
    let text = "nodes 4\nform\nkill n1\nfreeze n2\nfill n3\ncut silent n0 <-> all but n0\n";
    let steps = drawn(&text.parse().unwrap(), 1);
    let cut = "cut silent n0 <-> n1 n2 n3";
    let at = steps.iter().position(|step| step.to_string() == cut).unwrap();
    let after: Vec<_> = steps[at + 1..].iter().map(ToString::to_string).collect();
    assert_eq!(after[..3], ["heal", "empty n3", "resume n2"]);
    assert!(after[3].starts_with("start n1 joining "), "{after:?}");
}

#[test]
fn names_are_hosts_by_chance() {
    let text =
        "nodes 10\nlet left = any 2/5 of all\nlet right = all but left\nkill left\nkill right";
    let scenario: Scenario = text.parse().unwrap();
    let mut seen = BTreeSet::new();
    for seed in 0..20 {
        let steps = drawn(&scenario, seed);
        let [Op::Kill(left), Op::Kill(right), ..] = &steps[..] else { panic!("{steps:?}") };
        assert_eq!((left.0.len(), right.0.len()), (4, 6));
        assert!(left.0.is_disjoint(&right.0));
        seen.insert(left.0.clone());
    }
    assert!(seen.len() > 5, "other luck, other hosts");
}

#[test]
fn an_error_names_the_line_and_what_was_expected() {
    for (text, message) in [
        ("form", "line 1: expected `nodes N` in the head, found none"),
        ("nodes 3\n\nkil n0", "line 3: expected an operation, found `kil`"),
        ("nodes 3\nkill a", "line 2: expected a name given before by `let` or `each`, found a"),
        ("nodes 3\nwait 3", "line 2: expected a time like `3s`, found `3`"),
        ("nodes 3\nwait", "line 2: expected a time like `3s`, found the end of the line"),
        ("nodes 3\nheal now", "line 2: expected the end of the line, found `now`"),
        ("nodes 3\nrepeat 2 {\nheal", "line 3: expected `}`, found the end of the line"),
        ("nodes 3\nchoose {\nheal\n}", "line 3: expected `WEIGHT: LINE`, found `heal`"),
        (
            "nodes 3\nlet all = n0",
            "line 2: expected a name of small letters that means nothing yet, found all",
        ),
        ("nodes 1\npicket\nheal", "line 3: expected no lines after `picket`, found some"),
        ("nodes 1\ngoals", "expected `picket` beside `goals`, found none"),
        ("nodes 0", "line 1: expected 1 to 10000 nodes, found 0"),
    ] {
        assert_eq!(text.parse::<Scenario>().unwrap_err().to_string(), message);
    }
}
