use std::collections::BTreeMap;

use crux_crdt::document::{DOCUMENTS_MAX, Document, Documents, GENERATION_MAX, Marker, State};
use crux_crdt::{Digest, Principal};

use super::Shot;

/// What a node has under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shelved {
    /// Of all that it keeps.
    pub(crate) held: Vec<Marker>,
    /// Of what it shows.
    pub(crate) winner: Marker,
    pub(crate) rival: Option<Marker>,
    pub(crate) state: State,
    /// The user who signed the winner; none: the operator did.
    pub(crate) user: Option<Principal>,
}

/// What a node knows of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Granted {
    /// The version of the grants that the grant has.
    pub(crate) version: u64,
    /// Whether it is neither revoked nor deleted.
    pub(crate) is_live: bool,
    /// How many documents the user may have.
    pub(crate) documents: usize,
    /// Under how many keys there are documents of it.
    pub(crate) keys: usize,
}

/// The documents of a node, as checkers compare them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Papers {
    pub(crate) version: u64,
    pub(crate) shelves: BTreeMap<Digest, Shelved>,
    pub(crate) users: BTreeMap<Principal, Granted>,
}

impl Papers {
    pub(crate) fn of(documents: &Documents) -> Self {
        let mut papers = Self { version: documents.grants_version(), ..Self::default() };
        for (user, grant) in documents.grants() {
            let says = grant.granted();
            let granted = Granted {
                version: grant.grants_version(),
                is_live: says.is_some_and(|says| !says.revoked),
                documents: says.map_or(0, |says| says.documents as usize),
                keys: 0,
            };
            papers.users.insert(*user, granted);
        }
        for shelf in documents.shelves() {
            let user =
                |document: &Document| Some(document.signer()).filter(|_| !document.is_operators());
            let mut signers: Vec<_> = shelf.documents().filter_map(|it| user(it)).collect();
            signers.dedup();
            for signer in signers {
                let none = Granted { version: 0, is_live: false, documents: 0, keys: 0 };
                papers.users.entry(signer).or_insert(none).keys += 1;
            }
            let shelved = Shelved {
                held: shelf.documents().map(|it| it.marker()).collect(),
                winner: shelf.winner().marker(),
                rival: shelf.rival().map(|it| it.marker()),
                state: documents.state(shelf),
                user: user(shelf.winner()),
            };
            papers.shelves.insert(shelf.key().digest(), shelved);
        }
        papers
    }

    /// The first of its users or keys that is another one there, if there is one.
    pub(crate) fn unlike(&self, other: &Self) -> Option<String> {
        let user = self.users.iter().find(|(user, it)| other.users.get(user) != Some(*it));
        let key = self.shelves.iter().find(|(key, it)| other.shelves.get(key) != Some(*it));
        let text = |it: Option<String>| it.unwrap_or_else(|| "nothing".to_owned());
        let of = |one, two: Option<String>| format!("{one} where the other has {}", text(two));
        match user {
            Some((user, it)) => {
                let there = other.users.get(user).map(|it| format!("{it:?}"));
                Some(of(format!("{} {it:?}", user.short()), there))
            }
            None => key.map(|(key, it)| {
                let there = other.shelves.get(key).map(|it| format!("{it:?}"));
                of(format!("{} {it:?}", key.short()), there)
            }),
        }
    }

    /// How many documents all users together may have.
    pub(crate) fn granted(&self) -> usize {
        self.users.values().map(|user| user.documents).sum()
    }

    /// Whether what a user signs has effect.
    fn counts(&self, user: &Principal) -> bool {
        self.users.get(user).is_some_and(|user| user.is_live && user.version == self.version)
    }

    /// Whether this document is here, or one that wins over it; and itself or a greater one as its rival, where it
    /// was written without knowledge of the winner.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn covers(&self, key: &Digest, marker: Marker) -> Result<(), String> {
        let Some(shelved) = self.shelves.get(key) else { return Err("is not there".to_owned()) };
        let Shelved { winner, rival, .. } = shelved;
        if *winner < marker {
            return Err(format!("lost to {winner:?}"));
        }
        let is_rival = *winner != marker && marker.generation >= winner.generation;
        let greatest = rival.map(Marker::as_rival);
        if is_rival && winner.generation < GENERATION_MAX && greatest < Some(marker.as_rival()) {
            return Err(format!("is not shown as a rival of {winner:?}: {rival:?}"));
        }
        Ok(())
    }

    /// Whether the version of the grants, winners, rivals and states are what the definitions say.
    ///
    /// # Errors
    /// A key that is shown otherwise, or a user with more documents than it may have.
    fn follow_rules(&self) -> Result<(), String> {
        for (user, granted) in &self.users {
            let Granted { keys, documents, .. } = granted;
            if keys > documents {
                let user = user.short();
                return Err(format!("holds {keys} documents of {user}, who may have {documents}"));
            }
        }
        for (key, shelved) in &self.shelves {
            let found = (shelved.winner, shelved.rival, shelved.state == State::Void);
            let shown = shown(&shelved.held);
            let void = shelved.user.is_some_and(|user| !self.counts(&user));
            if Some(found) != shown.map(|(winner, rival)| (winner, rival, void)) {
                let key = key.short();
                return Err(format!(
                    "shows {found:?} under {key}, and it is {shown:?}, void: {void}"
                ));
            }
        }
        Ok(())
    }
}

/// Winner and rival of some documents.
fn shown(held: &[Marker]) -> Option<(Marker, Option<Marker>)> {
    let winner = *held.iter().max()?;
    let rivals = held.iter().filter(|it| **it != winner && it.generation >= winner.generation);
    let rival = rivals.copied().max_by_key(|it| it.as_rival());
    Some((winner, rival.filter(|_| winner.generation < GENERATION_MAX)))
}

