//! Khan, the language of target states: a program says which services run on which nodes.
//!
//! ```text
//!   text ──▶ tokens ──▶ syntax::Program ──▶ Checked ──┐
//!      lexer      parser    │         checker       ├──▶ solve ──▶ pass ──▶ Plan
//!                           └──▶ printer ──▶ text   │
//!                                        World ─────┘
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`syntax`] | a program as it is written: expressions with the places where they are written |
//! | [`checked`] | a program that keeps every rule: types known, names resolved, picks in the order of solving |
//! | [`diagnostic`] | what is wrong in a program, for people (line, column, caret) and for scripts |
//! | [`world`] | what the solver sees of a horde, also from JSON |
//! | [`solve`](mod@solve) | where instances are to run: the placement nearest to what runs |
//! | [`pass`](mod@pass) | what is to change, step by step, and why |
//! | [`ratio`] | exact fractions, the numbers of the language |
//!
//! Pure: no clock, no randomness, no IO. The same text gives the same values on every node.
//!
//! ```
//! let text = "web := pick(web, SIZE(ALL) / 2, !LABEL(db), spread = zone)\npick(cache, 1, web)\n";
//! let compiled = crux_khan::compile(text);
//! let program = compiled.checked.expect("there is no error in it");
//! assert_eq!(program.picks()[1].needs, [program.pick_of("web").unwrap()]);
//!
//! let compiled = crux_khan::compile("pick(web, 2, dbs)");
//! let error = compiled.diagnostics[0].locate("site.khan", "pick(web, 2, dbs)");
//! assert_eq!((error.line, error.column, error.end), (1, 14, 17));
//! assert_eq!(error.message, "nothing binds the name `dbs`");
//! ```

pub mod checked;
mod checker;
mod compile;
pub mod diagnostic;
mod lexer;
mod parser;
pub mod pass;
mod printer;
pub mod ratio;
mod similar;
pub mod solve;
pub mod syntax;
pub mod world;

pub use checked::Checked;
pub use compile::{Compiled, check_format, compile, format, parse};
pub use diagnostic::{Diagnostic, render};
pub use parser::Parsed;
