//! Whether this node's name is firm.
//!
//! **Invariant**: a node that has seed peers, and a replica of none of them, says that its name is
//! provisional; and who says so does not take the name of who does not.
//!
//! A node with `--join` entries starts provisional, and stays as it was after a restart: what it reached
//! before it reached. It becomes firm once it compared itself with a member at one of its entries, or if no
//! entry leads anywhere but to itself, and as long as nobody else holds the name: two flocks that met do not
//! trade names because a node of the younger one found its way to the older.

use crux_crdt::Principal;
use crux_crdt::record::Record;

use super::config::Config;
use super::state::State;
use crate::author::{Change, Origin};
use crate::dial;

/// Whether the name is provisional at the start.
pub(super) fn starts_provisional(
    config: &Config,
    last: Option<&Record>,
    dial: &dial::State,
) -> bool {
    let told = dial.has_seeds(&config.addresses);
    told && last.is_none_or(|last| last.profile().provisional)
}

impl State {
    /// This node lacks nothing that a member had.
    pub(super) fn note_seed(&mut self, peer: &Principal) {
        self.seed_met |= self.dial.is_seed(peer);
    }

    /// Makes the name firm, once it may be.
    pub(super) fn firm_up(&mut self) {
        let own = &self.author.committed().profile;
        if !own.provisional || self.author.is_pending(|change| matches!(change, Change::Firm)) {
            return;
        }
        let me = self.context.me;
        let holder = own.name.as_ref().and_then(|name| self.names.holder(name));
        let free = holder.is_none_or(|holder| holder == me);
        let found = self.seed_met || !self.dial.has_seeds(&self.config.addresses);
        if found && free {
            self.author.push(Origin::Internal, Change::Firm);
        }
    }
}
