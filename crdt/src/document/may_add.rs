//! Which writes a node takes. A merge refuses none of them for what is asked here.

use std::sync::Arc;

use super::cost::Cost;
use super::set::grants;
use super::{BYTES_MAX, DOCUMENTS_MAX, Document, Documents, GENERATION_MAX, Limit, Refused, Shelf};

impl Documents {
    /// Whether a node may take a write and call it written: it would win, without a rival, and count. A write that is
    /// held already and does so may be repeated.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn may_add(&self, document: &Arc<Document>) -> Result<(), Refused> {
        let shelf = self.get(document.key());
        self.check_granted(document)?;
        if shelf.is_some_and(|shelf| shelf.is_settled_on(document)) {
            return Ok(());
        }
        self.check_seen(document, shelf)?;
        self.check_number(document)?;
        if !crate::planted!(BoundInAll) {
            self.check_all(document)?;
            self.check_sum(document)?;
        }
        self.check_name(document)
    }

    /// As [`Documents::may_add`], of one write after the other.
    ///
    /// # Errors
    /// The place of the first that is refused, and why. None of them is taken then.
    pub fn may_add_all(&self, documents: &[Arc<Document>]) -> Result<(), (usize, Refused)> {
        if let [document] = documents {
            return self.may_add(document).map_err(|refused| (0, refused));
        }
        self.clone().add_all(documents)
    }

    /// As [`Documents::may_add_all`], of one caller's writes after the other's: each meets what is taken of those
    /// before it.
    pub fn may_add_each(&self, all: &[Vec<Arc<Document>>]) -> Vec<Result<(), (usize, Refused)>> {
        if let [one] = all {
            return vec![self.may_add_all(one)];
        }
        let mut after = self.clone();
        let add = |documents: &Vec<_>| match documents.as_slice() {
            [document] => after.add(document).map_err(|refused| (0, refused)),
            documents => {
                let mut more = after.clone();
                more.add_all(documents)?;
                after = more;
                Ok(())
            }
        };
        all.iter().map(add).collect()
    }

    fn add_all(&mut self, documents: &[Arc<Document>]) -> Result<(), (usize, Refused)> {
        let mut all = documents.iter().enumerate();
        all.try_for_each(|(at, document)| self.add(document).map_err(|refused| (at, refused)))
    }

    fn add(&mut self, document: &Arc<Document>) -> Result<(), Refused> {
        self.may_add(document)?;
        self.merge(document.clone());
        Ok(())
    }

    /// The grant of the signer once the write is merged.
    fn grant_for<'a>(&'a self, document: &'a Document) -> Option<&'a Arc<Document>> {
        let held = self.grant_of(&document.signer());
        held.into_iter().chain(document.grant()).max_by_key(|grant| grant.marker())
    }

    fn check_granted(&self, document: &Document) -> Result<(), Refused> {
        let enclosed = document.grant().map_or(0, |grant| grant.grants_version());
        let version = self.grants_version().max(enclosed);
        let grant = self.grant_for(document);
        let counts = grant.is_some_and(|grant| grants(grant, version, document.key()));
        if counts || document.is_operators() {
            Ok(())
        } else {
            Err(Refused::NotGranted(document.key().clone()))
        }
    }

    /// Whether the signer saw what is under the key, and the operator the version of the grants.
    fn check_seen(&self, document: &Document, shelf: Option<&Shelf>) -> Result<(), Refused> {
        let behind = document.is_operators() && document.grants_version() < self.grants_version();
        let wins = shelf.is_none_or(|shelf| {
            document.generation() >= shelf.next_generation()
                && document.marker() > shelf.winner().marker()
        });
        if wins && !behind {
            return Ok(());
        }
        let least = shelf.map_or(0, |shelf| {
            let winner = shelf.winner();
            // No generation is left, so only a greater version wins for sure.
            winner.grants_version() + u64::from(winner.generation() == GENERATION_MAX)
        });
        Err(Refused::Conflict {
            key: document.key().clone(),
            generation: shelf.map_or(1, Shelf::next_generation),
            grants_version: least.max(self.grants_version()),
        })
    }

    /// The user's number of documents, by the grant that comes along if that is newer.
    fn check_number(&self, document: &Document) -> Result<(), Refused> {
        let user = document.signer();
        if document.is_operators() {
            return Ok(());
        }
        let granted = self.grant_for(document).and_then(|grant| grant.granted());
        let most = granted.map_or(0, |granted| granted.documents as usize);
        let is_more = !self.accounts.has(&user, &document.key().digest());
        let are = self.accounts.keys(&user) + usize::from(is_more);
        if are > most { Err(Refused::Limit { what: Limit::OfUser, most }) } else { Ok(()) }
    }

    /// The keys and the bytes of all documents.
    fn check_all(&self, document: &Arc<Document>) -> Result<(), Refused> {
        let (mut keys, mut bytes) = (self.len(), self.accounts.total());
        for it in document.grant().into_iter().chain([document]) {
            let Some(shelf) = self.get(it.key()) else {
                keys += 1;
                bytes = bytes.with(Cost::default(), it.into());
                continue;
            };
            let mut after = shelf.clone();
            after.merge(it.clone());
            bytes = bytes.with(shelf.cost(), after.cost());
        }
        if keys > self.len().max(DOCUMENTS_MAX) {
            Err(Refused::Limit { what: Limit::Keys, most: DOCUMENTS_MAX })
        } else if bytes.bytes > self.bytes().max(BYTES_MAX) {
            Err(Refused::Limit { what: Limit::Bytes, most: BYTES_MAX })
        } else {
            Ok(())
        }
    }

    /// The documents that all grants together allow.
    fn check_sum(&self, document: &Document) -> Result<(), Refused> {
        let Some(user) = document.key().grantee() else { return Ok(()) };
        let documents = |of: &Document| of.granted().map_or(0, |it| it.documents as usize);
        let (before, after) =
            (self.grant_of(&user).map_or(0, |it| documents(it)), documents(document));
        let sum: usize = self.grants().map(|(_, grant)| documents(grant)).sum();
        if after > before && sum - before + after > DOCUMENTS_MAX {
            return Err(Refused::Limit { what: Limit::Granted, most: DOCUMENTS_MAX });
        }
        Ok(())
    }

    /// One name for each user, and one user for each name.
    fn check_name(&self, document: &Document) -> Result<(), Refused> {
        let live =
            |of: &'_ Document| of.granted().filter(|it| !it.revoked).map(|it| it.name.clone());
        let (Some(name), Some(user)) = (live(document), document.key().grantee()) else {
            return Ok(());
        };
        match self.grant_of(&user).and_then(|grant| live(grant)) {
            Some(held) if held != name => return Err(Refused::KeyTaken(held)),
            _ => {}
        }
        let mut others = self.grants().filter(|(other, _)| **other != user);
        match others.find(|(_, grant)| live(grant).as_ref() == Some(&name)) {
            Some((_, other)) => Err(Refused::NameTaken { name, key: other.key().clone() }),
            None => Ok(()),
        }
    }
}
