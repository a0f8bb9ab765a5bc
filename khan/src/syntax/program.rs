//! Whole programs.

use super::{After, Amount, Expr};

/// A program: expressions, then the order of starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// The expressions, in the order of the text.
    pub exprs: Vec<Expr>,
    /// The order of starts, in the order of the text.
    pub afters: Vec<After>,
}

impl Program {
    /// The amounts of all conditions, in the order of the text.
    pub fn amounts(&self) -> impl Iterator<Item = &Expr> {
        let conds = self.afters.iter().flat_map(|after| &after.conds);
        conds.filter_map(|cond| match &cond.amount {
            Amount::Whole => None,
            Amount::Count(number) | Amount::Percent(number) => Some(number),
        })
    }
}
