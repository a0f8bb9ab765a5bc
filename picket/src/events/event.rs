use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest text in bytes; the rest of a longer one is left out.
pub const TEXT_BYTES_MAX: usize = 1024;
/// The largest detail in bytes of JSON; a larger one is replaced by `{"omitted": BYTES}`.
pub const DETAIL_BYTES_MAX: usize = 4096;

/// An event on its way in: number, time and boot are those of the moment when it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    /// Its kind, as in `plugin.started`.
    pub kind: String,
    /// The node that it happened to, by its name.
    pub node: String,
    /// The principal of the node or person that caused it, where that is known.
    pub principal: Option<String>,
    /// The same for machines: for a service `service`, `instance`, `reason`.
    pub detail: Map<String, Value>,
    /// The sentence for people.
    pub text: String,
}

/// An event, as it is kept and as `events --json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number: grows by at least one with each.
    pub seq: u64,
    /// When it happened, in milliseconds of Unix time. For people: the clock may step.
    pub at: u64,
    /// How long the machine had been running, in milliseconds.
    pub up_ms: u64,
    /// The id of the boot of the machine.
    pub boot: String,
    /// As [`Draft::kind`].
    pub kind: String,
    /// As [`Draft::node`].
    pub node: String,
    /// As [`Draft::principal`].
    pub principal: Option<String>,
    /// As [`Draft::detail`].
    pub detail: Map<String, Value>,
    /// As [`Draft::text`].
    pub text: String,
}

/// The kind of an event that says how many were left out.
pub(super) const SUPPRESSED: &str = "suppressed";
/// The kind of a record that says that events may be missing before it; readers get [`super::Item::Gap`].
pub(super) const GAP: &str = "gap";

impl Draft {
    /// Shortens what is too long.
    pub(super) fn bound(mut self) -> Self {
        if self.text.len() > TEXT_BYTES_MAX {
            let end = self.text.floor_char_boundary(TEXT_BYTES_MAX);
            self.text.truncate(end);
        }
        let bytes = serde_json::to_vec(&self.detail).map_or(usize::MAX, |json| json.len());
        if bytes > DETAIL_BYTES_MAX {
            self.detail = Map::from_iter([("omitted".to_owned(), bytes.into())]);
        }
        self
    }
}

impl Event {
    /// The service that it is about.
    pub fn service(&self) -> Option<&str> {
        self.detail.get("service")?.as_str()
    }

    /// Of a gap: the last number before it.
    pub(super) fn gap_after(&self) -> Option<u64> {
        (self.kind == GAP).then(|| self.detail.get("after").and_then(Value::as_u64).unwrap_or(0))
    }
}
