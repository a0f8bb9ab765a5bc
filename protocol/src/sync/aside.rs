use crux_crdt::canon::{DecodeError, Decoder, Encoder};

use super::message::BEACON_BYTES_MAX;
use super::roots::Roots;

/// Of how many runs of one member a node tells.
const RUNS_MAX: usize = 2;

/// What goes along with roots: how their sender fares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aside {
    /// Its beacon, sealed; empty before the first.
    pub beacon: Vec<u8>,
    /// How many members are not dead to it, itself included.
    pub live: u32,
    /// The last beacons of both runs of the one that reads this, if that runs twice; at most two,
    /// sealed and not yet verified.
    pub runs: Vec<Vec<u8>>,
}

/// Appends roots and what goes along with them.
pub(super) fn encode_roots(out: &mut Encoder, roots: &Roots, aside: &Aside) {
    roots.encode(out);
    out.bytes(&aside.beacon).u32(aside.live);
    let runs = aside.runs.iter().take(RUNS_MAX);
    out.count(runs.len());
    runs.for_each(|run| _ = out.bytes(run));
}

/// Reads them.
pub(super) fn decode_roots(input: &mut Decoder<'_>) -> Result<(Roots, Aside), DecodeError> {
    let roots = Roots::decode(input)?;
    let beacon = input.bytes(BEACON_BYTES_MAX, "beacon")?.to_vec();
    let live = input.u32("live members")?;
    let count = input.count(RUNS_MAX, "runs")?;
    let runs = (0..count).map(|_| Ok(input.bytes(BEACON_BYTES_MAX, "beacon of a run")?.to_vec()));
    let runs = runs.collect::<Result<_, DecodeError>>()?;
    Ok((roots, Aside { beacon, live, runs }))
}
