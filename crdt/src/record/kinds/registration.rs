use core::time::Duration;
use std::collections::BTreeMap;

use super::ServiceKey;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::name::ServiceName;
use crate::path::Endpoint;
use crate::record::{SlotValue, labels};

/// How many labels a registration may carry. With the longest ones it fits
/// [`SLOT_BYTES_MAX`](crate::record::SLOT_BYTES_MAX).
pub const SERVICE_LABELS_MAX: usize = 16;

const INSTANCE_BYTES_MAX: usize = 63;
const ENDPOINT_BYTES_MAX: usize = 260;

/// What a label takes in memory beside its bytes, here and where it is shown: its places in two maps, and
/// four strings. Measured by `tests/memory.rs`.
const LABEL_COST: usize = 320;

/// One service of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Registration {
    /// What names it on its node.
    pub key: ServiceKey,
    /// Where it is reached.
    pub endpoint: Endpoint,
    /// Unique in the flock: `svc-` and ten base32 characters. Others need not keep to that, but to what
    /// names of services are made of.
    pub instance: String,
    /// Free labels, `key=value`; at most [`SERVICE_LABELS_MAX`], by the rules of a node's labels
    /// ([`Profile::labels`](crate::record::Profile::labels)).
    pub labels: BTreeMap<String, String>,
    /// The node removes it that long after it was last registered; none: it stays. Whole
    /// milliseconds, at least one.
    pub lease: Option<Duration>,
}

impl SlotValue for Registration {
    type Key = ServiceKey;

    fn key(&self) -> ServiceKey {
        self.key.clone()
    }

    fn overhead(&self) -> usize {
        self.labels.len() * LABEL_COST
    }
}

impl Canonical for Registration {
    fn encode(&self, out: &mut Encoder) {
        self.key.encode(out);
        out.str(&self.endpoint.to_string()).str(&self.instance);
        labels::encode(&self.labels, out);
        // Milliseconds; 0 is none. A shorter lease than one must not become one that never ends.
        let millis = |lease: Duration| lease.as_millis().clamp(1, u64::MAX.into());
        out.u64(self.lease.map_or(0, |lease| millis(lease).try_into().unwrap_or(u64::MAX)));
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            key: ServiceKey::decode(input)?,
            endpoint: input.parse(ENDPOINT_BYTES_MAX, "address")?,
            instance: input.parse::<ServiceName>(INSTANCE_BYTES_MAX, "instance")?.to_string(),
            labels: labels::decode(input, SERVICE_LABELS_MAX)?,
            lease: match input.u64("lease")? {
                0 => None,
                millis => Some(Duration::from_millis(millis)),
            },
        })
    }
}
