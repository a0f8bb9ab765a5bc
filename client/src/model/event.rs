//! Events that a node saw.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::name::Label;
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::WallTime;
use super::json::whole_millis;

/// One thing that a node saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Orders a node's events; never used twice on a node.
    pub seq: u64,
    /// When, by the node's wall clock. It orders nothing.
    pub at: WallTime,
    /// The time since the machine started.
    pub up: Duration,
    /// The boot id of the machine.
    pub boot: String,
    /// The kind of event, as in `plugin.exited`; [`Event::GAP`] where events are lost.
    pub kind: String,
    /// The node that saw it.
    pub node: Label,
    /// Its key.
    pub principal: Principal,
    /// For machines: `service`, `instance`, `reason` and others.
    pub detail: BTreeMap<String, String>,
    /// For people.
    pub text: String,
}

impl Event {
    /// The kind that says: the events after the one that was asked for, up to this number, are lost.
    pub const GAP: &'static str = "gap";
}

/// `{seq, at, up_ms, boot, kind, node, principal, detail, text}`
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Event", 9)?;
        object.serialize_field("seq", &self.seq)?;
        object.serialize_field("at", &self.at.with_millis())?;
        object.serialize_field("up_ms", &whole_millis(self.up))?;
        object.serialize_field("boot", &self.boot)?;
        object.serialize_field("kind", &self.kind)?;
        object.serialize_field("node", self.node.as_str())?;
        object.serialize_field("principal", &self.principal.to_string())?;
        object.serialize_field("detail", &self.detail)?;
        object.serialize_field("text", &self.text)?;
        object.end()
    }
}
