use std::collections::BTreeMap;

use crux_crdt::record::Marker;
use crux_crdt::{Digest, Principal};

/// No replica goes back: what a process holds of an author only ever becomes newer.
#[derive(Debug, Default)]
pub(crate) struct Forward {
    held: BTreeMap<(usize, Principal), (Marker, Digest)>,
}

impl Forward {
    /// A host merged a record, of which this is the place in its author's order.
    ///
    /// # Errors
    /// It held a newer one.
    pub(crate) fn merged(
        &mut self,
        host: usize,
        author: Principal,
        place: (Marker, Digest),
    ) -> Result<(), String> {
        let before = self.held.insert((host, author), place);
        if before.is_some_and(|before| before > place) {
            let author = author.short();
            return Err(format!("n{host} went back to an older record of {author}"));
        }
        Ok(())
    }

    /// A process ended: what it held may not be on its disk.
    pub(crate) fn end(&mut self, host: usize) {
        self.held.retain(|(held, _), _| *held != host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariant::shot::testing::who;

    const fn place(seq: u64) -> (Marker, Digest) {
        (Marker { incarnation: 1, nonce: [1; 16], seq }, Digest([0; 32]))
    }

    #[test]
    fn only_the_same_process_and_author_can_go_back() {
        let mut forward = Forward::default();
        assert_eq!(forward.merged(0, who(1), place(2)), Ok(()));
        assert_eq!(forward.merged(0, who(2), place(1)), Ok(()), "another author");
        assert_eq!(forward.merged(3, who(1), place(1)), Ok(()), "another host");
        assert_eq!(forward.merged(0, who(1), place(2)), Ok(()), "the same again");
        assert!(forward.merged(0, who(1), place(1)).is_err());
        forward.end(0);
        assert_eq!(forward.merged(0, who(1), place(1)), Ok(()), "it starts anew");
    }
}
