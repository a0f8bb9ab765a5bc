//! How texts parse, where `!` bound loosest, and how the parser continues after a mistake.

use proptest::prelude::*;

use super::*;
use crate::diagnostic::Kind;
use crate::syntax::arbitrary::program;

/// The program that a text says, printed with all brackets.
fn read(text: &str) -> Program {
    let parsed = parse(text);
    assert_eq!(parsed.errors, [], "{text}");
    parsed.program
}

/// The kinds and places of all errors.
fn errors(text: &str) -> Vec<(Kind, &str)> {
    let errors = parse(text).errors;
    errors.iter().map(|it| (it.kind, &text[it.span.start..it.span.end])).collect()
}

#[test]
fn operators_bind_by_rank() {
    for (short, long) in [
        ("x := !a & b | c", "x := ((!a) & b) | c"),
        ("x := a | b & c", "x := a | (b & c)"),
        ("x := 1 + 2 * 3 - 4", "x := 1 + (2 * 3) - 4"),
        ("x := a & 1 + 2", "x := a & (1 + 2)"),
        ("x := !!a", "x := !(!a)"),
        ("x := !pick(a, 1, b | c) & d", "x := (!pick(a, 1, (b | c))) & d"),
        ("x := y := a | b", "x := (y := (a | b))"),
    ] {
        assert_eq!(read(short).erased(), read(long).erased(), "{short}");
    }
    for (one, other) in [
        ("x := a | (b | c)", "x := a | b | c"),
        ("x := (a | b) | c", "x := a | b | c"),
        ("x := 1 - (2 - 3)", "x := 1 - 2 - 3"),
        ("x := !(a & b)", "x := !a & b"),
        ("x := (1 + 2) * 3", "x := 1 + 2 * 3"),
    ] {
        assert_ne!(read(one).erased(), read(other).erased(), "{one}");
    }
}

#[test]
fn statements_need_no_separators() {
    let program = read(
        "a := 1 b := a pick(c, a, ALL) pick(d, b, ALL) start c after d 2 of d (a) % of d.done",
    );
    assert_eq!((program.exprs.len(), program.afters.len()), (4, 1));
    assert_eq!(program.afters[0].conds.len(), 3);
    // A bracket in the next line is not an argument.
    assert_eq!(read("a := b\n(c := 1)").exprs.len(), 2);
    assert_eq!(errors("a := b (c := 1)"), [(Kind::Syntax, "b")]);
}

#[test]
fn a_condition_that_begins_with_a_name_is_a_state() {
    let program =
        read("start a after b c.start \"d\".unknown\nstart \"start\".start after (b) of c");
    assert_eq!(program.afters.iter().map(|it| it.conds.len()).collect::<Vec<_>>(), [3, 1]);
}

#[test]
fn errors_are_found_in_every_statement() {
    let text = "a := pick(a 1, ALL)\nb := LABEL()\nc := 1\n  + pick(x, 1, ALL)\nd = 2\nstart e f\nstart e after e\n";
    assert_eq!(
        errors(text),
        [(Kind::Syntax, "1"), (Kind::Syntax, ")"), (Kind::Syntax, "="), (Kind::Syntax, "f")]
    );
    let parsed = parse(text);
    assert_eq!((parsed.program.exprs.len(), parsed.program.afters.len()), (1, 1));
}

#[test]
fn the_rest_of_a_broken_statement_is_not_a_statement() {
    assert_eq!(errors("web := pick(web 2,\n    pick(db, 1, ALL))\n"), [(Kind::Syntax, "2")]);
    assert_eq!(errors("web := pick(web, 2,\ndb := pick(db, 1, ALL)\n"), [(Kind::Syntax, "")]);
    assert_eq!(errors("a := b |\nc := 1\nd := ("), [(Kind::Syntax, "c :="), (Kind::Syntax, "")]);
    assert_eq!(errors("a := 1 +\npik(web, 1, ALL)"), [(Kind::Syntax, "pik")]);
    assert_eq!(errors("a := ( 1 ;\nb := 2 )"), [(Kind::Character, ";"), (Kind::Syntax, ")")]);
}

