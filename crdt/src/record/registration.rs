use core::time::Duration;

use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::name::{Label, ServiceName};
use crate::path::Endpoint;

const INSTANCE_BYTES_MAX: usize = 63;
const ENDPOINT_BYTES_MAX: usize = 260;

/// What names a registration on its node: horde, service, revision.
pub type ServiceKey = (Label, ServiceName, ServiceName);

/// The most bytes of each part of a [`ServiceKey`].
pub const KEY_PART_BYTES_MAX: usize = 63;

/// One service that a node offers. (horde, service, rev) is its key on that node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Registration {
    /// The horde it belongs to.
    pub horde: Label,
    /// The actual service name, such as `ntp3`.
    pub service: ServiceName,
    /// Its revision.
    pub rev: ServiceName,
    /// Where it is reached.
    pub endpoint: Endpoint,
    /// Unique in the flock: `svc-` and ten base32 characters. Others need not keep to that, but to what
    /// names of services are made of.
    pub instance: String,
    /// The node removes it that long after it was last registered; none: it stays. Whole
    /// milliseconds, at least one.
    pub lease: Option<Duration>,
}

impl Registration {
    /// Its key on its node.
    pub const fn key(&self) -> (&Label, &ServiceName, &ServiceName) {
        (&self.horde, &self.service, &self.rev)
    }
}

impl Canonical for Registration {
    fn encode(&self, out: &mut Encoder) {
        out.str(self.horde.as_str()).str(self.service.as_str()).str(self.rev.as_str());
        out.str(&self.endpoint.to_string()).str(&self.instance);
        // Milliseconds; 0 is none. A shorter lease than one must not become one that never ends.
        let millis = |lease: Duration| lease.as_millis().clamp(1, u64::MAX.into());
        out.u64(self.lease.map_or(0, |lease| millis(lease).try_into().unwrap_or(u64::MAX)));
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            horde: input.parse(KEY_PART_BYTES_MAX, "horde")?,
            service: input.parse(KEY_PART_BYTES_MAX, "service")?,
            rev: input.parse(KEY_PART_BYTES_MAX, "revision")?,
            endpoint: input.parse(ENDPOINT_BYTES_MAX, "address")?,
            instance: input.parse::<ServiceName>(INSTANCE_BYTES_MAX, "instance")?.to_string(),
            lease: match input.u64("lease")? {
                0 => None,
                millis => Some(Duration::from_millis(millis)),
            },
        })
    }
}
