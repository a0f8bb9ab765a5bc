//! Programs that can be written, for tests.

use proptest::prelude::*;

use super::{
    After, Amount, Cond, Expr, ExprKind, Named, Operator, Pick, Program, Span, Stage, State,
};
use crate::lexer::is_bare_name;
use crate::ratio::Ratio;

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn named(text: String) -> Named {
    Named { text, span: Span::default() }
}

/// A name without quotes. Some are near each other, and some are words elsewhere.
pub(crate) fn bare() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]",
        "[a-z][a-zA-Z0-9_]{0,6}",
        "[a-z]{1,3}-{1,2}[a-z0-9_]{1,3}",
        Just("spread".to_owned()),
        Just("ready".to_owned()),
    ]
    .prop_filter("a word of the language", |name| is_bare_name(name))
}

/// A name that perhaps needs quotes: any text without what is not seen.
pub(crate) fn name() -> impl Strategy<Value = String> {
    prop_oneof![3 => bare(), 1 => "[ -~é🐑]{0,6}", 1 => prop::sample::select(vec!["pick", "of", "start", "ALL"]).prop_map(str::to_owned)]
}

fn number() -> impl Strategy<Value = Expr> {
    let text = prop_oneof!["[0-9]{1,3}", "[0-9]{1,9}\\.[0-9]{1,9}", "[0-9]{18}"];
    text.prop_map(|text| expr(ExprKind::Number(text.parse::<Ratio>().unwrap())))
}

fn atom() -> impl Strategy<Value = Expr> {
    let value = prop::option::of(prop_oneof![name(), "[0-9]{1,4}", "0\\.[0-9]{1,4}"]);
    prop_oneof![
        Just(expr(ExprKind::All)),
        (name(), value).prop_map(|(key, value)| expr(ExprKind::Label { key, value })),
        prop::collection::vec("[ -~é]{0,6}", 1..3).prop_map(|nodes| expr(ExprKind::Nodes(nodes))),
        number(),
        bare().prop_map(|name| expr(ExprKind::Name(name))),
    ]
}

fn chain(inner: impl Strategy<Value = Expr> + Clone) -> impl Strategy<Value = Expr> {
    let operators = prop_oneof![
        Just([Operator::Add, Operator::Subtract]),
        Just([Operator::Multiply, Operator::Divide]),
    ];
    let rest = prop::collection::vec((any::<bool>(), inner.clone()), 1..4);
    (inner, operators, rest).prop_map(|(first, operators, rest)| {
        let rest = rest.into_iter().map(|(second, it)| (operators[usize::from(second)], it));
        expr(ExprKind::Chain { first: Box::new(first), rest: rest.collect() })
    })
}

fn pick(inner: impl Strategy<Value = Expr> + Clone) -> impl Strategy<Value = Expr> {
    let options = (prop::option::of(name()), prop::option::of(inner.clone()));
    (any::<bool>(), name(), inner.clone(), inner, options).prop_map(
        |(pickh, service, count, set, (spread, max))| {
            let (service, spread) = (named(service), spread.map(named));
            expr(ExprKind::Pick(Box::new(Pick { pickh, service, count, set, spread, max })))
        },
    )
}

/// Any expression, well-typed or not.
fn any_expr() -> impl Strategy<Value = Expr> {
    atom().prop_recursive(5, 24, 4, |inner| {
        let list = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            inner.clone().prop_map(|it| expr(ExprKind::Not(Box::new(it)))),
            inner.clone().prop_map(|it| expr(ExprKind::Size(Box::new(it)))),
            list().prop_map(|it| expr(ExprKind::And(it))),
            list().prop_map(|it| expr(ExprKind::Or(it))),
            chain(inner.clone()),
            (bare(), inner.clone()).prop_map(|(name, value)| {
                expr(ExprKind::Bind { name: named(name), value: Box::new(value) })
            }),
            pick(inner.clone()),
        ]
    })
}

fn state() -> impl Strategy<Value = State> {
    (name(), prop::sample::select(Stage::ALL.to_vec())).prop_map(|(service, stage)| State {
        service: named(service),
        stage,
        span: Span::default(),
    })
}

fn cond() -> impl Strategy<Value = Cond> {
    let amount = prop_oneof![
        Just(Amount::Whole),
        any_expr().prop_map(Amount::Count),
        any_expr().prop_map(Amount::Percent),
    ];
    (amount, state()).prop_map(|(amount, state)| Cond { amount, state })
}

/// Any program that the grammar allows.
pub(crate) fn program() -> impl Strategy<Value = Program> {
    let after = (state(), prop::collection::vec(cond(), 1..4)).prop_map(|(what, conds)| After {
        what,
        conds,
        span: Span::default(),
    });
    (prop::collection::vec(any_expr(), 0..4), prop::collection::vec(after, 0..3))
        .prop_map(|(exprs, afters)| Program { exprs, afters })
}
