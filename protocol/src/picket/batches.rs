use crux_crdt::record::First;

/// How many batches one service of a node has at most. A guess: each is of another pass, and passes that give a node
/// one instance more are rare.
pub const BATCHES_MAX: usize = 16;

/// Some instances of a service that were assigned to the node by one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Batch {
    /// The pass that assigned them first.
    pub first: First,
    /// How many; at least 1.
    pub count: u16,
}

/// How many instances of a service the node is to run, by the pass that assigned them.
///
/// Of a surplus those stay that were assigned first. The batches are in that order, each pass once, and so are the
/// ordinals of the instances: a smaller count ends the youngest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batches(Vec<Batch>);

impl Batches {
    /// Of these, in any order; those of one pass are put together. None: there are none, or more than
    /// [`BATCHES_MAX`], or one is empty, or they are too many instances.
    pub fn new(mut batches: Vec<Batch>) -> Option<Self> {
        batches.sort_unstable();
        let mut all: Vec<Batch> = Vec::new();
        for batch in batches {
            match all.last_mut().filter(|last| last.first == batch.first) {
                Some(last) => last.count = last.count.checked_add(batch.count)?,
                None => all.push(batch),
            }
        }
        all.iter().try_fold(0u16, |sum, batch| sum.checked_add(batch.count))?;
        let is_fine = (1..=BATCHES_MAX).contains(&all.len()) && all.iter().all(|it| it.count > 0);
        is_fine.then_some(Self(all))
    }

    /// How many instances they are.
    pub fn count(&self) -> u16 {
        self.0.iter().map(|batch| batch.count).sum()
    }

    /// The pass that assigned the first of them.
    pub fn first(&self) -> Option<First> {
        self.0.first().map(|batch| batch.first)
    }

    /// Those that were assigned first come first.
    pub fn as_slice(&self) -> &[Batch] {
        &self.0
    }

    /// The pass that assigned an instance; of one beyond the count that of the youngest.
    pub fn first_of(&self, ordinal: u16) -> Option<First> {
        let mut before = 0;
        let is_of = |batch: &&Batch| {
            before += batch.count;
            ordinal < before
        };
        self.0.iter().find(is_of).or(self.0.last()).map(|batch| batch.first)
    }
}
