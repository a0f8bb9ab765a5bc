//! When a target runs instances elsewhere because their node is lost.

use core::fmt;
use core::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use super::bounds::default;
use crate::units::{duration_text, parse_duration};

/// When a target runs instances elsewhere because their node is lost: the key `move`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(deny_unknown_fields, default)]
pub struct Moving {
    /// How long a node may be dead until its instances run elsewhere; 30 s.
    pub replace_after: ReplaceAfter,
    /// Whether that happens, too, where fewer than half of the nodes are in sight; it does not.
    pub on_minority: OnMinority,
}

impl Moving {
    /// Whether it is as if nothing was written.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How long a node may be dead until its instances run elsewhere. Written `30s` or `never`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplaceAfter {
    /// So long, within [`REPLACE_AFTER`](super::REPLACE_AFTER).
    Time(Duration),
    /// However long: they keep their places.
    Never,
}

impl Default for ReplaceAfter {
    fn default() -> Self {
        Self::Time(default::REPLACE_AFTER)
    }
}

/// The conduct of a leader that sees fewer than half of the nodes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum OnMinority {
    /// It replaces nothing.
    #[default]
    Hold,
    /// It replaces as always.
    Replace,
}

/// As it is written.
impl fmt::Display for ReplaceAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => f.write_str(&duration_text(*time)),
            Self::Never => f.write_str("never"),
        }
    }
}

impl Serialize for ReplaceAfter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ReplaceAfter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfText;

        impl Visitor<'_> for OfText {
            type Value = ReplaceAfter;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration as text, as in \"30s\", or \"never\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ReplaceAfter, E> {
                match text {
                    "never" => Ok(ReplaceAfter::Never),
                    text => parse_duration(text).map(ReplaceAfter::Time).map_err(E::custom),
                }
            }
        }

        deserializer.deserialize_str(OfText)
    }
}