#[test]
fn the_places_where_not_bound_loosest_are_found() {
    let marks = |text: &str| -> Vec<String> {
        let marks = parse(text).original;
        assert!(marks.iter().all(|it| text[it.span.start..].starts_with('!') && !it.is_error()));
        marks.into_iter().filter_map(|it| it.help).collect()
    };
    assert_eq!(marks("x := !LABEL(KV) & x"), ["the original read `!(LABEL(KV) & x)`"]);
    assert_eq!(marks("x := a & !b & c | d"), ["the original read `!(b & c | d)`"]);
    assert_eq!(marks("x := !!a & b"), ["the original read `!(!a & b)`"]);
    assert_eq!(
        marks("pick(a, 1, !b | c) x := !d & !e | f"),
        [
            "the original read `!(b | c)`",
            "the original read `!(d & !e | f)`",
            "the original read `!(e | f)`"
        ]
    );
    assert_eq!(marks("start a after 2 * !b + 1 of c"), ["the original read `!(b + 1)`"]);
    assert_eq!(parse("x := !a & b |\ny := 1").original, [], "a statement with a mistake has none");
    assert_eq!(marks("x := a & !b  y := !a  z := (!a) & b  pick(c, 1, !a)"), [""; 0]);
}

#[test]
fn levels_are_bounded() {
    let nested = |open: &str, close: &str, levels: usize| {
        format!("x := {}ALL{}", open.repeat(levels), close.repeat(levels))
    };
    // `:=` is a level too.
    for (open, close) in
        [("(", ")"), ("!", ""), ("SIZE(", ")"), ("pick(a, 1, ", ")"), ("y := ", "")]
    {
        let (most, more) = (nested(open, close, LEVELS_MAX - 1), nested(open, close, LEVELS_MAX));
        assert_eq!(errors(&most), [], "{open}");
        assert_eq!(
            errors(&more).iter().map(|it| it.0).collect::<Vec<_>>(),
            [Kind::TooDeep],
            "{open}"
        );
        let many = nested(open, close, 5000);
        assert_eq!(errors(&many)[0].0, Kind::TooDeep, "{open}");
    }
    // Not a level: a list is as deep as it is wide otherwise.
    assert_eq!(errors(&format!("x := ALL{}", " | ALL".repeat(10_000))), []);
    assert_eq!(errors(&format!("x := 1{}", " + 1 * 2".repeat(8_000))), []);
}

#[test]
fn picks_are_bounded() {
    let picks = |count: usize| -> String {
        (0..count).map(|at| format!("pick(s{at}, 1, ALL)\n")).collect()
    };
    assert_eq!(errors(&picks(PICKS_MAX)), []);
    let text = picks(PICKS_MAX + 5);
    let found = parse(&text).errors;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind, Kind::TooManyPicks);
    assert_eq!(found[0].locate("", &text).line, PICKS_MAX + 1);
}

#[test]
fn errors_are_bounded() {
    let found = parse(&"x = 1\n".repeat(5000)).errors;
    assert_eq!(found.len(), Found::MAX + 1);
    assert_eq!(found.last().unwrap().kind, Kind::More);
    let warnings = parse(&"pickh(a, 1, ALL)\n".repeat(200)).warnings;
    assert_eq!(warnings.len(), Found::MAX + 1);
}

proptest! {
    #[test]
    fn every_program_is_printed_to_a_text_that_parses_to_it(program in program()) {
        let text = program.to_string();
        let parsed = parse(&text);
        prop_assert_eq!(&parsed.errors, &[], "{}", text);
        prop_assert_eq!(&parsed.program.clone().erased(), &program, "{}", text);
        prop_assert_eq!(parsed.program.to_string(), text);
        prop_assert_eq!(parsed.statements.len(), program.exprs.len() + program.afters.len());
    }

    #[test]
    fn spans_are_what_is_written(program in program()) {
        let text = program.to_string();
        for expr in &parse(&text).program.exprs {
            let mut wrong = Vec::new();
            expr.visit(&mut |it| {
                let part = format!("x := ({})", &text[it.span.start..it.span.end]);
                let again = parse(&part).program.erased().exprs;
                let whole = parse(&format!("x := ({it})")).program.erased().exprs;
                if again != whole {
                    wrong.push(part);
                }
            });
            prop_assert_eq!(wrong, Vec::<String>::new(), "{}", text);
        }
    }
}
