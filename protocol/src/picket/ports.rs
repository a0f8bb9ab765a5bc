//! Ports: no two instances of a node have the same.

use std::collections::{BTreeMap, BTreeSet};

use crux_crdt::service::{PortName, Ports};

use super::command::Command;
use super::id::InstanceId;
use super::life::Life;
use super::state::State;

impl State {
    /// The shell chose ports. Two instances that chose at the same time may have been given the same: the
    /// second one chooses again.
    pub(super) fn on_ports(
        &mut self,
        instance: &InstanceId,
        ports: BTreeMap<PortName, u16>,
        out: &mut Vec<Command>,
    ) {
        let others = self.services.values().flat_map(|service| &service.lives);
        let others = others.filter(|life| life.id() != instance);
        let used: BTreeSet<u16> = others.flat_map(Life::ports).collect();
        self.of(instance, out, |life, turn| {
            let twice: Vec<_> = ports.iter().filter(|(_, port)| used.contains(port)).collect();
            let Some(config) = life.version.as_ref().map(|version| &version.config) else { return };
            let is_whole = config.ports.iter().all(|(name, _)| ports.contains_key(name));
            match twice.first() {
                None if is_whole => life.on_ports(ports, turn),
                None => life.on_ports_failed("not every port was chosen".to_owned(), turn),
                Some((name, port)) if is_fixed(&config.ports, name) => {
                    let reason = format!("port {port} is in use by another service of this node");
                    life.on_ports_failed(reason, turn);
                }
                Some(_) => {
                    let (instance, ports) = (life.id().clone(), config.ports.clone());
                    turn.out.push(Command::ChoosePorts { instance, ports, avoid: used });
                }
            }
        });
    }
}

fn is_fixed(ports: &Ports, name: &PortName) -> bool {
    ports.get(name).is_some_and(|port| port.number().is_some())
}
