//! How a target brings a new version of a service to its nodes.

use core::fmt;
use core::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use super::bounds::{STEP_NODES, STEP_PERCENT, default};
use super::written;

/// How a target brings a new version of a service to its nodes: step by step, and back if it is not ready in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rollout {
    /// On how many nodes the version changes at a time; 25 %.
    pub step: Step,
    /// How long the new version may take on a node until it is ready, within
    /// [`ROLLOUT_DEADLINE`](super::ROLLOUT_DEADLINE); 5 min. Later than that the version failed.
    #[serde(with = "written::duration")]
    pub deadline: Duration,
}

impl Default for Rollout {
    fn default() -> Self {
        Self { step: default::STEP, deadline: default::ROLLOUT_DEADLINE }
    }
}

impl Rollout {
    /// Whether it is as if nothing was written.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A number of nodes, or a share of them. Written `3` or `25%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// So many nodes, within [`STEP_NODES`](super::STEP_NODES).
    Nodes(u16),
    /// So many hundredths of the nodes, within [`STEP_PERCENT`](super::STEP_PERCENT).
    Percent(u8),
}

impl Step {
    /// How many of so many nodes one step may change: at least one, else never more than the share. It is exact for
    /// every number of nodes, as no fraction is computed.
    pub fn of(self, nodes: usize) -> usize {
        let allowed = match self {
            Self::Nodes(step) => usize::from(step),
            Self::Percent(percent) => {
                let percent = usize::from(percent);
                // In two parts, so that no number of nodes is too great.
                nodes / 100 * percent + nodes % 100 * percent / 100
            }
        };
        allowed.max(usize::from(!crate::planted!(StepOfNone)))
    }

    /// Whether it is within its bounds.
    pub(super) fn is_within_bounds(self) -> bool {
        match self {
            Self::Nodes(step) => STEP_NODES.contains(&step),
            Self::Percent(percent) => STEP_PERCENT.contains(&percent),
        }
    }
}

/// As it is written.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nodes(step) => write!(f, "{step}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nodes(step) => serializer.serialize_u16(*step),
            Self::Percent(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfAny;

        impl Visitor<'_> for OfAny {
            type Value = Step;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of nodes, or a share of them as in \"25%\"")
            }

            fn visit_u64<E: Error>(self, nodes: u64) -> Result<Step, E> {
                u16::try_from(nodes).map(Step::Nodes).map_err(|_| E::custom(NotAStep))
            }

            fn visit_i64<E: Error>(self, nodes: i64) -> Result<Step, E> {
                self.visit_u64(u64::try_from(nodes).map_err(|_| E::custom(NotAStep))?)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Step, E> {
                let percent = text.strip_suffix('%').and_then(|number| number.parse().ok());
                let step = percent.map(Step::Percent).ok_or(NotAStep).map_err(E::custom)?;
                // `+5%` and `05%` are numbers, too.
                if step.to_string() == text { Ok(step) } else { Err(E::custom(NotAStep)) }
            }
        }

        deserializer.deserialize_any(OfAny)
    }
}

/// The form of a step, in words.
pub(super) const STEP: &str =
    "write a number of nodes from 1 to 65535, or a share of them from \"1%\" to \"100%\"";

/// Neither a number of nodes nor a share of them.
#[derive(Debug, thiserror::Error)]
#[error("{STEP}")]
struct NotAStep;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_step_is_at_least_one_node_and_at_most_its_share() {
        let of = |percent: u8, nodes: usize| Step::Percent(percent).of(nodes);
        assert_eq!(
            [0, 1, 3, 4, 7, 8, 100, 101].map(|nodes| of(25, nodes)),
            [1, 1, 1, 1, 1, 2, 25, 25]
        );
        assert_eq!([of(1, 99), of(1, 100), of(1, 199), of(1, 200)], [1, 1, 1, 2]);
        assert_eq!([of(100, 7), of(99, 100), of(33, 3), of(34, 3)], [7, 99, 1, 1]);
        assert_eq!(of(100, usize::MAX), usize::MAX);
        assert_eq!([0, 2, 9].map(|nodes| Step::Nodes(3).of(nodes)), [3; 3]);
    }

    proptest! {
        #[test]
        fn a_share_is_exact(percent in 1..=100_u8, nodes in 0..=1_usize << 40) {
            let step = Step::Percent(percent).of(nodes);
            prop_assert_eq!(step, (nodes * usize::from(percent) / 100).max(1));
        }
    }
}
