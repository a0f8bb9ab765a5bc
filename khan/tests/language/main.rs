//! The language as a caller sees it: every error with its place, and texts that are not programs.

mod errors;
mod fuzz;
