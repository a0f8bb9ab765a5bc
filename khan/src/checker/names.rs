//! Binds and picks of a program, and who uses which name.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::name::ServiceName;

use super::path;
use crate::diagnostic::{Diagnostic, Found, Kind, quoted};
use crate::similar::similar;
use crate::syntax::{Expr, ExprKind, Named, Pick, Program, Span};

/// The names of a program.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    /// Binds, in the order of the text. Of two with one name, the first counts.
    pub(super) binds: Vec<Bind<'a>>,
    /// Picks, in the order of the text.
    pub(super) picks: Vec<&'a Pick>,
    by_name: BTreeMap<&'a str, usize>,
    by_place: BTreeMap<usize, usize>,
    used: BTreeSet<usize>,
}

/// `name := value`.
#[derive(Debug)]
pub(super) struct Bind<'a> {
    pub(super) name: &'a Named,
    pub(super) value: &'a Expr,
    /// The uses of names within the value, but not within a bind there.
    uses: Vec<Use>,
}

/// The use of a name.
#[derive(Debug, Clone, Copy)]
struct Use {
    /// Which bind.
    bind: usize,
    /// Where.
    span: Span,
    /// Within the arguments of which pick.
    pick: Option<usize>,
}

impl<'a> Names<'a> {
    /// Gathers them, and reports what is bound or picked twice, or not bound.
    pub(super) fn of(program: &'a Program, errors: &mut Found) -> Self {
        let mut names = Self::default();
        for expr in program.exprs.iter().chain(program.amounts()) {
            names.gather(expr, errors);
        }
        for bind in 0..names.binds.len() {
            let (mut uses, value) = (Vec::new(), names.binds[bind].value);
            names.find_uses(value, None, &mut uses);
            names.binds[bind].uses = uses;
        }
        for expr in &program.exprs {
            names.see(expr, true, errors);
        }
        for amount in program.amounts() {
            names.see(amount, false, errors);
        }
        names
    }

    /// The bind of a name.
    pub(super) fn bind(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The pick that is written at a place.
    pub(super) fn pick_at(&self, span: Span) -> Option<usize> {
        self.by_place.get(&span.start).copied()
    }

    /// For each bind, those that it uses.
    pub(super) fn uses(&self) -> Vec<BTreeSet<usize>> {
        self.binds.iter().map(|bind| bind.uses.iter().map(|it| it.bind).collect()).collect()
    }

    /// Binds without an effect.
    pub(super) fn unused(&self) -> impl Iterator<Item = &Bind<'a>> {
        let names = self.by_name.values().filter(|bind| !self.used.contains(bind));
        names.map(|&bind| &self.binds[bind]).filter(|bind| !picks(bind.value))
    }

    fn gather(&mut self, expr: &'a Expr, errors: &mut Found) {
        match &expr.kind {
            ExprKind::Bind { name, value } => self.gather_bind(name, value, errors),
            ExprKind::Pick(pick) => self.gather_pick(pick, expr.span, errors),
            _ => {}
        }
        for child in expr.children() {
            self.gather(child, errors);
        }
    }

    fn gather_bind(&mut self, name: &'a Named, value: &'a Expr, errors: &mut Found) {
        let at = *self.by_name.entry(&name.text).or_insert(self.binds.len());
        if let Some(first) = self.binds.get(at) {
            let message = format!("{} is bound twice", quoted(&name.text));
            let error =
                Diagnostic::new(Kind::BoundTwice, name.span, message).with_label("here again");
            errors.push(error.with_context(first.name.span, "bound here first"));
        }
        self.binds.push(Bind { name, value, uses: Vec::new() });
    }

    fn gather_pick(&mut self, pick: &'a Pick, span: Span, errors: &mut Found) {
        let Named { text: service, span: place } = &pick.service;
        if let Err(why) = service.parse::<ServiceName>() {
            let message = format!("invalid name of a service {}: {why}", quoted(service));
            errors.push(Diagnostic::new(Kind::Name, *place, message));
        }
        if let Some(first) = self.picks.iter().find(|it| it.service.text == *service) {
            let message = format!("{} is picked twice", quoted(service));
            let error =
                Diagnostic::new(Kind::PickedTwice, *place, message).with_label("here again");
            let error = error.with_context(first.service.span, "picked here first");
            errors.push(error.with_help("write one pick from both sets: `pick(…, …, a | b)`"));
        }
        self.by_place.insert(span.start, self.picks.len());
        self.picks.push(pick);
    }

