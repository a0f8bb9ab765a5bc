//! The laws of [`crate::merge::Merge`] and of [`crate::canon::Canonical`] as checks. Every merged
//! type and every encoded type is put through them; other crates do so too with the feature
//! `test-utils`.

use core::fmt::Debug;

use crate::canon::Canonical;
use crate::merge::Merge;

/// Checks that merging is commutative, associative and idempotent on three values, and that the
/// change it reports is real.
///
/// `view` is what replicas compare.
///
/// # Panics
/// A law is broken; the message says which.
pub fn check_merge<T: Merge + Clone, V: PartialEq + Debug>(
    a: &T,
    b: &T,
    c: &T,
    view: impl Fn(&T) -> V,
) {
    let join = |x: &T, y: &T| {
        let mut joined = x.clone();
        joined.merge(y);
        joined
    };
    assert_eq!(view(&join(a, b)), view(&join(b, a)), "merge is not commutative");
    assert_eq!(
        view(&join(&join(a, b), c)),
        view(&join(a, &join(b, c))),
        "merge is not associative"
    );
    for (x, y) in [(a, b), (b, c), (c, a)] {
        let mut joined = x.clone();
        let reported = joined.merge(y);
        assert!(reported || view(&joined) == view(x), "merge hides a change");
    }
    let mut twice = join(a, b);
    assert!(!twice.merge(b), "merging the same again reports a change");
    assert_eq!(view(&twice), view(&join(a, b)), "merge is not idempotent");
    assert!(!a.clone().merge(a), "merging itself reports a change");
}

/// Checks that a value survives its encoding and that no other bytes stand for it.
///
/// # Panics
/// A law is broken; the message says which.
pub fn check_canonical<T: Canonical + PartialEq + Debug>(value: &T) {
    let bytes = value.to_canonical();
    let decoded = T::from_canonical(&bytes).expect("what is encoded decodes");
    assert_eq!(&decoded, value, "decode(encode(v)) is not v");
    for cut in 0..bytes.len() {
        assert!(T::from_canonical(&bytes[..cut]).is_err(), "a prefix of {cut} bytes decodes");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(T::from_canonical(&longer).is_err(), "bytes left over are accepted");
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        if let Ok(other) = T::from_canonical(&flipped) {
            assert_eq!(other.to_canonical(), flipped, "two spellings of one value");
        }
    }
}
