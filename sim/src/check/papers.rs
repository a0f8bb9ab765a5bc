use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crux_crdt::document::{
    DOCUMENTS_MAX, Document, Documents, GENERATION_MAX, Limit, Marker, Refused, Shelf,
};
use crux_crdt::{Digest, Principal, fact};
use crux_protocol::flock::{Answer, ControlError, ControlId};

use crate::invariant::{Papers, granted_in_all};

/// A document that was acknowledged.
#[derive(Debug, Clone)]
struct Promise {
    /// The host on whose disk it is; none: on those of others only.
    host: Option<usize>,
    key: Digest,
    marker: Marker,
    author: Principal,
}

#[derive(Debug)]
struct Asked {
    host: usize,
    documents: Vec<Arc<Document>>,
    /// Why the node must not take them, by what it held when it was asked.
    wrong: Option<Wrong>,
    /// Whether one of the keys was being written there.
    busy: bool,
}

/// Why a node must not take a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    /// Its signer did not see what is there.
    Behind,
    /// Its signer is not granted the key.
    NotGranted,
    /// All users together would be granted too much.
    TooMuch,
}

impl Asked {
    /// The node says why it does not take them, and whether they are written all the same.
    fn refused(&self, why: &fact::Refused, held: &Documents, written: bool) -> Result<(), String> {
        let Self { host, documents, .. } = self;
        if let fact::Refused::Document(why) = why
            && !documents.iter().any(|it| is_true(why, it, held))
        {
            return Err(format!("n{host} refused {documents:?} without a reason: {why}"));
        }
        let has = |it: &Arc<Document>| held.get(it.key()).is_some_and(|shelf| shelf.has(it));
        match (documents.iter().any(has), written) {
            (true, false) if self.is_only_one() => {
                Err(format!("n{host} holds {documents:?}, which it says that it did not write"))
            }
            (false, true) => Err(format!("n{host} wrote {documents:?}, and holds none of them")),
            _ => Ok(()),
        }
    }

    /// Whether nobody else signs the same: contents differ, grants and deletions may not.
    fn is_only_one(&self) -> bool {
        let is_other = |it: &Document| !it.is_deleted() && !it.key().is_grant();
        matches!(&self.documents[..], [one] if is_other(one))
    }
}

/// The documents that people wrote, and what they were told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    open: BTreeMap<ControlId, Asked>,
    promises: Vec<Promise>,
    /// The keys under which each user ever signed something.
    keys: BTreeMap<Principal, BTreeSet<Digest>>,
    /// The least number of documents that each user was ever granted.
    least: BTreeMap<Principal, usize>,
}

impl Told {
    /// Somebody signed these, and they may get anywhere.
    pub(crate) fn signs(&mut self, documents: &[Arc<Document>]) {
        for document in documents {
            if let Some(user) = document.key().grantee() {
                let documents = document.granted().map_or(0, |says| says.documents as usize);
                let least = self.least.entry(user).or_insert(documents);
                *least = documents.min(*least);
            }
            let keys = self.keys.entry(document.signer()).or_default();
            keys.insert(document.key().digest());
        }
    }

    /// A node that holds this is asked to write these.
    pub(crate) fn asks(
        &mut self,
        id: ControlId,
        host: usize,
        documents: Vec<Arc<Document>>,
        held: &Documents,
    ) {
        let wrong = documents.iter().find_map(|document| wrong(document, held));
        let keys: BTreeSet<_> = documents.iter().map(|it| it.key()).collect();
        let here = self.open.values().filter(|asked| asked.host == host);
        let busy = here.flat_map(|asked| &asked.documents).any(|it| keys.contains(it.key()));
        self.open.insert(id, Asked { host, documents, wrong, busy });
    }

    /// A node that holds this answered.
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub(crate) fn answered(
        &mut self,
        id: ControlId,
        result: &Result<Answer, ControlError>,
        held: &Documents,
    ) -> Result<(), String> {
        let Some(asked) = self.open.remove(&id) else { return Ok(()) };
        match result {
            Ok(_) | Err(ControlError::NotStored { .. }) => self.acknowledged(&asked, held),
            Err(ControlError::Busy) if !asked.busy => {
                Err(format!("n{} is busy, and nothing is written there", asked.host))
            }
            Err(ControlError::Refused(why)) => asked.refused(why, held, false),
            Err(ControlError::Late(why)) => asked.refused(why, held, true),
            Err(_) => Ok(()),
        }
    }

