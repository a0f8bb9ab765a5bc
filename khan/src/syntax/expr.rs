//! Expressions.

use super::{Named, Pick, Span};
use crate::ratio::Ratio;

/// An expression and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    /// The expression.
    pub kind: ExprKind,
    /// Where it is written, with the brackets around it.
    pub span: Span,
}

/// The kinds of expression. Its value is a number or a set of nodes; the checker finds out which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExprKind {
    /// `ALL`: the nodes of the horde that are neither drained nor lost.
    All,
    /// `LABEL(key)`, `LABEL(key = value)`: the nodes with that label.
    Label {
        /// The key.
        key: String,
        /// The value; without one, any value counts.
        value: Option<String>,
    },
    /// `("n1", "n2")`: nodes by name.
    Nodes(Vec<String>),
    /// `!a`: the nodes of ALL that are not in `a`.
    Not(Box<Expr>),
    /// `a & b & …`, at least two: the nodes that are in each.
    And(Vec<Expr>),
    /// `a | b | …`, at least two: the nodes that are in one of them.
    Or(Vec<Expr>),
    /// `pick(…)`: the nodes that got an instance.
    Pick(Box<Pick>),
    /// A literal number, 0 or more.
    Number(Ratio),
    /// `SIZE(a)`: how many nodes are in `a`.
    Size(Box<Expr>),
    /// `a + b - …` or `a * b / …`, from left to right. All operators have the same rank, and there is at
    /// least one.
    Chain {
        /// The first operand.
        first: Box<Expr>,
        /// Each operator with the operand to its right.
        rest: Vec<(Operator, Expr)>,
    },
    /// The value of a name.
    Name(String),
    /// `name := a`: the value of `a`, which gets the name.
    Bind {
        /// The name.
        name: Named,
        /// The name.
        value: Box<Expr>,
    },
}

impl Expr {
    /// The expressions of which it is made, in the order of the text.
    pub fn children(&self) -> Vec<&Self> {
        match &self.kind {
            ExprKind::All | ExprKind::Label { .. } | ExprKind::Nodes(_) => Vec::new(),
            ExprKind::Number(_) | ExprKind::Name(_) => Vec::new(),
            ExprKind::Not(inner) | ExprKind::Size(inner) => vec![inner],
            ExprKind::And(operands) | ExprKind::Or(operands) => operands.iter().collect(),
            ExprKind::Chain { first, rest } => {
                core::iter::once(&**first).chain(rest.iter().map(|(_, operand)| operand)).collect()
            }
            ExprKind::Bind { value, .. } => vec![value],
            ExprKind::Pick(pick) => [&pick.count, &pick.set].into_iter().chain(&pick.max).collect(),
        }
    }

    /// Calls a function with this expression and all within, in the order in which they begin.
    pub fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Self)) {
        see(self);
        for child in self.children() {
            child.visit(see);
        }
    }
}

/// An operator on numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

impl Operator {
    /// The sign with which it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }

    /// Whether it is `*` or `/`, which bind tighter than `+` and `-`.
    pub fn is_product(self) -> bool {
        matches!(self, Self::Multiply | Self::Divide)
    }
}