/// Every node shows its documents by the rules, and holds no more of a user than it may have.
///
/// # Errors
/// One that does not.
pub(crate) fn ruled(shots: &[Shot]) -> Result<(), String> {
    let check = |shot: &Shot| shot.papers.follow_rules().map_err(|why| (shot.host, why));
    shots.iter().try_for_each(check).map_err(|(host, why)| format!("n{host} {why}"))
}

/// Every document that was acknowledged is on every node, or one that wins over it.
///
/// # Errors
/// One that is lost, and where.
pub(crate) fn written(shots: &[Shot], acknowledged: &[(Digest, Marker)]) -> Result<(), String> {
    for shot in shots {
        for (key, marker) in acknowledged {
            shot.papers.covers(key, *marker).map_err(|why| {
                let (host, key) = (shot.host, key.short());
                format!("to n{host} the document {marker:?} under {key}, acknowledged, {why}")
            })?;
        }
    }
    Ok(())
}

/// Whether all grants together allow no more than there may be.
///
/// # Errors
/// How much they allow.
pub(crate) fn granted_in_all(papers: &Papers) -> Result<(), String> {
    match papers.granted() {
        sum if sum > DOCUMENTS_MAX => Err(format!("all users may have {sum} documents")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariant::shot::testing::{flock, who};

    const KEY: Digest = Digest([9; 32]);

    fn marker(version: u64, generation: u64, id: u8) -> Marker {
        Marker { grants_version: version, generation, id: Digest([id; 32]) }
    }

    fn shelved(winner: Marker, rival: Option<Marker>) -> Shelved {
        let held = rival.into_iter().chain([winner]).collect();
        Shelved { held, winner, rival, state: State::Current, user: None }
    }

    fn shots_with(shelf: &Shelved) -> Vec<Shot> {
        let mut shots = flock(2);
        shots.iter_mut().for_each(|it| _ = it.papers.shelves.insert(KEY, shelf.clone()));
        shots
    }

    #[test]
    fn a_document_is_there_or_lost_to_a_greater_one() {
        let mine = [(KEY, marker(1, 4, 1))];
        assert!(written(&flock(2), &mine).is_err_and(|why| why.ends_with("is not there")));
        for (winner, rival, holds) in [
            (marker(1, 4, 1), None, true),
            (marker(1, 5, 0), None, true),
            (marker(1, 3, 9), None, false),
            // It was written without knowledge of the winner, which has another version of the grants.
            (marker(2, 4, 0), None, false),
            (marker(2, 4, 0), Some(marker(1, 4, 1)), true),
            (marker(2, 4, 0), Some(marker(1, 6, 7)), true),
            (marker(2, 3, 0), Some(marker(2, 3, 7)), false),
            (marker(2, 5, 0), None, true),
        ] {
            let shots = shots_with(&shelved(winner, rival));
            assert_eq!(written(&shots, &mine).is_ok(), holds, "{winner:?} {rival:?}");
        }
        let mut shots = shots_with(&shelved(marker(1, 4, 1), None));
        shots[1].papers.shelves.clear();
        assert!(written(&shots, &mine).is_err_and(|why| why.starts_with("to n1 the document")));
    }

    #[test]
    fn what_is_shown_follows_from_what_is_held() {
        let (old, new) = (marker(1, 9, 1), marker(2, 3, 1));
        let good = Shelved { held: vec![old, new], ..shelved(new, Some(old)) };
        assert_eq!(ruled(&shots_with(&good)), Ok(()));
        for bad in [
            Shelved { winner: old, rival: None, ..good.clone() },
            Shelved { rival: None, ..good.clone() },
            Shelved { held: vec![old, new, marker(1, 9, 2)], ..good.clone() },
            Shelved { state: State::Void, ..good.clone() },
            Shelved { user: Some(who(7)), ..good.clone() },
        ] {
            assert!(ruled(&shots_with(&bad)).is_err_and(|why| why.starts_with("n0 shows")));
        }
        let last = marker(1, GENERATION_MAX, 2);
        let held = vec![marker(1, GENERATION_MAX, 1), last];
        assert_eq!(ruled(&shots_with(&Shelved { held, ..shelved(last, None) })), Ok(()));
    }

    #[test]
    fn a_revoked_user_counts_no_more_and_none_has_more_than_it_may() {
        let (user, by_it) = (who(7), marker(2, 3, 1));
        let granted = Granted { version: 2, is_live: true, documents: 1, keys: 1 };
        let check = |granted, state| {
            let shelf = Shelved { state, user: Some(user), ..shelved(by_it, None) };
            let mut shots = shots_with(&shelf);
            for shot in &mut shots {
                shot.papers.version = 2;
                shot.papers.users.insert(user, granted);
            }
            ruled(&shots).is_ok()
        };
        assert!(check(granted, State::Current) && !check(granted, State::Void));
        for granted in [Granted { is_live: false, ..granted }, Granted { version: 1, ..granted }] {
            assert!(check(granted, State::Void) && !check(granted, State::Current));
        }
        assert!(!check(Granted { keys: 2, ..granted }, State::Current));
    }

    #[test]
    fn grants_have_a_bound_together() {
        let mut papers = Papers::default();
        for user in 0..2 {
            let half = DOCUMENTS_MAX / 2;
            let granted = Granted { version: 1, is_live: true, documents: half, keys: 0 };
            papers.users.insert(who(user), granted);
        }
        assert_eq!(granted_in_all(&papers), Ok(()));
        papers.users.entry(who(0)).and_modify(|it| it.documents += 1);
        assert!(granted_in_all(&papers).is_err());
    }
}
