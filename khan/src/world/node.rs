//! A node as the solver sees it.

use std::collections::BTreeMap;

use super::{Room, Usage};

/// A node as the solver sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Its name; ties go by it.
    pub name: String,
    /// Its labels with their values; an empty value where none is given.
    pub labels: BTreeMap<String, String>,
    /// How it may be used.
    pub usage: Usage,
    /// The room that it has in all, also for what runs already.
    pub room: Room,
}
