/// The effect of merging a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is held now and was not before.
    New,
    /// It was there.
    Known,
    /// A document that wins over it is there. It was not taken in.
    Older,
    /// Its signer has as many documents as its grant allows, all with smaller keys. It was not taken in.
    TooMany,
}
