//! Evictions: which principals are members, whatever evicted ones sign and whichever statement comes first.
//!
//! | module | what |
//! |---|---|
//! | `rule` | the definitions, computed from nothing and the slow way |
//! | `evicting` | everything that four members and a thief with two keys can do within bounds (stateright) |
//! | `histories` | random histories of a partitioned flock and an adversary that signs anything |
//! | `laws` | order, grouping, repetition; step by step as from nothing |
//! | `single` | what the strew promises about single histories |
//! | `bounds` | how much an operator and others may say |
//! | `codec` | one encoding for each statement, whatever the bytes |
//! | `speed` | how long it takes to compute the members again |
//! | `faults` | each seeded fault is caught; with the feature `planted` |

#![expect(clippy::unwrap_used, reason = "a test that cannot make its values has failed")]
#![expect(
    clippy::print_stdout,
    reason = "how much was tried, and how long it took, is worth reading"
)]

mod bounds;
mod codec;
mod evicting;
#[cfg(feature = "planted")]
mod faults;
mod histories;
mod laws;
mod rule;
mod single;
mod speed;
mod world;
