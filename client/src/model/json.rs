//! How identifiers look in JSON: as they print.

use core::fmt::Display;

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
