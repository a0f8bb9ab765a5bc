//! How values are written: names and ids as their text, durations and sizes with their unit.

use core::fmt;
use core::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use super::port::PortName;
use crate::id::BlobId;
use crate::name::{Label, ServiceName};
use crate::units;

/// Has types written as their text, and read by their parser, which checks.
macro_rules! as_text {
    ($($type:ty: $what:literal),* $(,)?) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct OfText;

                impl Visitor<'_> for OfText {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(OfText)
            }
        }
    )*};
}

as_text! {
    ServiceName: "the name of a service or a revision",
    Label: "the name of a horde",
    BlobId: "the id of a blob",
    PortName: "the name of a port",
}

/// For `#[serde(with)]`: a duration, as in `10s`.
pub(super) mod duration {
    use super::{Deserializer, Duration, Error, Serializer, Visitor, fmt, units};

    pub(in crate::service) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&units::duration_text(*duration))
    }

    pub(in crate::service) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        struct OfText;

        impl Visitor<'_> for OfText {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration as text, as in \"10s\" or \"250ms\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
                units::parse_duration(text).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(OfText)
    }
}

/// For `#[serde(with)]`: a number of bytes, as a number or as in `512MiB`.
pub(super) mod size {
    use super::{Deserializer, Error, Serializer, Visitor, fmt, units};

    pub(in crate::service) fn serialize<S: Serializer>(
        bytes: &u64,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&units::size_text(*bytes))
    }

    pub(in crate::service) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<u64, D::Error> {
        struct OfText;

        impl Visitor<'_> for OfText {
            type Value = u64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes, or a size as text, as in \"500MiB\"")
            }

            fn visit_u64<E: Error>(self, bytes: u64) -> Result<u64, E> {
                Ok(bytes)
            }

            fn visit_i64<E: Error>(self, bytes: i64) -> Result<u64, E> {
                u64::try_from(bytes).map_err(|_| E::custom(units::UnitError::Size))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
                units::parse_size(text).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(OfText)
    }
}

/// For `#[serde(with)]`: as [`size`], or nothing.
pub(super) mod size_or_none {
    use super::{Deserializer, Serializer, size};

    pub(in crate::service) fn serialize<S: Serializer>(
        bytes: &Option<u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => size::serialize(bytes, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::service) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u64>, D::Error> {
        size::deserialize(deserializer).map(Some)
    }
}

/// For `#[serde(with)]`: thousandths, written as a number of wholes: 500 is 0.5.
pub(super) mod milli {
    use super::{Deserializer, Error, Serializer, Visitor, fmt};

    pub(in crate::service) fn serialize<S: Serializer>(
        milli: &Option<u32>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match milli {
            None => serializer.serialize_none(),
            Some(milli) if milli % 1000 == 0 => serializer.serialize_u32(milli / 1000),
            Some(milli) => serializer.serialize_f64(f64::from(*milli) / 1000.0),
        }
    }

    pub(in crate::service) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u32>, D::Error> {
        struct OfNumber;

        impl Visitor<'_> for OfNumber {
            type Value = Option<u32>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of processors, as in 2 or 0.5")
            }

            fn visit_u64<E: Error>(self, whole: u64) -> Result<Option<u32>, E> {
                let milli = whole.checked_mul(1000).and_then(|milli| milli.try_into().ok());
                milli.map(Some).ok_or_else(|| E::custom("it is too great"))
            }

            fn visit_i64<E: Error>(self, whole: i64) -> Result<Option<u32>, E> {
                let whole =
                    u64::try_from(whole).map_err(|_| E::custom("it is less than nothing"))?;
                self.visit_u64(whole)
            }

            fn visit_f64<E: Error>(self, wholes: f64) -> Result<Option<u32>, E> {
                let milli = (wholes * 1000.0).round();
                if !(0.0..=f64::from(u32::MAX)).contains(&milli) {
                    return Err(E::custom("it is out of range"));
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a whole number within the range, as checked"
                )]
                let milli = milli as u32;
                Ok(Some(milli))
            }
        }

        deserializer.deserialize_any(OfNumber)
    }
}
