//! A false claim about one blob costs nobody another one, nor the time of a get.

use std::time::{Duration, Instant};

use crux_testnet::liar::{LiarProcess, Lie};
use crux_testnet::process::{BlobClient, Cluster};

use crate::support::{WITHIN, flock, measured, ok, spec, until_alive};

const MIB: usize = 1024 * 1024;
/// How long a get waits for a holder.
const WAIT: Duration = Duration::from_secs(10);
/// How long a get may take that somebody lies about: its patience, and the time to fetch.
const GET_WITHIN: Duration = Duration::from_secs(15);

/// Bytes that are nowhere the same, and like no others.
fn bytes(number: u64, length: usize) -> Vec<u8> {
    let word = |at: u64| (at << 8 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..length as u64 / 8).map(word).flat_map(u64::to_le_bytes).collect()
}

async fn client(cluster: &Cluster, at: usize) -> BlobClient {
    ok(BlobClient::connect(cluster.nodes()[at].spec()).await)
}

/// A node whose store holds five blobs that nobody pinned gets a sixth, which an honest node has, and
/// of which a liar says that it has so many bytes.
async fn lied_about(claimed: u64) {
    let mut cluster = flock(3, &["--blob-quota", "24MiB"]).await;
    let (holder, getter) = (client(&cluster, 0).await, client(&cluster, 1).await);
    let mut only_copies = Vec::new();
    for number in 0..5 {
        only_copies.push(ok(getter.put(&bytes(number, 4 * MIB)).await));
    }
    let data = bytes(9, 2 * MIB);
    let wanted = ok(holder.put(&data).await);
    let mut spec = spec(&cluster, Lie::Blob);
    spec.bytes = claimed;
    let mut liar = ok(LiarProcess::start(cluster.exe(), &spec));
    until_alive(&mut cluster, 4).await;

    let began = Instant::now();
    let got = getter.get(wanted, WAIT, GET_WITHIN).await;
    let took = began.elapsed();
    ok(liar.until_said("claimed", WITHIN).await);
    let held = ok(getter.held().await);
    let left = only_copies.iter().filter(|blob| held.contains(blob)).count();
    let how = got.as_ref().map_or_else(ToString::to_string, |got| format!("{} bytes", got.len()));
    measured(format_args!(
        "A1, {claimed} bytes claimed: {left} of 5 only copies left; {how} after {took:.1?}"
    ));
    assert_eq!(left, 5, "nothing is evicted for a claim");
    assert!(ok(got) == data, "an honest node has it");
}

#[tokio::test]
async fn a_claim_of_twenty_megabytes_evicts_nothing_and_delays_little() {
    lied_about(20 * MIB as u64).await;
}

#[tokio::test]
async fn a_claim_of_a_tebibyte_fills_no_disk_and_delays_little() {
    lied_about(1 << 40).await;
}
