//! `drain`, `cordon` and `uncordon`: what targets may make of a node.
//!
//! ```text
//!   node ─ members ─▶ principal ─▶ key node/PRINCIPAL ─▶ the order that it has ─▶ the next one ─ signed ─▶ a node
//!                                                                                     └ with --wait: members, until it is empty
//! ```
//!
//! Invariants: an order that is in force already is not signed again. Fields of a newer version of Crux
//! stay in the document.

mod cordon;
mod drain;
mod follow;
mod write;

pub(super) use cordon::{Cordon, Uncordon, cordon, uncordon};
pub(super) use drain::{Args as Drain, run as drain};
pub(super) use write::words;

use super::named::Named;
use super::sign::{AnySigner, Content, Session, Writing, Written};
use super::{Ui, Wait};
