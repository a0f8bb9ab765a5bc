/// The state of a key, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The signer of the winner is not granted this any longer: its content does not apply.
    Void,
    /// A rival was written without knowledge of the winner. The winner applies; the next write ends it.
    Conflict,
    /// The winner says that there is nothing.
    Deleted,
    /// The winner applies.
    Current,
}
