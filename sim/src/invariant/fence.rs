use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_protocol::leader::Claim;

/// Accepted fences never decrease at any host, while its disk lasts, except that the fence of a holder
/// who departed is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Fences {
    /// What each process showed last.
    shown: BTreeMap<usize, Claim>,
    /// What each disk was told to keep, and answered that it does.
    durable: BTreeMap<usize, Claim>,
}

impl Fences {
    /// A process shows this fence, and knows who departed.
    ///
    /// # Errors
    /// It showed a greater one, whose holder is still a member to it.
    pub(crate) fn show(
        &mut self,
        host: usize,
        fence: Option<Claim>,
        departed: impl Fn(&Principal) -> bool,
    ) -> Result<(), String> {
        let before = self.shown.get(&host).copied();
        if fence < before && !before.is_some_and(|before| departed(&before.principal)) {
            return Err(format!("the fence of n{host} decreased from {before:?} to {fence:?}"));
        }
        match fence {
            Some(fence) => self.shown.insert(host, fence),
            None => self.shown.remove(&host),
        };
        Ok(())
    }

    /// A disk holds this fence.
    pub(crate) fn keep(&mut self, host: usize, fence: Option<Claim>) {
        match fence {
            Some(fence) => self.durable.insert(host, fence),
            None => self.durable.remove(&host),
        };
    }

    /// A process starts: what it is to show at least is what its disk kept.
    pub(crate) fn start(&mut self, host: usize) {
        match self.durable.get(&host) {
            Some(fence) => self.shown.insert(host, *fence),
            None => self.shown.remove(&host),
        };
    }

    /// A disk was lost or replaced.
    pub(crate) fn lose(&mut self, host: usize) {
        self.durable.remove(&host);
        self.shown.remove(&host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariant::shot::testing::{claim, who};

    const NOBODY: fn(&Principal) -> bool = |_| false;

    #[test]
    fn only_the_fence_of_one_who_departed_is_forgotten() {
        let mut fences = Fences::default();
        assert_eq!(fences.show(0, Some(claim(7, 1)), NOBODY), Ok(()));
        assert!(fences.show(0, Some(claim(2, 2)), |it| *it == who(2)).is_err());
        assert_eq!(fences.show(0, Some(claim(2, 2)), |it| *it == who(1)), Ok(()));
        assert!(fences.show(0, None, NOBODY).is_err(), "the lower one counts now");
    }

    #[test]
    fn a_fence_only_grows() {
        let mut fences = Fences::default();
        assert_eq!(fences.show(0, None, NOBODY), Ok(()));
        assert_eq!(fences.show(0, Some(claim(2, 1)), NOBODY), Ok(()));
        assert_eq!(fences.show(1, Some(claim(1, 1)), NOBODY), Ok(()), "that is another host");
        assert!(
            fences.show(0, Some(claim(2, 0)), NOBODY).is_err(),
            "same number, lesser principal"
        );
        assert!(fences.show(0, None, NOBODY).is_err());
    }

    #[test]
    fn what_is_durable_outlives_the_process_and_not_the_disk() {
        let mut fences = Fences::default();
        assert_eq!(fences.show(0, Some(claim(5, 1)), NOBODY), Ok(()));
        fences.keep(0, Some(claim(3, 1)));
        fences.start(0);
        assert!(fences.show(0, Some(claim(2, 1)), NOBODY).is_err());
        assert_eq!(fences.show(0, Some(claim(3, 1)), NOBODY), Ok(()));
        fences.lose(0);
        assert_eq!(fences.show(0, None, NOBODY), Ok(()));
    }
}
