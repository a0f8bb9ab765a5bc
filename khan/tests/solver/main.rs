//! The solver: golden cases, laws, exactness against trying everything, and the gap where that is NP-hard.
//!
//! `PROPTEST_CASES=3000 cargo test --release -p crux-khan` looks for longer than the gate does.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its values has failed")]

mod case;
mod exact;
mod examples;
mod gap;
mod golden;
mod hostile;
mod laws;
mod naive;
mod rules;
mod world_fuzz;
