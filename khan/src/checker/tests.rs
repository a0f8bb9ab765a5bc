//! The meaning of programs, and that what is built keeps the invariants of `checked`.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::checked::{Amount, Checked, Number, Pick, PickId, Set, SetId};
use crate::compile;
use crate::diagnostic::{Diagnostic, Kind, Severity};
use crate::ratio::Ratio;
use crate::syntax::Stage;

fn checked(text: &str) -> Checked {
    let compiled = compile(text);
    assert!(!compiled.diagnostics.iter().any(Diagnostic::is_error), "{text}: {compiled:?}");
    compiled.checked.unwrap()
}

/// The kinds of all that is found, with the text at each place.
fn found(text: &str) -> Vec<(Kind, &str)> {
    let place = |it: &Diagnostic| (it.kind, &text[it.span.start..it.span.end]);
    compile(text).diagnostics.iter().map(place).collect()
}

/// The same of errors only.
fn errors(text: &str) -> Vec<(Kind, &str)> {
    found(text).into_iter().filter(|(kind, _)| kind.severity() == Severity::Error).collect()
}

/// The messages of all errors.
fn messages(text: &str) -> Vec<String> {
    let errors = compile(text).diagnostics.into_iter().filter(Diagnostic::is_error);
    errors.map(|it| it.message).collect()
}

fn services(checked: &Checked) -> Vec<&str> {
    checked.picks().iter().map(|pick| pick.service.as_str()).collect()
}

#[test]
fn names_and_picks_are_resolved() {
    let program = checked(
        "both := segp & s3\nsegp := pick(segp, 5, ALL)\ns3 := pick(s3, n, !LABEL(KV), spread = zone, max = n * 2)\n\
         n := 3\npick(poot, 2, both)\nstart poot after 70% of s3 segp.start (n) of s3.done",
    );
    let number = |n| Number::Literal(Ratio::integer(n));
    assert_eq!(services(&program), ["segp", "s3", "poot"]);
    let [segp, s3, poot] = [0, 1, 2].map(PickId::new);
    let Set::Named(both) = program.pick(poot).set else { panic!("{program:?}") };
    let Set::And(operands) = &program.set(both).set else { panic!("{program:?}") };
    let named = |set: &Set| match set {
        Set::Named(id) => program.set(*id).set.clone(),
        other => other.clone(),
    };
    assert_eq!(
        operands.iter().map(named).collect::<Vec<_>>(),
        [Set::Picked(segp), Set::Picked(s3)]
    );
    assert_eq!(program.set(both).needs, [segp, s3]);
    assert_eq!(program.pick(poot).needs, [segp, s3]);
    assert_eq!(program.pick(poot).set_needs, [segp, s3]);
    let pick = program.pick(s3);
    assert_eq!(pick.set, Set::Not(Box::new(Set::Label { key: "KV".to_owned(), value: None })));
    assert_eq!((pick.spread.as_deref(), pick.needs.as_slice()), (Some("zone"), [].as_slice()));
    let Number::Named(n) = pick.count else { panic!("{pick:?}") };
    assert_eq!((program.number(n).name.as_str(), &program.number(n).number), ("n", &number(3)));
    let after = &program.afters()[0];
    assert_eq!(after.pick, poot);
    let conds = after.conds.iter().map(|it| (it.pick, it.stage)).collect::<Vec<_>>();
    assert_eq!(conds, [(s3, Stage::Ready), (segp, Stage::Start), (s3, Stage::Done)]);
    let amounts: Vec<_> = after.conds.iter().map(|it| it.amount.clone()).collect();
    let all = [
        Amount::Percent(number(70)),
        Amount::Percent(number(100)),
        Amount::Count(Number::Named(n)),
    ];
    assert_eq!(amounts, all);
}

#[test]
fn picks_are_in_the_order_of_solving() {
    // Those that need none first; then by the text, as far as it can be.
    let program = checked(
        "pick(a, SIZE(x), ALL)\npick(b, 1, y)\nx := pick(c, 1, ALL)\npick(d, 1, ALL, max = SIZE(z))\n\
         y := pick(e, 1, x) | ALL\nz := pick(f, 1, pick(g, 1, LABEL(h)))",
    );
    assert_eq!(services(&program), ["c", "g", "a", "e", "b", "f", "d"]);
    let needs = |service: &str| {
        let pick = program.pick(program.pick_of(service).unwrap());
        let services = |ids: &[PickId]| -> String {
            ids.iter().map(|id| program.pick(*id).service.as_str()).collect()
        };
        (services(&pick.needs), services(&pick.set_needs))
    };
    let both = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    assert_eq!(needs("a"), both("c", ""));
    assert_eq!(needs("b"), both("e", "e"));
    assert_eq!(needs("d"), both("f", ""));
    assert_eq!(needs("f"), both("g", "g"));
}

#[test]
fn picks_and_binds_in_amounts_count() {
    let program = checked("pick(a, n, ALL)\nstart a after (SIZE(pick(b, 1, ALL)) + (n := 2)) of b");
    assert_eq!(services(&program), ["a", "b"]);
}

