//! The laws of the replicated data: every merged type and every encoded type is put through them.
//!
//! | module | what |
//! |---|---|
//! | `register`, `strew` | merging: any order, number and grouping gives the same bytes |
//! | `replica` | what the strew promises about one history: covering, resurrection, return, names |
//! | `room` | what a replica with a limit takes in; bounds of one author |
//! | `plans`, `instances` | plans of leaders and what nodes say of them: parts, mixes, bounds |
//! | `canonical`, `envelope` | one encoding for each value; a signed one opens to itself or not at all |
//! | `strict` | signatures that a laxer verification takes |
//! | `decoders` | arbitrary bytes never panic |
//! | `vectors` | the bytes and ids of version 1, pinned in `fixtures/` |

#![expect(clippy::unwrap_used, reason = "a test that cannot make its values has failed")]

mod canonical;
mod decoders;
mod envelope;
mod flock;
mod instances;
mod plans;
mod register;
mod replica;
mod room;
mod strew;
mod strict;
mod values;
mod vectors;
