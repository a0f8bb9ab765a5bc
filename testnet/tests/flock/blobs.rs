//! Files that one node puts and others get.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crux_client::op::{Keep, KeepBlob, ListBlobs, RemoveBlob};
use crux_client::{Client, Got, Kind};
use crux_crdt::blob::BlobId;
use crux_crdt::record::{Offer, SlotKind as _};
use crux_testnet::process::{Cluster, run_node_command};
use tokio::time::timeout;

use crate::support::{WITHIN, exe, flock, ok};

/// How long a get waits for a holder.
const WAIT: Duration = Duration::from_secs(10);
/// Large enough to be stopped in the middle, small enough to be quick.
const LENGTH: u64 = 24 * 1024 * 1024 + 5;

/// A file that is nowhere the same.
fn file(cluster: &Cluster) -> PathBuf {
    let path = cluster.home().path().join("file");
    let bytes: Vec<u8> =
        (0..LENGTH / 8 + 1).flat_map(|word| word.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    std::fs::write(&path, &bytes[..usize::try_from(LENGTH).unwrap()]).unwrap();
    path
}

fn dir(cluster: &mut Cluster, at: usize) -> PathBuf {
    cluster.node(at).spec().data_dir.clone()
}

async fn put(cluster: &mut Cluster, at: usize, path: &Path) -> BlobId {
    let dir = dir(cluster, at);
    let args =
        ["blob", "put", path.to_str().unwrap(), "--json", "--data-dir", dir.to_str().unwrap()];
    let finished = ok(run_node_command(&exe(), &args, WITHIN).await);
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
    let line: serde_json::Value = serde_json::from_str(finished.stdout.trim()).unwrap();
    assert_eq!(line["size"], LENGTH);
    line["id"].as_str().unwrap().parse().unwrap()
}

async fn client(cluster: &mut Cluster, at: usize) -> Client {
    Client::connect(&dir(cluster, at), WITHIN).await.unwrap()
}

/// Gets all of it, and returns it.
async fn get(client: &Client, blob: BlobId) -> Vec<u8> {
    let mut bytes = Vec::new();
    let got = async {
        let mut get = client.get_blob(blob, WAIT).await.unwrap();
        while let Some(part) = get.next().await.unwrap() {
            if let Got::Chunk(chunk) = part {
                bytes.extend_from_slice(&chunk);
            }
        }
    };
    timeout(WITHIN, got).await.expect("a get ends in time");
    bytes
}

/// Gets until half of it is there. `false`: it came faster than could be seen.
async fn get_half(client: &Client, blob: BlobId) -> bool {
    let half = async {
        let mut get = client.get_blob(blob, WAIT).await.unwrap();
        while let Some(part) = get.next().await.unwrap() {
            match part {
                Got::Progress(progress) if progress.held >= LENGTH / 2 => return true,
                Got::Progress(_) => {}
                Got::Size(_) | Got::Chunk(_) => return false,
            }
        }
        false
    };
    timeout(WITHIN, half).await.expect("pieces come in time")
}

#[tokio::test]
async fn what_one_node_puts_every_other_gets_also_when_the_first_is_gone() {
    let mut cluster = flock(3).await;
    let path = file(&cluster);
    let blob = put(&mut cluster, 0, &path).await;
    let bytes = std::fs::read(&path).unwrap();
    assert!(get(&client(&mut cluster, 1).await, blob).await == bytes);

    // The third begins with two to fetch from; the first dies meanwhile.
    let third = client(&mut cluster, 2).await;
    get_half(&third, blob).await;
    ok(cluster.node(0).kill());
    assert!(get(&third, blob).await == bytes);
}

#[tokio::test]
async fn a_fetcher_that_is_killed_goes_on_with_what_it_has() {
    let mut cluster = flock(2).await;
    let path = file(&cluster);
    let blob = put(&mut cluster, 0, &path).await;
    let seen = get_half(&client(&mut cluster, 1).await, blob).await;
    ok(cluster.node(1).kill());
    ok(cluster.node(1).start());
    ok(cluster.until_agreed(WITHIN).await);

    let second = client(&mut cluster, 1).await;
    let listed = second.call(&ListBlobs).await.unwrap();
    let held = listed.iter().find(|listed| listed.id == blob).map(|listed| listed.held);
    assert!(!seen || held.is_some_and(|held| held >= 12), "{held:?} pieces are left");
    assert!(get(&second, blob).await == std::fs::read(&path).unwrap());
}

#[tokio::test]
async fn what_nobody_has_is_said_and_a_late_holder_is_waited_for() {
    let mut cluster = flock(2).await;
    let second = client(&mut cluster, 1).await;
    let mut get_none = second.get_blob(BlobId([7; 32]), Duration::from_millis(200)).await.unwrap();
    let error = timeout(WITHIN, get_none.next()).await.expect("it ends").unwrap_err();
    assert_eq!(error.kind(), Kind::BlobUnknown);

    let path = file(&cluster);
    let known = put(&mut cluster, 0, &path).await;
    let first = client(&mut cluster, 0).await;
    first.call(&RemoveBlob { id: known, pinned: false }).await.unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let (got, again) = tokio::join!(get(&second, known), put(&mut cluster, 0, &path));
    assert!(got == bytes && again == known);
}

/// Those that find no slot are stated in Kademlia, and asked for around.
#[tokio::test]
async fn more_blobs_than_there_are_slots_are_found_all() {
    let mut cluster = flock(3).await;
    let home = cluster.home().path().to_owned();
    let count = Offer::ROW.most + 3;
    let paths: Vec<_> = (0..count).map(|number| home.join(format!("small-{number}"))).collect();
    for (number, path) in paths.iter().enumerate() {
        std::fs::write(path, format!("blob {number}")).unwrap();
    }
    let dir = dir(&mut cluster, 0);
    let mut args = vec!["blob", "put", "--json", "--data-dir", dir.to_str().unwrap()];
    args.extend(paths.iter().map(|path| path.to_str().unwrap()));
    let finished = ok(run_node_command(&exe(), &args, WITHIN).await);
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
    let ids: Vec<BlobId> = (finished.stdout.lines())
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| line["id"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(ids.len(), count);
    let first = client(&mut cluster, 0).await;
    for id in &ids {
        first.call(&KeepBlob { id: *id, keep: Keep::Pinned(true) }).await.unwrap();
    }
    let second = client(&mut cluster, 1).await;
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(get(&second, *id).await, format!("blob {number}").into_bytes());
    }
}
