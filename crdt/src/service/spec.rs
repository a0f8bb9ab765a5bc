//! Which version of a service runs: the hash of what its instances are started with, and how they are watched.

use core::fmt;

use data_encoding::HEXLOWER;

use super::config::{Config, Fields};
use super::moving::Moving;
use super::rollout::Rollout;
use crate::Digest;
use crate::canon::Encoder;
use crate::hash::sha3;

/// Stands for the [hash of a version](Config::spec) where 32 bytes would take too much room: its first eight.
///
/// It tells apart the versions that signed targets have; two of 4,096 have one tag with a chance of 1 in 2^41. A user
/// who searches for such a pair needs 2^32 hashes, and confuses the services of the own horde alone: a node looks a tag
/// up among configs that are signed, and starts nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpecTag(pub [u8; 8]);

impl From<Digest> for SpecTag {
    fn from(spec: Digest) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = spec.0;
        Self([a, b, c, d, e, f, g, h])
    }
}

/// 16 lower-case hex digits.
impl fmt::Display for SpecTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&HEXLOWER.encode(&self.0))
    }
}

impl Config {
    /// The hash of its version: of everything but how many instances there are and what only a target uses. Configs
    /// that [say the same](Config::same_content) have the same, however they are written; so the one of a target and
    /// the one that a node runs for it have the same, and a new step of a roll-out is not a new version.
    pub fn spec(&self) -> Digest {
        let (rollout, moving) = (Rollout::default(), Moving::default());
        let plain = Fields { count: 1, priority: 0, rollout, moving, ..self.plain() };
        let mut out = Encoder::default();
        plain.encode(&mut out);
        sha3("crux/spec/1", &[&out.finish()])
    }

    /// The tag of its version.
    pub fn spec_tag(&self) -> SpecTag {
        self.spec().into()
    }
}
