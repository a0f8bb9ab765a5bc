//! A blob that a node acknowledged stays there, and nobody gets another one in its place.

use std::time::Duration;

use super::super::history::{Fate, History, Put};
use super::{Finale, Violation};

pub(super) fn check(history: &History, finale: &Finale, found: &mut Vec<Violation>) {
    for (host, blob) in &history.false_blobs {
        let by = history.hosts[*host].clone();
        found.push(Violation::FalseBlob { blob: blob.clone(), by });
    }
    for (host, blob) in &finale.blobs_lacking {
        let lost = |put: &Put| put.host == *host && put.blob == *blob && !is_gone(history, put);
        if let Some(put) = history.puts.iter().find(|put| lost(put)) {
            let (blob, by) = (blob.clone(), history.hosts[*host].clone());
            found.push(Violation::BlobLost { blob, by, at: put.at });
        }
    }
    found.extend(finale.blobs_unreached.iter().cloned().map(Violation::BlobUnreached));
}

/// Whether its node was made anew since.
pub(in super::super) fn is_gone(history: &History, put: &Put) -> bool {
    let anew = |(at, host, fate): &(Duration, usize, Fate)| {
        *host == put.host && *at >= put.at && *fate == Fate::Rekeyed
    };
    history.fates.iter().any(anew)
}
