//! The two rules: which document wins under a key, and which one is its rival.

use std::sync::Arc;

use super::{Document, GENERATION_MAX, Marker};

/// The two documents that some documents under one key amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The one with the greatest marker.
    pub winner: Arc<Document>,
    /// Of the others with a generation that is not smaller, the one with the greatest.
    pub rival: Option<Arc<Document>>,
}

impl Shown {
    /// One document, and no rival.
    pub const fn one(document: Arc<Document>) -> Self {
        Self { winner: document, rival: None }
    }

    /// Of these documents, which are all under one key. None if there is none.
    pub fn of<'a>(documents: impl Iterator<Item = &'a Arc<Document>>) -> Option<Self> {
        let documents: Vec<_> = documents.collect();
        let markers: Vec<_> = documents.iter().map(|document| document.marker()).collect();
        let (winner, rival) = pick(&markers)?;
        let at = |at: usize| documents.get(at).copied().cloned();
        Some(Self { winner: at(winner)?, rival: rival.and_then(at) })
    }

    /// Winner and rival.
    pub fn documents(&self) -> impl Iterator<Item = &Arc<Document>> {
        core::iter::once(&self.winner).chain(&self.rival)
    }

    /// Whether the document is one of the two.
    pub fn has(&self, document: &Document) -> bool {
        self.documents().any(|it| it.id() == document.id())
    }
}

/// The places of winner and rival among these markers. None if there is none.
pub(super) fn pick(markers: &[Marker]) -> Option<(usize, Option<usize>)> {
    let all = || markers.iter().enumerate();
    let (winner, marker) = if crate::planted!(RevokedWins) {
        all().max_by_key(|(_, marker)| marker.as_rival())
    } else {
        all().max_by_key(|(_, marker)| **marker)
    }?;
    if marker.generation == GENERATION_MAX {
        return Some((winner, None));
    }
    let others = all().filter(|(_, it)| it.id != marker.id && it.generation >= marker.generation);
    let rival = if crate::planted!(RivalByMarker) {
        others.max_by_key(|(_, marker)| **marker)
    } else {
        others.max_by_key(|(_, marker)| marker.as_rival())
    };
    Some((winner, rival.map(|(at, _)| at)))
}
