use std::collections::BTreeSet;

use crux_crdt::{Digest, Principal};

/// Nobody holds a record or an act that its author did not make durable first.
#[derive(Debug, Default)]
pub(crate) struct Authentic {
    durable: BTreeSet<(Principal, Digest)>,
    /// The acts on their authors' disks.
    issued: BTreeSet<(Principal, Digest)>,
}

impl Authentic {
    /// A record is on its author's disk.
    pub(crate) fn wrote(&mut self, author: Principal, record: Digest) {
        self.durable.insert((author, record));
    }

    /// An act is on its author's disk.
    pub(crate) fn issued(&mut self, author: Principal, act: Digest) {
        self.issued.insert((author, act));
    }

    /// A host keeps somebody else's act.
    ///
    /// # Errors
    /// Its author never made it durable.
    pub(crate) fn heard(&self, host: usize, author: Principal, act: Digest) -> Result<(), String> {
        if self.issued.contains(&(author, act)) {
            return Ok(());
        }
        let (author, act) = (author.short(), act.short());
        Err(format!("n{host} holds the act {act}, which {author} did not make durable before"))
    }

    /// A host merged somebody else's record.
    ///
    /// # Errors
    /// Its author never made it durable.
    pub(crate) fn merged(
        &self,
        host: usize,
        author: Principal,
        record: Digest,
    ) -> Result<(), String> {
        if self.durable.contains(&(author, record)) {
            return Ok(());
        }
        let (author, record) = (author.short(), record.short());
        Err(format!("n{host} holds {record}, which {author} did not make durable before"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariant::shot::testing::who;

    #[test]
    fn what_another_one_wrote_is_not_the_authors() {
        let mut authentic = Authentic::default();
        authentic.wrote(who(1), Digest([7; 32]));
        assert_eq!(authentic.merged(0, who(1), Digest([7; 32])), Ok(()));
        assert!(authentic.merged(0, who(2), Digest([7; 32])).is_err());
        assert!(authentic.merged(0, who(1), Digest([8; 32])).is_err());
    }

    #[test]
    fn an_act_is_its_authors_and_no_record() {
        let mut authentic = Authentic::default();
        authentic.issued(who(1), Digest([7; 32]));
        assert_eq!(authentic.heard(0, who(1), Digest([7; 32])), Ok(()));
        assert!(authentic.heard(0, who(2), Digest([7; 32])).is_err());
        assert!(authentic.heard(0, who(1), Digest([8; 32])).is_err());
        assert!(authentic.merged(0, who(1), Digest([7; 32])).is_err());
        authentic.wrote(who(1), Digest([9; 32]));
        assert!(authentic.heard(0, who(1), Digest([9; 32])).is_err());
    }
}
