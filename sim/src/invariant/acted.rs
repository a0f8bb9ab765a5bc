//! What a node does for a target.
//!
//! * No node runs a version that no user signed, whatever a plan says.
//! * The order that a node enacts never decreases, by the target first and then by the pass: also over a loss of power.
//!   So it hands its supervisor no set below the one that it accepted.
//! * What the supervisor reports has everything that runs. So a node that is drained is done only when nothing runs.

use std::collections::BTreeMap;

use crux_crdt::name::ServiceName;
use crux_protocol::picket::{Order, Owned, Record};

use crate::site::{Machine, Signed};

/// The greatest order that each host enacted.
#[derive(Debug, Default)]
pub(crate) struct Acted {
    orders: BTreeMap<usize, Order>,
}

impl Acted {
    /// A supervisor enacts a set.
    ///
    /// # Errors
    /// It enacted a later one.
    pub(crate) fn accepts(&mut self, host: usize, order: Option<Order>) -> Result<(), String> {
        let before = self.orders.get(&host).copied();
        let is_forward = order >= before;
        self.orders.extend(order.map(|order| (host, order)));
        is_forward.then_some(()).ok_or_else(|| {
            format!("n{host} enacts an older target or plan: {order:?} after {before:?}")
        })
    }

    /// A node hands in a set.
    ///
    /// # Errors
    /// The supervisor enacted a later one.
    pub(crate) fn hands(&self, host: usize, order: Order) -> Result<(), String> {
        let held = self.orders.get(&host).filter(|held| order < **held);
        held.map_or(Ok(()), |held| Err(format!("n{host} hands in {order:?} after {held:?}")))
    }

    /// An instance is about to run.
    ///
    /// # Errors
    /// Nobody signed it.
    pub(crate) fn spawns(&self, host: usize, it: &Record, signed: &Signed) -> Result<(), String> {
        let Some(placed) = it.placed else {
            return Err(format!("n{host} starts {} for nobody", it.instance));
        };
        let service = signed.service(placed.spec);
        let is_signed = service.is_some_and(|of| of.name == it.service && of.image == it.blob);
        is_signed
            .then_some(())
            .ok_or_else(|| format!("n{host} starts {} that nobody signed", it.instance))
    }

    /// A supervisor reports what it has.
    ///
    /// # Errors
    /// Something else runs, too.
    pub(crate) fn reports(&self, host: usize, owned: &Owned, on: &Machine) -> Result<(), String> {
        let mut running: BTreeMap<&ServiceName, u32> = BTreeMap::new();
        for keeper in on.keepers.values() {
            *running.entry(&keeper.record.service).or_default() += 1;
        }
        for (service, count) in running {
            let rows = owned.rows.iter().filter(|row| row.service == *service);
            let told = rows.filter(|row| row.stage.is_running()).map(|row| u32::from(row.count));
            let told: u32 = told.sum();
            if told < count {
                return Err(format!("{count} {service} run on n{host}, which reports {told}"));
            }
        }
        Ok(())
    }
}
