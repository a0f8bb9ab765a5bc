//! The names of instances and requests.

use core::fmt;
use std::sync::Arc;

/// Names one run of one program: `NAME-REV-K-XXXXXXXX`, where K is the ordinal counted from 1 and the
/// tail is random. Never used twice; also the name of the instance's directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    /// One that was made before, as it is in a record.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names a request of a person in its answer. Chosen by the shell, never used twice in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);
