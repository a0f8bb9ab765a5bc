use core::iter::Sum;
use core::ops::Add;
use std::sync::Arc;

use super::Document;

/// The room that documents take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cost {
    /// How many bytes their envelopes have.
    pub(super) bytes: usize,
    /// In memory, in bytes.
    pub(super) footprint: usize,
}

impl Cost {
    /// This, with `after` in place of `before`, which is part of it.
    #[must_use]
    pub(super) const fn with(self, before: Self, after: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(before.bytes) + after.bytes,
            footprint: self.footprint.saturating_sub(before.footprint) + after.footprint,
        }
    }
}

impl From<&Arc<Document>> for Cost {
    fn from(document: &Arc<Document>) -> Self {
        Self { bytes: document.bytes(), footprint: document.footprint() }
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, footprint: self.footprint + other.footprint }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}
