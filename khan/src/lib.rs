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
//! | [`world`] | what the solver sees of a horde, also from JSON |
//! | [`solve`](mod@solve) | where instances are to run: the placement nearest to what runs |
//! | [`pass`](mod@pass) | what is to change, step by step, and why |
//! | [`ratio`] | exact fractions, the numbers of the language |
//!
//! Pure: no clock, no randomness, no IO. The same text gives the same values on every node.

pub mod checked;
pub mod pass;
pub mod ratio;
pub mod solve;
pub mod syntax;
pub mod world;

pub use checked::Checked;
