//! Values of expressions: types checked, names resolved.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::name::ServiceName;

use super::DEPTH_MAX;
use super::names::Names;
use super::needs::Needs;
use super::sort::Sorted;
use crate::checked::{
    After, Checked, NamedNumber, NamedSet, Number, NumberId, Pick, PickId, Set, SetId, Term,
};
use crate::diagnostic::{Diagnostic, Found, Kind, quoted, shortened};
use crate::syntax::{self, Expr, ExprKind, Named, Operator, Program};

/// The values of a program, as far as they have one.
#[derive(Debug)]
pub(super) struct Values<'a> {
    names: &'a Names<'a>,
    needs: &'a Needs<'a>,
    sets: Vec<NamedSet>,
    numbers: Vec<NamedNumber>,
    picks: BTreeMap<PickId, Pick>,
    /// Of each bind: its value, and how deep it is.
    binds: Vec<Option<(Bound, usize)>>,
}

/// The value of a name.
#[derive(Debug, Clone, Copy)]
enum Bound {
    Set(SetId),
    Number(NumberId),
}

/// The value of an expression.
#[derive(Debug)]
enum Value {
    Set(Set),
    Number(Number),
}

impl Value {
    /// The type, for messages.
    fn article(&self) -> &'static str {
        match self {
            Self::Set(_) => "a set of nodes",
            Self::Number(_) => "a number",
        }
    }
}

impl<'a> Values<'a> {
    /// Finds them: of binds in their order, so that every name has its value before it is used; of those
    /// without an order and of the other statements after that.
    pub(super) fn of(
        program: &Program,
        names: &'a Names<'a>,
        needs: &'a Needs<'a>,
        sorted: &Sorted,
        errors: &mut Found,
    ) -> Self {
        let binds = names.binds.iter().map(|_| None).collect();
        let (sets, numbers, picks) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut values = Self { names, needs, sets, numbers, picks, binds };
        let ordered: BTreeSet<usize> = sorted.order.iter().copied().collect();
        let rest = (0..names.binds.len()).filter(|bind| !ordered.contains(bind));
        for bind in sorted.order.iter().copied().chain(rest) {
            values.bind(bind, errors);
        }
        for expr in &program.exprs {
            if !matches!(expr.kind, ExprKind::Bind { .. }) {
                values.value(expr, errors);
            }
        }
        values
    }

    /// The pick of a service.
    pub(super) fn pick_of(&self, service: &str) -> Option<PickId> {
        let at = self.names.picks.iter().position(|it| it.service.text == service);
        at.map(|at| self.needs.id(at))
    }

    /// All services that are picked.
    pub(super) fn services(&self) -> impl Iterator<Item = &str> {
        self.names.picks.iter().map(|it| it.service.text.as_str())
    }

    /// The program, if each pick has its values.
    pub(super) fn finish(self, afters: Vec<After>) -> Option<Checked> {
        let all = self.picks.len() == self.names.picks.len();
        let picks = self.picks.into_values().collect();
        all.then(|| Checked::new(picks, self.sets, self.numbers, afters))
    }

    fn bind(&mut self, at: usize, errors: &mut Found) {
        let bind = &self.names.binds[at];
        let value = self.value(bind.value, errors);
        let (name, needs) = (bind.name.text.clone(), self.needs.ids([bind.value]));
        let bound = match value {
            None => return,
            Some(Value::Set(set)) => {
                self.sets.push(NamedSet { name, set, needs });
                Bound::Set(SetId::new(self.sets.len() - 1))
            }
            Some(Value::Number(number)) => {
                self.numbers.push(NamedNumber { name, number, needs });
                Bound::Number(NumberId::new(self.numbers.len() - 1))
            }
        };
        let depth = self.depth(bind.value);
        if depth > DEPTH_MAX {
            let message = format!(
                "with the names that it uses, {} is {depth} operations deep; at most {DEPTH_MAX} are allowed",
                quoted(&bind.name.text)
            );
            errors.push(Diagnostic::new(Kind::TooDeep, bind.name.span, message));
            return;
        }
        self.binds[at] = Some((bound, depth));
    }

    /// How many operations an expression is deep, counted through names but not through picks.
    fn depth(&self, expr: &Expr) -> usize {
        match &expr.kind {
            ExprKind::Name(name) => 1 + self.depth_of(name),
            ExprKind::Bind { name, .. } => 1 + self.depth_of(&name.text),
            ExprKind::Pick(_) => 1,
            _ => 1 + expr.children().into_iter().map(|it| self.depth(it)).max().unwrap_or_default(),
        }
    }

    fn depth_of(&self, name: &str) -> usize {
        let value = self.names.bind(name).and_then(|bind| self.binds[bind]);
        value.map_or(0, |(_, depth)| depth)
    }

