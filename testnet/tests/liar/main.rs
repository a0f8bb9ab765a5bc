//! A member that lies, or a stranger, does it to real nodes; each test says what must stand.
//!
//! The liar is the project's own engine, changed in one thing: see `crux_testnet::liar`. What a test
//! measures it prints (`cargo test --test liar -- --nocapture`): the table of the threat model.

mod blob;
mod fence;
mod guests;
mod keys;
mod silent;
mod slow;
mod support;
mod text;
