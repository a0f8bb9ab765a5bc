//! A program as it is written: what the parser makes and the printer writes.
//!
//! Operators of one rank make one flat list, not a tree that leans to the left: 64 KiB of `a | a | …` would be
//! 20,000 levels deep, and every function that walks it would need the stack for that. So the depth of a
//! [`Program`] is bounded by its levels of brackets, arguments, `!` and `:=` ([`LEVELS_MAX`]).
//!
//! Every expression has its [`Span`], the place where it is written. Equality compares spans too.

mod after;
#[cfg(test)]
pub(crate) mod arbitrary;
#[cfg(test)]
mod erase;
mod expr;
mod pick;
mod program;
mod span;

pub use after::{After, Amount, Cond, Stage, State};
pub use expr::{Expr, ExprKind, Operator};
pub use pick::Pick;
pub use program::Program;
pub use span::{Named, Span};

/// The longest text of a program, in bytes: what a target document may hold at most.
pub const BYTES_MAX: usize = 64 * 1024;

/// How deep brackets, arguments, `!` and `:=` nest, counted through names too. No readable program gets there,
/// and it bounds the stack that parser, checker and solver need.
pub const LEVELS_MAX: usize = 64;

/// How many picks a program may have: a target holds some 150 services.
pub const PICKS_MAX: usize = 256;
