//! What merging means.

/// A join semilattice: replicas that merged the same values, in any order, any number of times and
/// in any grouping, are equal.
///
/// * commutative: `a ⊔ b = b ⊔ a`
/// * associative: `(a ⊔ b) ⊔ c = a ⊔ (b ⊔ c)`
/// * idempotent: `a ⊔ a = a`
///
/// The partial order is `a ≤ b ⇔ a ⊔ b = b`; a merge never goes down in it. Every implementor is
/// put through the module `laws`.
pub trait Merge {
    /// Becomes the least upper bound of itself and `other`. Returns whether it changed.
    fn merge(&mut self, other: &Self) -> bool;
}