    fn acknowledged(&mut self, asked: &Asked, held: &Documents) -> Result<(), String> {
        let (host, papers) = (asked.host, Papers::of(held));
        for document in &asked.documents {
            let (key, marker) = (document.key().digest(), document.marker());
            let promise = Promise { host: Some(host), key, marker, author: document.signer() };
            if !self.may_be_displaced(&promise) {
                papers
                    .covers(&key, marker)
                    .map_err(|why| format!("n{host} acknowledged {document:?}, which {why}"))?;
            }
            self.promises.push(promise);
        }
        // What the node held when it was asked may have changed before it looked.
        let still = asked.documents.iter().any(|it| match asked.wrong {
            Some(Wrong::TooMuch) => granted_in_all(&papers).is_err(),
            Some(is) => wrong(it, held) == Some(is),
            None => false,
        });
        match asked.wrong.filter(|_| still) {
            None => Ok(()),
            Some(wrong) => Err(format!("n{host} took {:?}: {wrong:?}", asked.documents)),
        }
    }

    /// Whether the user ever signed so many documents with smaller keys that this one need not be kept.
    fn may_be_displaced(&self, promise: &Promise) -> bool {
        let Some(least) = self.least.get(&promise.author) else { return false };
        let keys = self.keys.get(&promise.author).into_iter().flatten();
        keys.filter(|key| **key < promise.key).count() >= *least
    }

    /// A process ended: what it did not answer, it will not.
    pub(crate) fn on_end(&mut self, host: usize) {
        self.open.retain(|_, asked| asked.host != host);
    }

    /// A host lost what it had on its disk. What is on nobody's disk is not promised any longer.
    pub(crate) fn on_loss(&mut self, host: usize, is_kept: impl Fn(&Digest, Marker) -> bool) {
        self.promises.retain(|promise| is_kept(&promise.key, promise.marker));
        let here = self.promises.iter_mut().filter(|promise| promise.host == Some(host));
        here.for_each(|promise| promise.host = None);
    }

    /// What everyone has to hold, of what was promised by hosts for whom that holds; and what is on the disks of
    /// others only.
    pub(crate) fn promised(&self, by: impl Fn(Option<usize>) -> bool) -> Vec<(Digest, Marker)> {
        let mut all = self.promises.iter().filter(|it| by(it.host) && !self.may_be_displaced(it));
        let mut promised: Vec<_> = all.by_ref().map(|it| (it.key, it.marker)).collect();
        promised.dedup();
        promised
    }
}

/// Why a node that holds this must not take a write.
fn wrong(document: &Document, held: &Documents) -> Option<Wrong> {
    if is_behind(document, held) {
        Some(Wrong::Behind)
    } else if !is_granted(document, held) {
        Some(Wrong::NotGranted)
    } else if grants_too_much(document, held) {
        Some(Wrong::TooMuch)
    } else {
        None
    }
}

/// Whether a refusal says what is.
fn is_true(why: &Refused, document: &Document, held: &Documents) -> bool {
    match why {
        Refused::Conflict { key, .. } => key == document.key() && is_behind(document, held),
        Refused::NotGranted(key) => key == document.key() && !is_granted(document, held),
        Refused::Limit { what: Limit::Granted, .. } => grants_too_much(document, held),
        Refused::Limit { what: Limit::OfUser, .. } => is_one_too_many(document, held),
        Refused::Limit { what: Limit::Keys | Limit::Bytes, .. }
        | Refused::NameTaken { .. }
        | Refused::KeyTaken(_) => false,
    }
}

/// Whether something else is there that the signer did not see. A write that is there, wins and has no rival may be
/// repeated.
fn is_behind(document: &Document, held: &Documents) -> bool {
    let shelf = held.get(document.key());
    if shelf.is_some_and(|it| it.rival().is_none() && it.winner().id() == document.id()) {
        return false;
    }
    let others = shelf.into_iter().flat_map(Shelf::documents);
    let mut others = others.filter(|it| it.id() != document.id());
    // After the last generation the greater version of the grants counts alone.
    let is_last = document.generation() == GENERATION_MAX;
    let unseen = |it: &Document| {
        (it.generation() >= document.generation() && !is_last) || it.marker() > document.marker()
    };
    let version = held.grants_version();
    (document.is_operators() && document.grants_version() < version) || others.any(|it| unseen(it))
}