    /// The uses of names within an expression, but not within a bind there, which is a use itself.
    fn find_uses(&self, expr: &Expr, pick: Option<usize>, uses: &mut Vec<Use>) {
        let (name, span) = match &expr.kind {
            ExprKind::Name(name) => (name, expr.span),
            ExprKind::Bind { name, .. } => (&name.text, name.span),
            _ => {
                let pick = self.within(expr).or(pick);
                for child in expr.children() {
                    self.find_uses(child, pick, uses);
                }
                return;
            }
        };
        uses.extend(self.bind(name).map(|bind| Use { bind, span, pick }));
    }

    /// The pick that an expression is.
    fn within(&self, expr: &Expr) -> Option<usize> {
        if matches!(expr.kind, ExprKind::Pick(_)) { self.pick_at(expr.span) } else { None }
    }

    /// Notes which names an expression uses, and reports those that nothing binds.
    fn see(&mut self, expr: &'a Expr, is_statement: bool, errors: &mut Found) {
        match &expr.kind {
            ExprKind::Name(name) => match self.bind(name) {
                Some(bind) => _ = self.used.insert(bind),
                None if errors.is_full() => {}
                None => errors.push(self.unbound(name, expr.span)),
            },
            ExprKind::Bind { name, .. } if !is_statement => self.used.extend(self.bind(&name.text)),
            _ => {}
        }
        for child in expr.children() {
            self.see(child, false, errors);
        }
    }

    fn unbound(&self, name: &str, span: Span) -> Diagnostic {
        let message = format!("nothing binds the name {}", quoted(name));
        let error = Diagnostic::new(Kind::Unbound, span, message);
        let is_service = self.picks.iter().any(|it| it.service.text == name);
        if let Some(difference) = self.difference(name) {
            return error.with_help(format!("a difference is written with spaces: `{difference}`"));
        }
        if is_service {
            let help = format!("give the pick a name: `{name} := pick({name}, …)`");
            return error.with_help(help);
        }
        match similar(name, self.by_name.keys().copied()) {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None => error,
        }
    }

    /// The difference that a name with a hyphen may be.
    fn difference(&self, name: &str) -> Option<String> {
        let (left, right) = name.rsplit_once('-')?;
        let is_number = right.bytes().all(|byte| byte.is_ascii_digit());
        let is_operand = is_number || self.bind(right).is_some();
        (is_operand && self.bind(left).is_some()).then(|| format!("{left} - {right}"))
    }

    /// The error of binds that need themselves, in the order in which each uses the next.
    pub(super) fn circle(&self, circle: &[usize]) -> Diagnostic {
        let names: Vec<&str> = circle.iter().map(|&at| self.binds[at].name.text.as_str()).collect();
        let next = circle.iter().cycle().skip(1);
        let uses = circle
            .iter()
            .zip(next)
            .filter_map(|(&bind, &next)| self.binds[bind].uses.iter().find(|it| it.bind == next));
        let uses: Vec<&Use> = uses.collect();
        let pick = uses.iter().find_map(|it| it.pick);
        let what = match pick {
            Some(pick) => format!("the pick of {}", quoted(&self.picks[pick].service.text)),
            None => quoted(names[0]),
        };
        let span = uses.first().map_or(self.binds[circle[0]].name.span, |it| it.span);
        let message = format!("{what} needs itself: {}", path(&names));
        let error = Diagnostic::new(Kind::Circle, span, message).with_label("needs this");
        let others = uses.iter().skip(1).take(3);
        others.fold(error, |error, it| error.with_context(it.span, "which needs this"))
    }
}

/// Whether an expression picks.
fn picks(expr: &Expr) -> bool {
    let mut found = false;
    expr.visit(&mut |it| found |= matches!(it.kind, ExprKind::Pick(_)));
    found
}
