//! Signing documents: what `doc`, `user` and `setting` have in common.
//!
//! ```text
//!   key of a person ──┐
//!   keys of documents ├─▶ Session ─ Draft ─▶ words, with --dry-run
//!   basis, of a node ─┘                 └──▶ signed ──▶ a node, which checks it as if a peer had sent it
//! ```
//!
//! Invariants: a private key is read here, and only bytes that are signed leave the process. Nothing is signed for a flock
//! whose operator, or whose grant, does not fit the key; then the error says what the key may write. Each document is
//! signed for the generation after the greatest that the node has, so a node that learnt of another write meanwhile
//! refuses it with `conflict`, and repeating the command signs it again.

mod draft;
mod keys;
mod session;
mod source;

pub(super) use draft::{Content, Draft};
pub(super) use keys::{AnySigner, OperatorSigner};
pub(super) use session::{Session, Written};
pub(super) use source::{is_stdin, read, read_file};

use super::{Ui, Wait};

/// How a command that signs writes.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Writing {
    /// How many other members must have stored it before this returns. If fewer did within --timeout, the error
    /// says how many, and what was written stays
    #[arg(long, value_name = "K", default_value_t = 0)]
    sync: u32,
    /// Say in words what would be signed. Signs nothing and sends nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) wait: Wait,
}