/// The newest grant of its signer, of the one that is held and the one that is enclosed.
fn grant_of<'a>(document: &'a Document, held: &'a Documents) -> Option<&'a Arc<Document>> {
    let all = held.grant_of(&document.signer()).into_iter().chain(document.grant());
    all.max_by_key(|grant| grant.marker())
}

fn is_granted(document: &Document, held: &Documents) -> bool {
    let enclosed = document.grant().map_or(0, |grant| grant.grants_version());
    let version = held.grants_version().max(enclosed);
    let grants = |grant: &Arc<Document>| {
        let lives = grant.granted().is_some_and(|says| !says.revoked);
        lives && grant.grants_version() == version
    };
    document.is_operators() || grant_of(document, held).is_some_and(grants)
}

/// Whether its user has as many other keys as it may.
fn is_one_too_many(document: &Document, held: &Documents) -> bool {
    let says = grant_of(document, held).and_then(|grant| grant.granted());
    let most = says.map_or(0, |says| says.documents as usize);
    let others = held.shelves().filter(|shelf| shelf.key() != document.key());
    let of_user = |shelf: &&crux_crdt::document::Shelf| {
        shelf.documents().any(|it| it.signer() == document.signer())
    };
    !document.is_operators() && others.filter(of_user).count() >= most
}

