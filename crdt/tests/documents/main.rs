//! The laws of documents.
//!
//! | module | what |
//! |---|---|
//! | `laws` | merging: any order, number and grouping gives the same; compared with a naive model |
//! | `heal` | replicas that differ, because grants changed, agree once they exchanged what differs |
//! | `writes` | which writes a node takes, and that these win |
//! | `hostile` | bytes that are not a document of this flock, each with its error |
//! | `grants` | keys, permissions, roles and grants: texts, encodings, what they cover |
//! | `stored` | what a disk has follows what the replica has |
//! | `targets` | targets, and orders to nodes: bounds, and which have effect |
//! | `fuzz` | arbitrary and damaged bytes never panic |
//! | `vectors` | the bytes and ids of version 1, pinned in `fixtures/` |
//! | `faults` | each seeded fault breaks a law; with the feature `planted` |

#![expect(clippy::unwrap_used, reason = "a test that cannot make its values has failed")]

#[cfg(feature = "planted")]
mod faults;
mod fuzz;
mod grants;
mod heal;
mod hostile;
mod laws;
mod model;
mod stored;
mod targets;
mod vectors;
mod world;
mod writes;
