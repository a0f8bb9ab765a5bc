//! A naive model: it keeps everything that was ever merged, and computes what is shown by the definitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::document::{Document, GENERATION_MAX, Key, State};
use crux_crdt::hash::sha3;
use crux_crdt::{Digest, Principal};

use crate::world::View;

type All = BTreeMap<Digest, Arc<Document>>;

/// The view of a replica that merged these, at constant numbers of documents.
pub(crate) fn view(documents: &[Arc<Document>]) -> View {
    let enclosed = documents.iter().filter_map(|it| it.grant());
    let all: All = documents.iter().chain(enclosed).map(|it| (it.id(), it.clone())).collect();
    let held = within_bounds(&all);
    let keys: BTreeSet<&Key> = held.values().map(|it| it.key()).collect();
    let version = held.values().filter(|it| it.is_operators()).map(|it| it.grants_version()).max();
    let version = version.unwrap_or_default();
    let (mut index, mut shown, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for key in keys {
        let under: Vec<_> = held.values().filter(|it| it.key() == key).cloned().collect();
        let authors: BTreeSet<Principal> = under.iter().map(|it| it.signer()).collect();
        let mut of_all = Vec::new();
        for author in authors {
            let own: Vec<_> = under.iter().filter(|it| it.signer() == author).cloned().collect();
            let (winner, rival) = winner_and_rival(&own);
            of_all.extend([Some(winner), rival].into_iter().flatten());
        }
        let mut ids: Vec<_> = of_all.iter().map(|it| it.id()).collect();
        ids.sort_unstable();
        let ids: Vec<&[u8]> = ids.iter().map(|id| &id.0[..]).collect();
        index.push((
            sha3("crux/document-key/1", &[key.as_str().as_bytes()]),
            sha3("crux/shelf/1", &ids),
        ));
        // Of everything under the key, not of what is kept of each author.
        let (winner, rival) = winner_and_rival(&under);
        let state = if !counts(&winner, &all, version) {
            State::Void
        } else if rival.is_some() {
            State::Conflict
        } else if winner.is_deleted() {
            State::Deleted
        } else {
            State::Current
        };
        shown.push((key.clone(), winner.id(), rival.map(|it| it.id()), state));
        kept.extend(of_all);
    }
    index.sort_unstable();
    let counting = kept.iter().filter(|it| counts(it, &all, version)).map(|it| it.id());
    let mut counting: Vec<_> = counting.collect();
    counting.sort_unstable();
    let bytes = kept.iter().map(|it| it.sealed().len()).sum();
    View { index, shown, grants_version: version, counting, bytes }
}

fn winner_and_rival(all: &[Arc<Document>]) -> (Arc<Document>, Option<Arc<Document>>) {
    let order = |it: &Arc<Document>| (it.grants_version(), it.generation(), it.id());
    let winner = all.iter().max_by_key(|it| order(it)).unwrap().clone();
    let others = all.iter().filter(|it| *it != &winner && it.generation() >= winner.generation());
    let rival = others.max_by_key(|it| (it.generation(), it.grants_version(), it.id()));
    let rival = rival.filter(|_| winner.generation() != GENERATION_MAX).cloned();
    (winner, rival)
}

fn grant_of(user: &Principal, all: &All) -> Option<Arc<Document>> {
    let key = Key::new(&format!("grant/{user}")).unwrap();
    let grants = all.values().filter(|it| it.key() == &key);
    grants.max_by_key(|it| (it.grants_version(), it.generation(), it.id())).cloned()
}

fn counts(document: &Document, all: &All, version: u64) -> bool {
    document.is_operators()
        || grant_of(&document.signer(), all).is_some_and(|grant| {
            let covers = |it: &crux_crdt::document::Permission| it.covers(document.key());
            grant.grants_version() == version
                && grant
                    .granted()
                    .is_some_and(|it| !it.revoked && it.permissions.iter().any(covers))
        })
}

/// Without the users' documents under keys that are not among the smallest.
fn within_bounds(all: &All) -> All {
    let mut held = all.clone();
    let users: BTreeSet<_> =
        all.values().filter(|it| !it.is_operators()).map(|it| it.signer()).collect();
    for user in users {
        let grant = grant_of(&user, all);
        let most = grant.and_then(|it| Some(it.granted()?.documents)).unwrap_or_default();
        let keys: BTreeSet<_> = all
            .values()
            .filter(|it| it.signer() == user)
            .map(|it| sha3("crux/document-key/1", &[it.key().as_str().as_bytes()]))
            .collect();
        let kept: BTreeSet<_> = keys.into_iter().take(most as usize).collect();
        held.retain(|_, it| it.signer() != user || kept.contains(&it.key().digest()));
    }
    held
}
