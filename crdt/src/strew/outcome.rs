/// What merging a fact of any kind did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is held now, and was not before.
    New,
    /// It was there, or something that is greater.
    Known,
    /// Its author signed more than it may. It was not taken in.
    TooMany,
    /// The replica is full. It was not taken in.
    NoRoom,
}
