use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::act::Act;
use crux_crdt::canon::{Decoder, Encoder};
use crux_crdt::fact::FactError;
use crux_crdt::sign::{Signed, Verifier};

/// Appends acts, with their count.
pub(super) fn seal_acts<'a>(
    out: &mut Encoder,
    acts: impl ExactSizeIterator<Item = &'a Arc<Signed<Act>>>,
) {
    out.count(acts.len());
    acts.for_each(|act| act.seal(out));
}

/// Reads at most `limit` acts.
///
/// # Errors
/// [`FactError`].
pub(super) fn open_acts(
    input: &mut Decoder<'_>,
    limit: usize,
    flock: &Digest,
    verifier: &dyn Verifier,
) -> Result<Vec<Arc<Signed<Act>>>, FactError> {
    let count = input.count(limit, "acts")?;
    (0..count).map(|_| Ok(Arc::new(Signed::open(input, flock, verifier)?))).collect()
}
