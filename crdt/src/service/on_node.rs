//! A config that a target has, and the one that a node runs.

use super::bounds::COUNT_MAX;
use super::config::{Config, Fields};
use super::error::ConfigErrors;
use super::moving::Moving;
use super::rollout::Rollout;

impl<I> Fields<I> {
    /// The keys that it has and that only a target uses. A service that a person adds to a node has none of them,
    /// as they would have no effect there.
    pub fn for_targets(&self) -> impl Iterator<Item = &'static str> {
        let keys = [
            ("priority", self.priority != 0),
            ("rollout", !self.rollout.is_default()),
            ("move", !self.moving.is_default()),
        ];
        keys.into_iter().filter_map(|(key, is_there)| is_there.then_some(key))
    }

    /// How many instances of it a node can run: one where a port has a fixed number, else [`COUNT_MAX`].
    pub fn most_on_node(&self) -> u16 {
        let is_fixed = self.ports.iter().any(|(_, port)| port.number().is_some());
        if is_fixed { 1 } else { COUNT_MAX }
    }
}

impl Config {
    /// The config with which a node runs so many instances for a target: without what only a target uses. So a
    /// node's own config never has it, and changing it changes nothing on a node.
    ///
    /// # Errors
    /// There are none, or more than [`Fields::most_on_node`].
    pub fn on_node(&self, count: u16) -> Result<Self, ConfigErrors> {
        let (rollout, moving) = (Rollout::default(), Moving::default());
        let fields = self.clone().into_fields();
        Fields { count, priority: 0, rollout, moving, ..fields }.try_into()
    }
}
