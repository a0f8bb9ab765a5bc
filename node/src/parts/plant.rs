//! Where tests make a part panic. In builds that are no unit tests of this crate all of it is empty.

#[cfg(test)]
pub use planted::Pulse;
#[cfg(test)]
pub(crate) use planted::{Plant, plant};
#[cfg(not(test))]
pub(super) use sound::Plant;
#[cfg(not(test))]
pub use sound::Pulse;

#[cfg(not(test))]
mod sound {
    use std::future::Future;

    use super::super::Part;

    /// Nothing.
    pub(in super::super) struct Plant;

    impl Plant {
        pub(in super::super) const fn take() -> Self {
            Self
        }

        pub(in super::super) fn within<F: Future>(&self, _: Part, work: F) -> F {
            work
        }

        pub(in super::super) const fn pulse(&self, _: Part) -> Pulse {
            Pulse(())
        }
    }

    /// What a thread calls each time it takes up work. Does nothing.
    #[derive(Debug)]
    pub struct Pulse(());

    impl Pulse {
        /// The thread has work and begins with it.
        pub const fn beat(&self) {}
    }
}

#[cfg(test)]
mod planted {
    use std::cell::RefCell;
    use std::future::Future;
    use std::sync::Arc;

    use tokio::sync::watch;

    use super::super::Part;

    thread_local! {
        /// For the next supervisor that this thread makes.
        static NEXT: RefCell<Plant> = const { RefCell::new(Plant(None)) };
    }

    /// Makes the part panic of the next node that this thread runs, once the fuse is lit.
    pub(crate) fn plant(part: Part) -> Fuse {
        let fuse = Fuse(Arc::new(watch::Sender::new(false)));
        NEXT.set(Plant(Some((part, fuse.clone()))));
        fuse
    }

    /// What sets a planted panic off.
    #[derive(Debug, Clone)]
    pub(crate) struct Fuse(Arc<watch::Sender<bool>>);

    impl Fuse {
        pub(crate) fn light(&self) {
            self.0.send_replace(true);
        }
    }

    /// At most one part, and what sets its panic off.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Plant(Option<(Part, Fuse)>);

    impl Plant {
        pub(crate) fn take() -> Self {
            NEXT.take()
        }

        fn of(&self, part: Part) -> Option<Fuse> {
            self.0.as_ref().filter(|(planted, _)| *planted == part).map(|(_, fuse)| fuse.clone())
        }

        pub(crate) fn within<F: Future>(
            &self,
            part: Part,
            work: F,
        ) -> impl Future<Output = F::Output> + use<F> {
            let fuse = self.of(part);
            async move {
                let Some(fuse) = fuse else { return work.await };
                let mut lit = fuse.0.subscribe();
                tokio::select! {
                    _ = lit.wait_for(|lit| *lit) => panic!("planted"),
                    output = work => output,
                }
            }
        }

        pub(crate) fn pulse(&self, part: Part) -> Pulse {
            Pulse(self.of(part))
        }
    }

    /// What a thread calls each time it takes up work.
    #[derive(Debug)]
    pub struct Pulse(Option<Fuse>);

    impl Pulse {
        /// The thread has work and begins with it.
        pub fn beat(&self) {
            let lit = self.0.as_ref().is_some_and(|fuse| *fuse.0.borrow());
            assert!(!lit, "planted");
        }
    }
}
