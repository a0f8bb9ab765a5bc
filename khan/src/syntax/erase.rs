//! Programs without places, for tests that compare what is written.

use super::{After, Amount, Cond, Expr, ExprKind, Named, Pick, Program, Span, State};

impl Program {
    /// The program with every span empty.
    pub(crate) fn erased(mut self) -> Self {
        self.exprs.iter_mut().for_each(Expr::erase);
        for After { what, conds, span } in &mut self.afters {
            *span = Span::default();
            what.erase();
            conds.iter_mut().for_each(Cond::erase);
        }
        self
    }
}

impl Expr {
    fn erase(&mut self) {
        self.span = Span::default();
        match &mut self.kind {
            ExprKind::Not(inner) | ExprKind::Size(inner) => inner.erase(),
            ExprKind::And(operands) | ExprKind::Or(operands) => {
                operands.iter_mut().for_each(Self::erase);
            }
            ExprKind::Chain { first, rest } => {
                first.erase();
                rest.iter_mut().for_each(|(_, operand)| operand.erase());
            }
            ExprKind::Bind { name, value } => {
                name.erase();
                value.erase();
            }
            ExprKind::Pick(pick) => pick.erase(),
            ExprKind::All | ExprKind::Label { .. } | ExprKind::Nodes(_) => {}
            ExprKind::Number(_) | ExprKind::Name(_) => {}
        }
    }
}

impl Pick {
    fn erase(&mut self) {
        self.service.erase();
        self.count.erase();
        self.set.erase();
        self.spread.iter_mut().for_each(Named::erase);
        self.max.iter_mut().for_each(Expr::erase);
    }
}

impl Cond {
    fn erase(&mut self) {
        self.state.erase();
        match &mut self.amount {
            Amount::Whole => {}
            Amount::Count(number) | Amount::Percent(number) => number.erase(),
        }
    }
}

impl State {
    fn erase(&mut self) {
        self.span = Span::default();
        self.service.erase();
    }
}

impl Named {
    fn erase(&mut self) {
        self.span = Span::default();
    }
}
