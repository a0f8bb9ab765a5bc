//! The instances that a solution leaves open.

use core::fmt;
use std::collections::BTreeMap;

use super::Reason;

/// The instances that a solution leaves open for one service, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Problem {
    /// The set has no node, so the service stays as it runs.
    Empty {
        /// The service.
        service: String,
    },
    /// The service rests on one without a solution, so it stays as it runs.
    Blocked {
        /// The service.
        service: String,
        /// The service that it rests on.
        on: String,
    },
    /// A number has no value, so the service stays as it runs.
    Arithmetic {
        /// The service.
        service: String,
        /// Why it has none.
        why: String,
    },
    /// Fewer instances than wanted are placed.
    Short {
        /// The service.
        service: String,
        /// How many are not placed.
        missing: u32,
        /// For how many nodes each reason holds; for one node several may.
        why: BTreeMap<Reason, u32>,
    },
}

impl Problem {
    /// The service.
    pub fn service(&self) -> &str {
        match self {
            Self::Empty { service }
            | Self::Blocked { service, .. }
            | Self::Arithmetic { service, .. }
            | Self::Short { service, .. } => service,
        }
    }

    /// How many instances are not placed of a service that has a solution; of one that has none, 0.
    pub fn missing(&self) -> u32 {
        match self {
            Self::Short { missing, .. } => *missing,
            Self::Empty { .. } | Self::Blocked { .. } | Self::Arithmetic { .. } => 0,
        }
    }
}

impl fmt::Display for Problem {
    /// As a line for people: `short: 2 of 's3' find no room; has 4 already: 1, not in the set: 7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { service } => {
                write!(f, "empty: the set of '{service}' has no node; it stays as it runs")
            }
            Self::Blocked { service, on } => {
                write!(f, "blocked: '{service}' rests on '{on}'; it stays as it runs")
            }
            Self::Arithmetic { service, why } => {
                write!(f, "arithmetic: '{service}': {why}; it stays as it runs")
            }
            Self::Short { service, missing, why } => {
                write!(f, "short: {missing} of '{service}' find no room; {}", Counted(why))
            }
        }
    }
}

/// Reasons with their numbers: `not in the set: 3, no room: memory: 2`.
struct Counted<'a>(&'a BTreeMap<Reason, u32>);

impl fmt::Display for Counted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (reason, count)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{reason}: {count}")?;
        }
        Ok(())
    }
}
