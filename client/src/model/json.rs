//! How identifiers look in JSON: as they print.

use core::fmt::Display;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// Serializes what prints as a string.
pub(super) fn text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Serializes what prints as a string, and `None` as `null`.
pub(super) fn text_or_null<T: Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.as_ref().map(T::to_string).serialize(serializer)
}

/// Serializes a duration as whole milliseconds.
pub(super) fn millis<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(whole_millis(*time))
}

/// Serializes a duration as whole milliseconds, and `None` as `null`.
pub(super) fn millis_or_null<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(whole_millis).serialize(serializer)
}

/// A duration in whole milliseconds, as the wire and JSON have it.
pub(crate) fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
