use crux_crdt::Digest;
use crux_crdt::canon::{DecodeError, Decoder, Encoder};
use crux_crdt::fact::Kind;
use crux_crdt::strew::Strew;

/// How many sets a peer may name: more than this build knows.
const KINDS_MAX: usize = 32;

/// The fingerprint of each set that a node holds, in ascending order of kinds.
///
/// **Invariant**: a kind that one of two nodes does not know is no difference between them. Each
/// compares the kinds that both name, so a node of a later version, which holds further sets, is in
/// agreement with one that does not hold them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Roots(Vec<(Kind, Digest)>);

impl Roots {
    /// The roots of a replica.
    pub fn of(strew: &Strew) -> Self {
        Self(strew.roots().collect())
    }

    /// The roots of these sets. Of several of one kind the last counts; at most 32 are taken.
    pub fn new(sets: impl IntoIterator<Item = (Kind, Digest)>) -> Self {
        let sets: std::collections::BTreeMap<_, _> = sets.into_iter().collect();
        Self(sets.into_iter().take(KINDS_MAX).collect())
    }

    /// The root of a set.
    pub fn get(&self, kind: Kind) -> Option<Digest> {
        let found = self.0.binary_search_by_key(&kind, |(kind, _)| *kind).ok()?;
        self.0.get(found).map(|(_, root)| *root)
    }

    /// The kinds that both name with different roots, in ascending order.
    pub fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Kind> + 'a {
        let differs =
            |(kind, root): &&(Kind, Digest)| other.get(*kind).is_some_and(|theirs| theirs != *root);
        self.0.iter().filter(differs).map(|(kind, _)| *kind)
    }

    /// Whether no kind that both name differs.
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.differing(other).next().is_none()
    }

    pub(super) fn encode(&self, out: &mut Encoder) {
        out.count(self.0.len());
        self.0.iter().for_each(|(kind, root)| _ = out.u8(kind.0).digest(root));
    }

    pub(super) fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = input.count(KINDS_MAX, "roots")?;
        let roots = (0..count).map(|_| Ok((Kind(input.u8("kind")?), input.digest("root")?)));
        let roots = roots.collect::<Result<Vec<_>, DecodeError>>()?;
        if roots.is_sorted_by(|(one, _), (next, _)| one < next) {
            Ok(Self(roots))
        } else {
            Err(DecodeError::Invalid("order of roots"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Kind = Kind(1);
    const SECOND: Kind = Kind(2);
    const LATER: Kind = Kind(9);

    fn root(n: u8) -> Digest {
        Digest([n; 32])
    }

    fn round_trip(roots: &Roots) -> Result<Roots, DecodeError> {
        let mut out = Encoder::default();
        roots.encode(&mut out);
        Roots::decode(&mut Decoder::new(&out.finish()))
    }

    #[test]
    fn a_kind_that_one_of_two_does_not_name_is_no_difference() {
        let mine = Roots::new([(FIRST, root(1)), (SECOND, root(2))]);
        let more = Roots::new([(LATER, root(3)), (FIRST, root(1)), (SECOND, root(2))]);
        assert!(mine.agrees_with(&more) && more.agrees_with(&mine) && mine != more);
        let other = Roots::new([(SECOND, root(7)), (LATER, root(3))]);
        assert_eq!(mine.differing(&other).collect::<Vec<_>>(), [SECOND]);
        assert_eq!(other.differing(&more).collect::<Vec<_>>(), [SECOND]);
    }

    #[test]
    fn roots_have_one_order_and_a_bound() {
        let some = Roots::new((0..40).map(|n| (Kind(n), root(n))));
        assert_eq!(some.0.len(), KINDS_MAX);
        assert_eq!(round_trip(&some), Ok(some.clone()));
        assert_eq!((some.get(Kind(31)), some.get(Kind(32))), (Some(root(31)), None));
        let mut swapped = some.clone();
        swapped.0.swap(3, 4);
        assert_eq!(round_trip(&swapped), Err(DecodeError::Invalid("order of roots")));
        let mut more = some;
        more.0.push((Kind(32), root(0)));
        assert!(matches!(round_trip(&more), Err(DecodeError::TooLarge { what: "roots", .. })));
    }
}
