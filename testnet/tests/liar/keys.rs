//! Keys that one member admits cost the others a bounded share of memory and disk.

use std::time::Duration;

use crux_testnet::liar::Lie;

use crate::support::{
    WITHIN, failed_checks, flock, lies, measured, ok, on_disk, resident, spec, took,
};

/// What a replica may hold in the test, in MiB: eight of the liar's records.
const REPLICA_MAX: u64 = 16;
/// How many keys it admits, each with 2 MiB.
const KEYS: usize = 60;
/// What a node may take in memory beyond the replica: decoding, the database's cache, the allocator.
const BESIDE: u64 = 48;

#[tokio::test]
async fn a_replica_takes_in_no_more_authors_at_its_bound_and_doctor_names_who_admitted_them() {
    let bound = format!("{REPLICA_MAX}MiB");
    let cluster = flock(3, &["--replica-max", &bound]).await;
    let before = resident(&cluster);
    let mut spec = spec(&cluster, Lie::Keys);
    spec.count = KEYS;
    let mut liar = lies(&spec, "admitted").await;
    let said = ok(liar.until_said("admitted", WITHIN).await);
    let admitter = said.rsplit(' ').next().expect("it names itself").to_owned();
    let client = cluster.client(0).clone();
    took("doctor says that the replica is full", Duration::from_secs(30), async || {
        let failed = failed_checks(&client).await;
        let told = failed.iter().any(|check| check.contains(&admitter));
        if told { Ok(()) } else { Err(format!("{failed:?}")) }
    })
    .await;
    drop(liar);
    let (after, disk) = (resident(&cluster), on_disk(&cluster));
    measured(format_args!("A3: memory {before:?} → {after:?} MiB, disk {disk:?} MiB"));
    for (before, after) in before.iter().zip(&after) {
        assert!(after - before < REPLICA_MAX + BESIDE, "{before} → {after} MiB of memory");
    }
    for disk in disk {
        assert!(disk < 4 * REPLICA_MAX, "{disk} MiB on disk");
    }
}
