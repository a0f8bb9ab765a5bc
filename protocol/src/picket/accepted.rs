use std::collections::BTreeMap;

use crux_crdt::blob::BlobId;
use crux_crdt::name::ServiceName;

use super::goals::Assigned;
use super::order::Order;

/// The last set of goals that the node accepted, as far as it is not in the services themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// Its order; none: there never was one. It never decreases.
    pub order: Option<Order>,
    /// Its goals that wait, because something is in their way that the target did not place: a service of that name, or
    /// one with their port. At most [`SERVICES_MAX`](crux_crdt::service::SERVICES_MAX).
    pub blocked: BTreeMap<ServiceName, Assigned>,
}

impl Accepted {
    /// The images of the goals that wait.
    pub fn images(&self) -> impl Iterator<Item = BlobId> + '_ {
        self.blocked.values().map(|assigned| assigned.image().blob())
    }
}
