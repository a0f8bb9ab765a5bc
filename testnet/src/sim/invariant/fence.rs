use std::collections::BTreeMap;

use crux_protocol::leader::Claim;

/// Accepted fences never decrease at any host, while its disk lasts.
#[derive(Debug, Default)]
pub(in crate::sim) struct Fences {
    /// What each process showed last.
    shown: BTreeMap<usize, Claim>,
    /// What each disk was told to keep, and answered that it does.
    durable: BTreeMap<usize, Claim>,
}

impl Fences {
    /// A process shows this fence.
    ///
    /// # Errors
    /// It showed a greater one.
    pub(in crate::sim) fn show(&mut self, host: usize, fence: Option<Claim>) -> Result<(), String> {
        let before = self.shown.get(&host).copied();
        if fence < before {
            return Err(format!("the fence of n{host} decreased from {before:?} to {fence:?}"));
        }
        fence.map(|fence| self.shown.insert(host, fence));
        Ok(())
    }

    /// A disk holds this fence.
    pub(in crate::sim) fn keep(&mut self, host: usize, fence: Option<Claim>) {
        let before = self.durable.get(&host).copied();
        before.max(fence).map(|fence| self.durable.insert(host, fence));
    }

    /// A process starts: what it is to show at least is what its disk kept.
    pub(in crate::sim) fn start(&mut self, host: usize) {
        match self.durable.get(&host) {
            Some(fence) => self.shown.insert(host, *fence),
            None => self.shown.remove(&host),
        };
    }

    /// A disk was lost or replaced.
    pub(in crate::sim) fn lose(&mut self, host: usize) {
        self.durable.remove(&host);
        self.shown.remove(&host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::invariant::shot::testing::claim;

    #[test]
    fn a_fence_only_grows() {
        let mut fences = Fences::default();
        assert_eq!(fences.show(0, None), Ok(()));
        assert_eq!(fences.show(0, Some(claim(2, 1))), Ok(()));
        assert_eq!(fences.show(1, Some(claim(1, 1))), Ok(()), "that is another host");
        assert!(fences.show(0, Some(claim(2, 0))).is_err(), "same number, lesser principal");
        assert!(fences.show(0, None).is_err());
    }

    #[test]
    fn what_is_durable_outlives_the_process_and_not_the_disk() {
        let mut fences = Fences::default();
        assert_eq!(fences.show(0, Some(claim(5, 1))), Ok(()));
        fences.keep(0, Some(claim(3, 1)));
        fences.start(0);
        assert!(fences.show(0, Some(claim(2, 1))).is_err());
        assert_eq!(fences.show(0, Some(claim(3, 1))), Ok(()));
        fences.lose(0);
        assert_eq!(fences.show(0, None), Ok(()));
    }
}
