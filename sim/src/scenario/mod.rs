//! The story of a flock, as data.
//!
//! ```text
//!   a text file ── parse ──▶ Scenario ── draw(nodes, luck) ──▶ steps ──▶ a runner
//!   scenarios/*.scenario     lines with names and chances      hosts and times, nothing open
//! ```
//!
//! A scenario is a text, one operation a line, `#` begins a comment. The text names every choice that
//! is left to chance, and [`Scenario::draw`] makes it, so that a runner meets none: the same steps run in
//! virtual time, on processes, or on containers. A step prints as a line that parses again.
//!
//! The head of a text, all but `nodes` optional:
//!
//! | line | meaning |
//! |---|---|
//! | `about TEXT` | what it shows |
//! | `nodes N` | how many nodes unless told otherwise |
//! | `sizes N..M` | how many a seed may choose, both included; N..N of `nodes` without it |
//! | `spare N` | hosts beside the nodes, that start only when told |
//! | `weight N` | how often seeds choose it; 10 without it, 0 is never |
//! | `health` | with each request of a client its node says how its services are; in virtual time only |
//! | `picket` | the supervisor of one machine lives, and the seed decides what happens; no lines |
//! | `goals` | with `picket`: a target hands in sets of goals beside the people |
//! | `targets` | each node has a supervisor, and enacts the targets that people sign; in virtual time only |
//!
//! Then lines that decide something, and are gone once drawn:
//!
//! | line | meaning |
//! |---|---|
//! | `form` | any weather, then all start in any order with pauses, and are one flock within 30 s |
//! | `weather any` | calm or rough |
//! | `let NAME = WHO` | a name for some hosts |
//! | `pause up to TIME` | some time |
//! | `clients at WHO N` | N services are registered, registered again at another port, or removed, at any of them, with pauses |
//! | `writers at WHO N` | N writes of documents at any of them, with pauses: by the operator or users, grants and revocations, floods, by old copies |
//! | `targets at WHO N` | N targets are signed at any of them, with pauses |
//! | `repeat N {`, `repeat N..M {` | what is between the braces, so often |
//! | `each NAME from WHO {` | that for each, in any order |
//! | `maybe P% {` | that, with this chance |
//! | `choose {` | one of the lines within, each `WEIGHT: LINE` |
//!
//! Everything else is an [`Op`]: see there. WHO is `[any [COUNT] of] NAME… [but NAME…]`, where COUNT
//! is `2`, `1..3` or `2/5`, and a name one that was given, `n0` and so on, `all` nodes, `spare`
//! hosts, or of the nodes those that are `up`, `down` or `frozen` at that point, or `none`.
//!
//! **Invariant**: whatever was drawn, the steps end with everything healed, resumed, emptied and
//! started again, and the demand that all who run are one flock, and run what the target
//! says if there is one. An operation on nobody is no step.

mod condition;
mod draw;
mod error;
mod hosts;
mod library;
mod line;
mod op;
mod request;
#[expect(clippy::module_inception, reason = "the main type of the module has its name")]
mod scenario;
mod site;
mod span;
#[cfg(test)]
mod tests;
mod weather;
mod who;
mod words;
mod write;

pub use condition::{Condition, Seen};
pub use draw::seed_of;
pub use error::ParseError;
pub use hosts::Hosts;
pub use library::{by_name, library};
pub use line::{Count, Line};
pub use op::{Op, Step};
pub use request::{Request, Service};
pub use scenario::Scenario;
pub use site::{Order, Shape, Site};
pub use weather::{Cut, Weather};
pub use who::{Share, Who};
pub use write::{Deed, Paper, Signer, User, Write};
