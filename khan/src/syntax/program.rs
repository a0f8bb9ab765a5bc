//! Whole programs.

use super::{After, Expr};

/// A program: expressions, then the order of starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// The expressions, in the order of the text.
    pub exprs: Vec<Expr>,
    /// The order of starts, in the order of the text.
    pub afters: Vec<After>,
}
