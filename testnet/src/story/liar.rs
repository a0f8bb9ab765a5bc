//! The step in which a member lies: what it tries, and what stands.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crux_client::model::Leader;

use super::script::{STEP_WITHIN, leader_of, leader_position};
use crate::Error;
use crate::liar::{LiarProcess, LiarSpec, Lie};
use crate::process::{BlobClient, Cluster, FlockStatus, NodeClient};
use crate::wait::{self, Seen};

/// How much the blob holds that is lied about, and what the liar says that it has: 1 TiB.
const BLOB_BYTES: usize = 4 * 1024 * 1024;
const CLAIMED: u64 = 1 << 40;
/// How long a get waits for somebody that has the blob.
const WAIT: Duration = Duration::from_secs(10);
/// How long the liar has to say that it was asked, and how many blobs are tried: a get may end before its
/// node asks everybody.
const ASKED_WITHIN: Duration = Duration::from_secs(2);
const BLOBS_TRIED: u64 = 5;

/// A member commands under the greatest term there is; then the leader dies. Returns who leads then, and
/// how many obey.
pub(super) async fn commands(cluster: &mut Cluster) -> Result<(Leader, usize), Error> {
    let all = cluster.nodes().len();
    let liar = lies(cluster, Lie::Fence, &format!("told {all} members")).await?;
    let with_it = u32::try_from(all + 1).unwrap_or(u32::MAX);
    let counts = |seen: &FlockStatus| {
        seen.leader().is_some() && seen.answered().all(|one| one.members.alive == with_it)
    };
    let seen = cluster.until("the liar is a member", STEP_WITHIN, counts).await?;
    let old = leader_of(&seen)?;
    let at = leader_position(cluster, &old)?;
    cluster.node(at).kill()?;
    let next = |seen: &FlockStatus| seen.leader().is_some_and(|leader| *leader != old);
    cluster.until("another one leads", STEP_WITHIN, next).await?;
    let led = until_obeyed(cluster.client((at + 1) % all).clone(), all - 1).await?;
    drop(liar);
    cluster.node(at).start()?;
    cluster.until_agreed(STEP_WITHIN).await?;
    Ok(led)
}

/// A member signs for every blob that it is another one, of 1 TiB. Returns how long a get of it takes.
pub(super) async fn claims(cluster: &mut Cluster) -> Result<Duration, Error> {
    let [holder, getter] = [0, 1].map(|at| cluster.nodes()[at].spec().clone());
    let (holder, getter) =
        (BlobClient::connect(&holder).await?, BlobClient::connect(&getter).await?);
    let kept = getter.put(&bytes(1)).await?;
    let all = cluster.nodes().len();
    let mut liar = start(cluster, Lie::Blob)?;
    let linked = u32::try_from(all + 1).unwrap_or(u32::MAX);
    let counts = |seen: &FlockStatus| seen.answered().all(|one| one.members.alive == linked);
    cluster.until("the liar is a member", STEP_WITHIN, counts).await?;
    let took = lied_about(&holder, &getter, &mut liar).await?;
    drop(liar);
    if !getter.held().await?.contains(&kept) {
        return Err(Error::Broken("another blob was evicted for a claim".to_owned()));
    }
    cluster.until_agreed(STEP_WITHIN).await?;
    Ok(took)
}

/// Gets a blob that the liar is asked for, too. Returns how long that took.
async fn lied_about(
    holder: &BlobClient,
    getter: &BlobClient,
    liar: &mut LiarProcess,
) -> Result<Duration, Error> {
    let mut number = 2;
    loop {
        let wanted = holder.put(&bytes(number)).await?;
        let began = Instant::now();
        let got = getter.get(wanted, WAIT, STEP_WITHIN).await?;
        let took = began.elapsed();
        if got != bytes(number) {
            return Err(Error::Broken("the blob is not what was put".to_owned()));
        }
        let claimed = format!("claimed that {}", wanted.short());
        match liar.until_said(&claimed, ASKED_WITHIN).await {
            Ok(_) => return Ok(took),
            Err(Error::TimedOut { .. }) if number <= BLOBS_TRIED => number += 1,
            Err(err) => return Err(err),
        }
    }
}

/// Waits until the leader is obeyed by so many, itself among them.
async fn until_obeyed(node: NodeClient, by: usize) -> Result<(Leader, usize), Error> {
    wait::until("the leader is obeyed", STEP_WITHIN, async || {
        Ok(match node.leader_ping().await {
            Ok(ping) if ping.accepted.len() >= by => Seen::Done((ping.leader, ping.accepted.len())),
            other => Seen::NotYet(format!("  {other:?}")),
        })
    })
    .await
}

async fn lies(cluster: &Cluster, lie: Lie, words: &str) -> Result<LiarProcess, Error> {
    let mut liar = start(cluster, lie)?;
    liar.until_said(words, STEP_WITHIN).await?;
    Ok(liar)
}

fn start(cluster: &Cluster, lie: Lie) -> Result<LiarProcess, Error> {
    let spec = LiarSpec {
        lie,
        secret: cluster.home().secret(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        targets: cluster.nodes().iter().map(|node| node.spec().listen).collect(),
        keys: 1,
        count: 1,
        bytes: CLAIMED,
        log: cluster.home().path().join(format!("liar-{lie}.log")),
    };
    LiarProcess::start(cluster.exe(), &spec)
}

/// Bytes that are nowhere the same, and like no others.
fn bytes(number: u64) -> Vec<u8> {
    let word = |at: u64| (at << 8 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..BLOB_BYTES as u64 / 8).map(word).flat_map(u64::to_le_bytes).collect()
}
