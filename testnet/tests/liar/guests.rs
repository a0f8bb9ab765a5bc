//! Strangers that begin to join and cannot prove keep nobody out.

use std::time::{Duration, Instant};

use crux_testnet::liar::Lie;

use crate::support::{flock, lies, measured, ok, spec, until_alive};

/// A newcomer is in within a second without them.
const IN_WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn who_cannot_prove_takes_no_place_from_who_can() {
    let mut cluster = flock(3, &[]).await;
    let mut spec = spec(&cluster, Lie::Guests);
    spec.keys = 80;
    let liar = lies(&spec, "every key was everywhere").await;

    let began = Instant::now();
    ok(ok(cluster.add()).start());
    until_alive(&mut cluster, 4).await;
    let joined = began.elapsed();
    drop(liar);
    measured(format_args!("A6: a newcomer is in after {joined:.1?}"));
    assert!(joined < IN_WITHIN, "a newcomer was in after {joined:?}");
}