fn grants_too_much(document: &Document, held: &Documents) -> bool {
    let Some(user) = document.key().grantee() else { return false };
    let documents = |of: &Document| of.granted().map_or(0, |says| says.documents as usize);
    let before = held.grant_of(&user).map_or(0, |grant| documents(grant));
    let others: usize = held.grants().map(|(_, grant)| documents(grant)).sum::<usize>() - before;
    documents(document) > before && others + documents(document) > DOCUMENTS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Keys;
    use crate::people::People;
    use crate::scenario::{Deed, Paper, Signer, User, Write};

    const USER: User = User(0);
    const PUT: Deed = Deed::Put(Paper(1), Signer::User(USER));

    struct Desk {
        people: People,
        held: Arc<Documents>,
        told: Told,
        next: u64,
    }

    impl Desk {
        fn new() -> Self {
            let (held, told) = (Arc::default(), Told::default());
            let mut desk = Self { people: People::new(&Keys::new(1)), held, told, next: 0 };
            assert_eq!(desk.write(Deed::Grant(USER, 2)), Ok(()));
            desk
        }

        fn ask(&mut self, write: &Write) -> (ControlId, Vec<Arc<Document>>) {
            self.next += 1;
            let (id, documents) = (ControlId(self.next), self.people.sign(write, &self.held));
            self.told.signs(&documents);
            self.told.asks(id, 3, documents.clone(), &self.held);
            (id, documents)
        }

        fn take(&mut self, documents: &[Arc<Document>]) {
            let held = Arc::make_mut(&mut self.held);
            documents.iter().for_each(|document| _ = held.merge(document.clone()));
        }

        /// It is merged and acknowledged, whatever it is.
        fn write(&mut self, write: impl Into<Write>) -> Result<(), String> {
            let (id, documents) = self.ask(&write.into());
            self.take(&documents);
            self.told.answered(id, &Ok(Answer::Done), &self.held)
        }

        fn refuse(&mut self, write: impl Into<Write>, why: Refused) -> Result<(), String> {
            let (id, _) = self.ask(&write.into());
            let refused = Err(ControlError::Refused(fact::Refused::Document(why)));
            self.told.answered(id, &refused, &self.held)
        }

        fn promised(&self) -> usize {
            self.told.promised(|_| true).len()
        }
    }

    #[test]
    fn what_is_acknowledged_is_there_and_promised() {
        let mut desk = Desk::new();
        assert_eq!(desk.write(PUT), Ok(()));
        assert_eq!(desk.promised(), 2);
        let (id, _) = desk.ask(&PUT.into());
        let lost = desk.told.answered(id, &Ok(Answer::Done), &desk.held);
        assert!(lost.is_err_and(|why| why.contains("acknowledged")));
        let (id, _) = desk.ask(&PUT.into());
        desk.told.on_end(3);
        assert_eq!(desk.told.answered(id, &Ok(Answer::Done), &desk.held), Ok(()));
    }

    #[test]
    fn what_must_not_be_taken_is_seen() {
        let mut desk = Desk::new();
        desk.people.sign(&Deed::Remember.into(), &desk.held);
        assert_eq!(desk.write(PUT), Ok(()));
        let old = Write { old: true, ..PUT.into() };
        assert!(desk.write(old).is_err_and(|why| why.contains("Behind")));
        let too_much = [Deed::Grant(User(1), 16_383), Deed::Grant(User(2), 8_000)];
        assert!(desk.write(too_much[0]).is_err_and(|why| why.contains("TooMuch")));
        assert!(desk.write(too_much[1]).is_err_and(|why| why.contains("TooMuch")));
        assert_eq!(desk.write(Deed::Revoke(USER)), Ok(()));
        let other = Deed::Put(Paper(2), Signer::User(USER));
        assert!(desk.write(other).is_err_and(|why| why.contains("NotGranted")));
    }

    #[test]
    fn a_refusal_needs_its_reason() {
        let key = || crate::people::key_of(Paper(1));
        let conflict = || Refused::Conflict { key: key(), generation: 1, grants_version: 0 };
        let limit = |what| Refused::Limit { what, most: 0 };
        let mut desk = Desk::new();
        desk.people.sign(&Deed::Remember.into(), &desk.held);
        assert_eq!(desk.write(PUT), Ok(()));
        for why in [conflict(), Refused::NotGranted(key()), limit(Limit::OfUser)] {
            assert!(desk.refuse(PUT, why).is_err());
        }
        assert_eq!(desk.refuse(Write { old: true, ..PUT.into() }, conflict()), Ok(()));
        let third = |paper| Deed::Put(Paper(paper), Signer::User(USER));
        assert!(desk.refuse(third(2), limit(Limit::OfUser)).is_err());
        assert_eq!(desk.write(third(2)), Ok(()));
        assert_eq!(desk.refuse(third(3), limit(Limit::OfUser)), Ok(()));
        assert_eq!(desk.refuse(Deed::Grant(User(1), 16_383), limit(Limit::Granted)), Ok(()));
        assert!(desk.refuse(Deed::Grant(User(1), 16_382), limit(Limit::Granted)).is_err());
        assert_eq!(desk.write(Deed::Revoke(USER)), Ok(()));
        assert_eq!(desk.refuse(PUT, Refused::NotGranted(key())), Ok(()));
    }

    #[test]
    fn only_another_write_of_the_key_makes_busy() {
        let mut desk = Desk::new();
        let busy = Err(ControlError::Busy);
        let (first, _) = desk.ask(&PUT.into());
        let (second, _) = desk.ask(&PUT.into());
        assert_eq!(desk.told.answered(second, &busy, &desk.held), Ok(()));
        assert!(desk.told.answered(first, &busy, &desk.held).is_err());
    }

    #[test]
    fn a_disk_that_is_lost_takes_with_it_what_is_on_no_other() {
        let mut desk = Desk::new();
        assert_eq!(desk.write(PUT), Ok(()));
        let first = desk.told.promised(|host| host == Some(3))[0];
        desk.told.on_loss(3, |key, marker| (*key, marker) == first);
        assert_eq!(desk.told.promised(|host| host.is_none()), [first]);
        assert_eq!(desk.promised(), 1);
    }

    #[test]
    fn a_bound_takes_away_what_has_smaller_keys_beside_it() {
        let mut desk = Desk::new();
        for paper in 0..4 {
            assert_eq!(desk.write(Deed::Put(Paper(paper), Signer::User(USER))), Ok(()));
        }
        assert_eq!(desk.promised(), 1 + 2, "the grant, and the two with the smallest keys");
        assert_eq!(desk.write(Deed::Grant(USER, 1)), Ok(()));
        assert_eq!(desk.promised(), 2 + 1);
    }
}
