//! Khan, the language of target states: a program says which services run on which nodes.
//!
//! ```text
//!   text ──▶ syntax::Program ──▶ Checked ──▶ solver
//!    lexer, parser        checker
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`syntax`] | a program as it is written: expressions with the places where they are written |
//! | [`checked`] | a program that keeps every rule: types known, names resolved, picks in the order of solving |
//! | [`ratio`] | exact fractions, the numbers of the language |
//!
//! Pure: no clock, no randomness, no IO. The same text gives the same values on every node.

pub mod checked;
pub mod ratio;
pub mod syntax;

pub use checked::Checked;
