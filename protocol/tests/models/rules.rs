/// What a run of the model is about.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    /// Whether a crash may come between a command and its being on disk, and other commands, too.
    /// Claims always take their time.
    pub(crate) slow_fences: bool,
    /// What is done wrong.
    pub(crate) mistake: Option<Mistake>,
}

/// Mistakes that the model makes on request, to show that the laws notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// A receiver compares the numbers of claims and not their holders.
    FenceByNumber,
    /// A receiver remembers a command only once it is on disk.
    FenceWhenDurable,
    /// The fence is lost in a crash.
    FenceForgotten,
    /// A refused leader does not learn why, and the node that refuses does not claim above its leader.
    FenceUnspoken,
    /// A node that starts has forgotten which claim it made last.
    ClaimForgotten,
}