#[test]
fn divisions_know_what_they_divide_by() {
    let program = checked("pick(a, 1 / (SIZE(LABEL(db)) - 1), ALL)");
    let Number::Chain { rest, .. } = &program.picks()[0].count else { panic!("{program:?}") };
    assert_eq!(rest[0].text, "SIZE(LABEL(db)) - 1");
}

#[test]
fn one_mistake_is_one_error() {
    // An unbound name has no type, nor has what rests on it, nor a circle.
    assert_eq!(errors("a := b\nc := a & 1 + a\npick(s, a, a)"), [(Kind::Unbound, "b")]);
    assert_eq!(
        errors("a := b & ALL\nb := a\nc := a + 1\npick(s, a, c)")
            .iter()
            .map(|it| it.0)
            .collect::<Vec<_>>(),
        [Kind::Circle]
    );
    // A mistake in the value of a name is one, however often the name is used.
    assert_eq!(errors("a := !2\npick(s, 1, a & a)\npick(t, 1, a)"), [(Kind::Type, "2")]);
    // Each mistake of an expression is found.
    assert_eq!(
        errors("pick(a, ALL & 1, 2 | x, max = SIZE(3))"),
        [(Kind::Type, "1"), (Kind::Type, "2"), (Kind::Unbound, "x"), (Kind::Type, "3")]
    );
}

#[test]
fn circles_are_named() {
    assert_eq!(messages("a := pick(a, 1, a)"), ["the pick of `a` needs itself: a → a"]);
    assert_eq!(messages("pick(z, 1, a)\na := b | ALL\nb := !a\n"), ["`a` needs itself: a → b → a"]);
    assert_eq!(
        messages("a := pick(web, 1, b)\nb := pick(db, SIZE(a), ALL)\nc := c"),
        ["the pick of `web` needs itself: a → b → a", "`c` needs itself: c → c"]
    );
    let long: String = (0..2000).map(|at| format!("n{at} := n{}\n", (at + 1) % 2000)).collect();
    assert_eq!(
        messages(&long)[0],
        "`n0` needs itself: n0 → n1 → n2 → n3 → n4 → n5 → n6 → n7 → … (1992 more) → n0"
    );
}

#[test]
fn services_do_not_wait_for_themselves() {
    let picks = "pick(a, 1, ALL) pick(b, 1, ALL) pick(c, 1, ALL)\n";
    let of = |rest: &str| messages(&format!("{picks}{rest}"));
    assert_eq!(of("start a after b\nstart b after c"), [""; 0]);
    assert_eq!(of("start a after b\nstart b after a"), ["`a` waits for itself: a → b → a"]);
    assert_eq!(of("start a after a.done"), ["`a` waits for itself: a → a"]);
    assert_eq!(
        of("start a after 2 of b.start\nstart b after c c\nstart c after (1) of a.unknown"),
        ["`a` waits for itself: a → b → c → a"]
    );
}

#[test]
fn names_may_be_used_before_they_are_bound_and_thousands_in_a_row() {
    let chain = |links: usize| -> String {
        let lines = (0..links).map(|at| format!("n{at} := n{}\n", at + 1));
        format!("pick(a, 1, n0)\n{}n{links} := ALL\n", lines.collect::<String>())
    };
    assert_eq!(found(&chain(300)), []);
    let text = chain(4000);
    let errors = compile(&text).diagnostics;
    assert!(errors.iter().any(|it| it.kind == Kind::TooDeep), "{errors:?}");
    // Written out, the value of the last name has 2^150 operands.
    let doubling = (1..150).map(|at| format!("n{at} := n{0} | n{0}\n", at - 1));
    let text = format!("n0 := LABEL(x)\n{}pick(a, 1, n149)", doubling.collect::<String>());
    let program = checked(&text);
    assert_eq!(program.sets().len(), 150);
}

#[test]
fn warnings_leave_the_program() {
    for (text, warnings) in [
        ("", vec![(Kind::Empty, "")]),
        ("a := 1\npick(b, 1, ALL)", vec![(Kind::Unused, "a")]),
        ("pickh(b, 1, ALL)", vec![(Kind::Pickh, "pickh")]),
        ("a := pick(b, c := 1, ALL)", vec![]),
        ("pick(b, 1, ALL) & pick(c, 1, ALL)", vec![]),
    ] {
        assert_eq!(found(text), warnings, "{text}");
        assert!(compile(text).checked.is_some(), "{text}");
    }
}

