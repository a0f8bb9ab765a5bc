/// The terms that count on this node.
///
/// Any member may sign a plan with any term, and a plan of the greatest one would hold for good. So a term counts only up
/// to a bound above what this node knows from the records of members: the leader engine's, which the caller hands in
/// ([`Reach::up_to`]). The next leader takes a term above the greatest that counts, and is obeyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reach(u64);

impl Reach {
    /// Terms up to this one count.
    pub const fn up_to(term: u64) -> Self {
        Self(term)
    }

    /// Whether a term counts.
    pub const fn covers(self, term: u64) -> bool {
        term <= self.0
    }
}
