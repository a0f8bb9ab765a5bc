//! The instances of a node, in a few words.

use std::fmt;

use crux_client::model::{Instance, InstanceState};
use serde::Serialize;

/// A service on a node: how many of its instances are in one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Runs {
    /// The service.
    pub service: String,
    /// The state of these instances.
    pub state: String,
    /// How many.
    pub instances: usize,
}

impl Runs {
    /// The services of a node, each with the states that its instances are in, in their order.
    #[must_use]
    pub fn of(instances: &[Instance]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for Instance { service, state, .. } in instances {
            let (service, state) = (service.to_string(), state.to_string());
            match all.iter_mut().find(|it| it.service == service && it.state == state) {
                Some(known) => known.instances += 1,
                None => all.push(Self { service, state, instances: 1 }),
            }
        }
        all
    }
}

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, state, instances } = self;
        f.write_str(service)?;
        if *instances > 1 {
            write!(f, " ×{instances}")?;
        }
        if state != InstanceState::Up.as_str() {
            write!(f, " ({state})")?;
        }
        Ok(())
    }
}

/// The instances of a node, on one line.
#[must_use]
pub fn runs_line(all: &[Runs]) -> String {
    all.iter().map(Runs::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use crux_client::model::ServiceStatus;

    use super::*;

    fn instance(service: &str, ordinal: u16, state: InstanceState) -> Instance {
        Instance {
            service: service.parse().expect("a name"),
            rev: "v1".parse().expect("a name"),
            ordinal,
            horde: "main".parse().expect("a name"),
            instance: None,
            state,
            status: ServiceStatus::Up,
            since: Duration::ZERO,
            pid: None,
            restarts: 0,
            image: None,
            sealed: true,
            ports: BTreeMap::new(),
            memory: None,
            cpu: None,
            reason: None,
        }
    }

    #[test]
    fn a_state_is_named_unless_it_is_up_and_instances_are_counted() {
        use InstanceState::{Backoff, Starting, Up};
        let all = Runs::of(&[
            instance("api", 0, Backoff),
            instance("web", 0, Up),
            instance("web", 1, Starting),
            instance("web", 2, Up),
        ]);
        assert_eq!(runs_line(&all), "api (backoff), web ×2, web (starting)");
        assert_eq!(runs_line(&[]), "");
    }
}
