//! Programs as text.
//!
//! ```text
//!   Program ──▶ tokens ──┐
//!                        ├──▶ Layout ──▶ text
//!   text ──▶ tokens, comments ──┘
//! ```
//!
//! [`Layout`] alone knows where blanks and line breaks go. A program is printed as its tokens, with the brackets
//! that the ranks of its operators need; a text is formatted as the tokens and comments that it has, none more
//! and none less.
//!
//! **Invariants**: a printed program parses to the same program, with other places. A formatted text has the
//! same tokens and comments as before, and formatting it again changes nothing.

mod format;
mod layout;
mod print;

#[cfg(test)]
mod tests;

pub(crate) use format::format;
