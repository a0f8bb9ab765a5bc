//! Which picks each pick needs, and the order in which picks are solved.

use std::collections::BTreeSet;

use super::names::Names;
use crate::checked::PickId;
use crate::syntax::{Expr, ExprKind, PICKS_MAX};

/// A set of picks, by their place in the text. A program may have thousands of names that need all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Picks([u64; PICKS_MAX / 64]);

impl Picks {
    fn insert(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn add(&mut self, other: Self) {
        for (mine, its) in self.0.iter_mut().zip(other.0) {
            *mine |= its;
        }
    }

    fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).all(|(mine, its)| mine & !its == 0)
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        (0..PICKS_MAX).filter(move |at| self.0[at / 64] >> (at % 64) & 1 == 1)
    }
}

/// The needs of all names and picks.
#[derive(Debug)]
pub(super) struct Needs<'a> {
    names: &'a Names<'a>,
    /// Of each bind.
    of_binds: Vec<Picks>,
    /// The id of each pick of the text.
    ids: Vec<PickId>,
}

impl<'a> Needs<'a> {
    /// Finds them. `order` has every bind before those that use it.
    pub(super) fn of(names: &'a Names<'a>, order: &[usize]) -> Self {
        let of_binds = vec![Picks::default(); names.binds.len()];
        let mut needs = Self { names, of_binds, ids: Vec::new() };
        for &bind in order {
            needs.of_binds[bind] = needs.picks(names.binds[bind].value);
        }
        needs.ids = needs.solving();
        needs
    }

    /// The id of a pick of the text.
    pub(super) fn id(&self, pick: usize) -> PickId {
        self.ids[pick]
    }

    /// The picks that expressions mention, ascending.
    pub(super) fn ids<'b>(&self, exprs: impl IntoIterator<Item = &'b Expr>) -> Vec<PickId> {
        let mut picks = Picks::default();
        for expr in exprs {
            picks.add(self.picks(expr));
        }
        picks.iter().map(|pick| self.ids[pick]).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The picks that an expression mentions, also through names but not through other picks.
    fn picks(&self, expr: &Expr) -> Picks {
        let mut picks = Picks::default();
        match &expr.kind {
            ExprKind::Name(name) => picks = self.of_name(name),
            ExprKind::Bind { name, .. } => picks = self.of_name(&name.text),
            ExprKind::Pick(_) => {
                self.names.pick_at(expr.span).into_iter().for_each(|pick| picks.insert(pick));
            }
            _ => expr.children().into_iter().for_each(|child| picks.add(self.picks(child))),
        }
        picks
    }

    fn of_name(&self, name: &str) -> Picks {
        self.names.bind(name).map_or(Picks::default(), |bind| self.of_binds[bind])
    }

    /// The ids: first the picks that need none, in the order of the text; then again and again the first of the
    /// text whose needs are all solved. Those in a circle, which is an error, are last.
    fn solving(&self) -> Vec<PickId> {
        let needs = self.names.picks.iter().map(|it| {
            let exprs = [&it.count, &it.set].into_iter().chain(&it.max);
            let mut needs = Picks::default();
            exprs.for_each(|expr| needs.add(self.picks(expr)));
            needs
        });
        let needs: Vec<Picks> = needs.collect();
        let (mut solved, mut order) = (Picks::default(), Vec::new());
        let mut left: Vec<usize> = (0..needs.len()).collect();
        let free = left.extract_if(.., |pick| needs[*pick] == Picks::default());
        order.extend(free);
        order.iter().for_each(|pick| solved.insert(*pick));
        while !left.is_empty() {
            let first = left.iter().position(|pick| needs[*pick].is_subset(&solved));
            let pick = left.remove(first.unwrap_or_default());
            solved.insert(pick);
            order.push(pick);
        }
        let mut ids = vec![PickId::new(0); order.len()];
        for (id, pick) in order.into_iter().enumerate() {
            ids[pick] = PickId::new(id);
        }
        ids
    }
}