/// Programs of a few names: sets s0…, numbers n0…, picks p0… in all orders, some in circles.
fn program() -> impl Strategy<Value = String> {
    let set = prop_oneof![
        3 => "s[0-5]", 2 => "p[0-3]", 1 => Just("ALL".to_owned()), 1 => "LABEL\\(l[0-2]\\)",
    ]
    .boxed();
    let sets = prop_oneof![
        set.clone(),
        set.clone().prop_map(|a| format!("!{a}")),
        (set.clone(), set.clone()).prop_map(|(a, b)| format!("{a} & {b}")),
    ];
    let number =
        prop_oneof![2 => "n[0-2]", 3 => "[0-9]", 1 => set.prop_map(|a| format!("SIZE({a})"))];
    let numbers = (number.clone(), number).prop_map(|(a, b)| format!("{a} + {b}"));
    let lines = (
        prop::collection::vec(sets.clone(), 6),
        prop::collection::vec(numbers.clone(), 3),
        prop::collection::vec((numbers, sets), 4),
    );
    let lines = lines.prop_map(|(sets, numbers, picks)| -> Vec<String> {
        let sets = sets.into_iter().enumerate().map(|(at, it)| format!("s{at} := {it}\n"));
        let numbers = numbers.into_iter().enumerate().map(|(at, it)| format!("n{at} := {it}\n"));
        let picks = picks.into_iter().enumerate();
        let picks = picks.map(|(at, (n, s))| format!("p{at} := pick(v{at}, {n}, {s})\n"));
        sets.chain(numbers).chain(picks).collect()
    });
    lines.prop_shuffle().prop_map(|lines| lines.concat())
}

/// Whether a name reaches itself: tried out, from each name along all it mentions.
fn has_circle(text: &str) -> bool {
    let lines: Vec<(&str, &str)> =
        text.lines().filter_map(|line| line.split_once(" := ")).collect();
    let mentions = |at: usize| -> Vec<usize> {
        let words = lines[at].1.split(|c: char| !c.is_ascii_alphanumeric());
        words.filter_map(|word| lines.iter().position(|(name, _)| *name == word)).collect()
    };
    (0..lines.len()).any(|start| {
        let (mut seen, mut next) = (BTreeSet::new(), mentions(start));
        while let Some(at) = next.pop() {
            if seen.insert(at) {
                next.extend(mentions(at));
            }
        }
        seen.contains(&start)
    })
}

/// The named sets that a set mentions, and the picks, through names.
fn mentions(program: &Checked, set: &Set, sets: &mut Vec<SetId>, picks: &mut BTreeSet<PickId>) {
    match set {
        Set::All | Set::Label { .. } | Set::Nodes(_) => {}
        Set::Not(inner) => mentions(program, inner, sets, picks),
        Set::And(all) | Set::Or(all) => {
            all.iter().for_each(|it| mentions(program, it, sets, picks));
        }
        Set::Picked(id) => _ = picks.insert(*id),
        Set::Named(id) => {
            sets.push(*id);
            mentions(program, &program.set(*id).set, &mut Vec::new(), picks);
        }
    }
}

proptest! {
    #[test]
    fn circles_are_found_and_nothing_else_is_one(text in program()) {
        let compiled = compile(&text);
        let kinds: BTreeSet<Kind> = compiled.diagnostics.iter().filter(|it| it.is_error()).map(|it| it.kind).collect();
        if has_circle(&text) {
            prop_assert_eq!(kinds, BTreeSet::from([Kind::Circle]), "{}", text);
            prop_assert!(compiled.checked.is_none());
        } else {
            prop_assert_eq!(kinds, BTreeSet::new(), "{}", text);
        }
    }

    #[test]
    fn what_is_checked_keeps_its_invariants(text in program()) {
        let Some(program) = compile(&text).checked else { return Ok(()) };
        for (at, set) in program.sets().iter().enumerate() {
            let (mut sets, mut picks) = (Vec::new(), BTreeSet::new());
            mentions(&program, &set.set, &mut sets, &mut picks);
            prop_assert!(sets.iter().all(|id| id.index() < at), "{}", text);
            prop_assert_eq!(&picks.into_iter().collect::<Vec<_>>(), &set.needs, "{}", text);
        }
        for (at, pick) in program.picks().iter().enumerate() {
            let mut picks = BTreeSet::new();
            mentions(&program, &pick.set, &mut Vec::new(), &mut picks);
            prop_assert_eq!(&picks.into_iter().collect::<Vec<_>>(), &pick.set_needs, "{}", text);
            prop_assert!(pick.set_needs.iter().all(|id| pick.needs.contains(id)));
            prop_assert!(pick.needs.iter().all(|id| id.index() < at), "{}", text);
            prop_assert_eq!(program.pick_of(pick.service.as_str()), Some(PickId::new(at)));
        }
        // First those that need none; each group by the text, as far as what is needed allows.
        let free = program.picks().iter().take_while(|pick| pick.needs.is_empty()).count();
        let (first, rest) = program.picks().split_at(free);
        let place = |pick: &Pick| pick.span.start;
        prop_assert!(rest.iter().all(|pick| !pick.needs.is_empty()) && first.is_sorted_by_key(place));
        for (at, pick) in rest.iter().enumerate() {
            let is_before = |later: &&Pick| place(later) < place(pick);
            for later in rest[at..].iter().filter(is_before) {
                prop_assert!(later.needs.iter().any(|need| need.index() >= free + at), "{}", text);
            }
        }
    }
}