    /// The value of an expression; `None` if it has none, which is reported.
    fn value(&mut self, expr: &Expr, errors: &mut Found) -> Option<Value> {
        let set = match &expr.kind {
            ExprKind::All => Set::All,
            ExprKind::Label { key, value } => {
                check_key(key, expr.span, errors);
                Set::Label { key: key.clone(), value: value.clone() }
            }
            ExprKind::Nodes(nodes) => Set::Nodes(nodes.iter().cloned().collect()),
            ExprKind::Not(inner) => Set::Not(Box::new(self.set(inner, "`!`", errors)?)),
            ExprKind::And(operands) => Set::And(self.operands(operands, "`&`", errors)?),
            ExprKind::Or(operands) => Set::Or(self.operands(operands, "`|`", errors)?),
            ExprKind::Pick(pick) => Set::Picked(self.pick(pick, expr, errors)?),
            ExprKind::Name(name) | ExprKind::Bind { name: Named { text: name, .. }, .. } => {
                return self.of_name(name);
            }
            ExprKind::Number(number) => return Some(Value::Number(Number::Literal(*number))),
            ExprKind::Size(set) => {
                let set = self.set(set, "SIZE", errors)?;
                return Some(Value::Number(Number::Size(Box::new(set))));
            }
            ExprKind::Chain { first, rest } => {
                return self.chain(first, rest, errors).map(Value::Number);
            }
        };
        Some(Value::Set(set))
    }

    fn of_name(&self, name: &str) -> Option<Value> {
        let (bound, _) = self.names.bind(name).and_then(|bind| self.binds[bind])?;
        Some(match bound {
            Bound::Set(id) => Value::Set(Set::Named(id)),
            Bound::Number(id) => Value::Number(Number::Named(id)),
        })
    }

    /// The value of all operands, so that each mistake in them is reported.
    fn operands(&mut self, all: &[Expr], sign: &str, errors: &mut Found) -> Option<Vec<Set>> {
        let sets: Vec<_> = all.iter().map(|operand| self.set(operand, sign, errors)).collect();
        sets.into_iter().collect()
    }

    fn chain(
        &mut self,
        first: &Expr,
        rest: &[(Operator, Expr)],
        errors: &mut Found,
    ) -> Option<Number> {
        let sign = rest.first().map_or("", |(operator, _)| operator.sign());
        let first = self.number(first, &quoted(sign), errors);
        let terms: Vec<_> =
            rest.iter().map(|(operator, it)| self.term(*operator, it, errors)).collect();
        let rest: Option<Vec<Term>> = terms.into_iter().collect();
        Some(Number::Chain { first: Box::new(first?), rest: rest? })
    }

    fn term(&mut self, operator: Operator, expr: &Expr, errors: &mut Found) -> Option<Term> {
        let number = self.number(expr, &quoted(operator.sign()), errors)?;
        Some(Term { operator, number, text: shortened(&expr.to_string()) })
    }

    fn pick(&mut self, pick: &syntax::Pick, expr: &Expr, errors: &mut Found) -> Option<PickId> {
        let count = self.number(&pick.count, "the second argument of pick", errors);
        let set = self.set(&pick.set, "the third argument of pick", errors);
        let max = pick.max.as_ref().map(|max| self.number(max, "`max`", errors));
        if let Some(key) = &pick.spread {
            check_key(&key.text, key.span, errors);
        }
        let id = self.needs.id(self.names.pick_at(expr.span)?);
        let exprs = [&pick.count, &pick.set].into_iter().chain(&pick.max);
        let value = Pick {
            service: pick.service.text.parse::<ServiceName>().ok()?,
            count: count?,
            set: set?,
            spread: pick.spread.as_ref().map(|key| key.text.clone()),
            max: match max {
                Some(max) => Some(max?),
                None => None,
            },
            needs: self.needs.ids(exprs),
            set_needs: self.needs.ids([&pick.set]),
            span: expr.span,
        };
        self.picks.insert(id, value);
        Some(id)
    }

    /// The set that an expression is; `place` takes no number.
    fn set(&mut self, expr: &Expr, place: &str, errors: &mut Found) -> Option<Set> {
        match self.value(expr, errors)? {
            Value::Set(set) => Some(set),
            other @ Value::Number(_) => {
                errors.push(self.mismatch(expr, place, "a set of nodes", &other));
                None
            }
        }
    }

    /// The number that an expression is; `place` takes no set.
    pub(super) fn number(
        &mut self,
        expr: &Expr,
        place: &str,
        errors: &mut Found,
    ) -> Option<Number> {
        match self.value(expr, errors)? {
            Value::Number(number) => Some(number),
            other @ Value::Set(_) => {
                errors.push(self.mismatch(expr, place, "a number", &other));
                None
            }
        }
    }

    fn mismatch(&self, expr: &Expr, place: &str, wanted: &str, found: &Value) -> Diagnostic {
        let message = format!("{place} takes {wanted}, this is {}", found.article());
        let error = Diagnostic::new(Kind::Type, expr.span, message);
        let error = error.with_label(format!("expected {wanted}"));
        let name = match &expr.kind {
            ExprKind::Name(name) => self.names.bind(name).map(|bind| self.names.binds[bind].name),
            _ => None,
        };
        match name {
            Some(name) => {
                error.with_context(name.span, format!("bound to {} here", found.article()))
            }
            None if wanted == "a number" => {
                error.with_help("`SIZE(…)` is the number of nodes of a set")
            }
            None => error,
        }
    }
}

/// Reports a key that no label of a node can have.
fn check_key(key: &str, span: syntax::Span, errors: &mut Found) {
    // The rules of keys are those of the names of services: `crux_crdt::record`.
    if let Err(why) = key.parse::<ServiceName>() {
        let message = format!("invalid key of a label {}: {why}", quoted(key));
        errors.push(Diagnostic::new(Kind::Name, span, message));
    }
}
