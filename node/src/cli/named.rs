//! Nodes as people name them, for what is signed about one.

use std::fmt;

use crux_client::model::NodeRef;
use crux_client::op::GetMembers;
use crux_client::parse;
use crux_crdt::Principal;
use crux_crdt::name::Label;

use super::{Ui, Wait, table};
use crate::error::Error;

/// A node that a person named. The principal is signed in place of the name, which can become another node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The name under which the node is shown; none: it is not a member that the asked node knows.
    pub(super) name: Option<Label>,
    /// Its key.
    pub(super) principal: Principal,
}

impl Named {
    /// The node of this name, of these first digits of a principal, or of this principal. A whole principal may be that
    /// of a node that has not joined yet, or is forgotten.
    ///
    /// # Errors
    /// Those of [`NodeRef::pick`]; those of the call.
    pub(super) fn find(node: &str, wait: Wait, ui: &Ui) -> Result<Self, Error> {
        let node = parse::node(node)?;
        let members = ui.call(&GetMembers, wait)?;
        let members: Vec<_> = members.into_iter().map(|it| (it.node, it.principal)).collect();
        match (node.pick(&members), &node) {
            (Ok((name, principal)), _) => {
                Ok(Self { name: Some(name.clone()), principal: *principal })
            }
            (Err(_), NodeRef::Principal(principal)) => {
                Ok(Self { name: None, principal: *principal })
            }
            (Err(err), NodeRef::Name(_)) => Err(err.augment(format!("the node {node}"))),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = table::short(&self.principal);
        match &self.name {
            Some(name) => write!(f, "{name} ({digits})"),
            None => f.write_str(&digits),
        }
    }
}
