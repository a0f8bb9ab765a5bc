//! Configs of services as people write them: read with the place of every mistake, and printed.
//!
//! ```text
//!   TOML ─┐            ┌─ later keys refused      serde of crdt::service      rules of crdt::service
//!   JSON ─┴─▶ a tree ──┴─ defaults filled in ──▶ Fields<Source> ───────────▶ Draft ── image ──▶ Config
//!             every value with its place         errors get the place of the value
//!   words of a command line ───────────────────────────────────────────────────▲
//! ```
//!
//! The grammar is that of `crux_crdt::service`, which says what a key may be; nothing here knows a key but
//! those that come later, those that may be left out, and their order in print. **Invariants**: every mistake
//! has a line and a column; what [`print()`] writes [`read`] reads to the same; no text makes either panic, or
//! take more than a few times its length in memory.

mod de;
mod draft;
mod error;
mod json_tree;
mod print;
mod read;
mod similar;
mod toml_tree;
mod tree;
mod words;

#[cfg(test)]
mod tests;

pub use draft::{Draft, Place, Source};
pub use error::{ConfigError, Located};
pub use print::print;
pub use read::{Owner, read};
pub use words::Words;
