//! A data directory that was copied, and both copies run.

use std::path::Path;
use std::time::Duration;

use crux_testnet::process::{Cluster, Registration};
use crux_testnet::wait::{self, Seen};

use crate::support::{WITHIN, flock, ok};

/// The exit code of a node that another one forbids to go on.
const REFUSED: i32 = 5;
/// The node that is copied, and its copy.
const TWINS: [usize; 2] = [2, 3];

/// Copies a data directory as whoever clones a machine does.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("the data directory") {
        let entry = entry.expect("an entry");
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else if path.is_file() && name != "lock" {
            std::fs::copy(&path, to.join(name)).expect("a copy");
        }
    }
}

/// A flock of three, and a copy of the third, down, that knows only the first.
async fn with_copy(running: bool) -> Cluster {
    let mut cluster = flock(3).await;
    let spec = ok(cluster.add()).spec().clone();
    let (seed, original) = (cluster.node(0).spec().listen, cluster.node(2).spec().clone());
    if !running {
        ok(cluster.node(2).terminate());
        ok(cluster.node(2).until_ended(WITHIN).await);
    }
    copy(&original.data_dir, &spec.data_dir);
    let copied = cluster.node(3).spec_mut();
    (copied.name, copied.join, copied.discover) = (original.name, vec![seed], false);
    if !running {
        ok(cluster.node(2).start());
    }
    cluster
}

/// Which of the two ended by itself.
fn ended(cluster: &mut Cluster) -> Vec<(usize, Option<i32>)> {
    let codes = TWINS.map(|at| (at, ok(cluster.node(at).ended())));
    codes.into_iter().filter_map(|(at, status)| Some((at, status?.code()))).collect()
}

/// Starts the copy so long after the original, has clients register on both, and waits until one is left.
/// Returns which that is, and what was acknowledged.
async fn until_one_is_left(
    cluster: &mut Cluster,
    distance: Duration,
    writes: bool,
) -> (usize, Vec<String>) {
    tokio::time::sleep(distance).await;
    ok(cluster.node(3).start());
    let (mut number, mut acknowledged) = (0, Vec::new());
    let one_ended = wait::until("one of the two stops", WITHIN, async || {
        for at in TWINS.into_iter().filter(|_| writes) {
            let name = format!("s{at}-{number}");
            let service = Registration::new(name.clone(), "v1", "127.0.0.1:9");
            // One that is starting, or stops, acknowledges nothing.
            if cluster.client(at).register(&service).await.is_ok() {
                acknowledged.push(name);
            }
        }
        number += 1;
        let ended = ended(cluster);
        Ok(Seen::when(!ended.is_empty(), ended, |ended| format!("  {ended:?}")))
    });
    let one_ended = ok(one_ended.await);
    let [(loser, code)] = one_ended[..] else { panic!("both ended: {one_ended:?}") };
    assert_eq!(code, Some(REFUSED), "{}", cluster.node(loser).log());
    let [original, copy] = TWINS;
    (if loser == copy { original } else { copy }, acknowledged)
}

/// What was acknowledged by either is shown, or both logs name it.
async fn nothing_is_lost_in_silence(cluster: &mut Cluster, left: usize, acknowledged: &[String]) {
    let client = cluster.client(left).clone();
    let lost = wait::until("all is shown or said to be lost", WITHIN, async || {
        let logs = TWINS.map(|at| cluster.node(at).log());
        let shown = client.services("*/*/*/*/*", true).await?;
        let is_shown = |name: &String| shown.iter().any(|it| it.path.service.as_str() == name);
        let unsaid =
            |name: &&String| !is_shown(name) && !logs.iter().all(|log| log.contains(*name));
        let lost: Vec<_> = acknowledged.iter().filter(unsaid).cloned().collect();
        Ok(Seen::when(lost.is_empty(), lost, |lost| format!("  lost: {lost:?}")))
    });
    ok(lost.await);
    assert!(ended(cluster).iter().all(|(at, _)| *at != left), "one of the two goes on");
}

async fn one_stops(running: bool, distance: Duration, writes: bool) -> (usize, Vec<String>) {
    let mut cluster = with_copy(running).await;
    let (left, acknowledged) = until_one_is_left(&mut cluster, distance, writes).await;
    assert_eq!(writes, !acknowledged.is_empty());
    nothing_is_lost_in_silence(&mut cluster, left, &acknowledged).await;
    (left, acknowledged)
}

#[tokio::test]
async fn the_copy_of_a_running_node_stops_and_the_original_goes_on() {
    let (left, _) = one_stops(true, Duration::from_millis(300), true).await;
    assert_eq!(left, TWINS[0]);
}

#[tokio::test]
async fn of_two_that_start_from_one_disk_at_once_one_stops() {
    one_stops(false, Duration::ZERO, true).await;
}

#[tokio::test]
async fn of_two_that_start_from_one_disk_and_write_nothing_the_later_stops() {
    let (left, _) = one_stops(false, Duration::from_secs(3), false).await;
    assert_eq!(left, TWINS[0]);
}
