//! Nodes and leaders that die under a target.

use std::time::Duration;

use tokio::time::sleep;

use super::{BATCHES, Flock, NAME, REPLACE_AFTER, WITHIN, add, between};
use crate::Error;
use crate::bench::{Report, Samples, rig};
use crate::process::FlockStatus;
use crate::site::Diary;

/// By how much later a leader dies in each round, and how often that grows.
const LATER: Duration = Duration::from_millis(40);
const MOMENTS: usize = 8;

/// Half as many instances as nodes; a node dies that has one.
pub(super) async fn nodes(
    flock: &mut Flock,
    rounds: usize,
    report: &mut Report,
) -> Result<(), Error> {
    let count = flock.cluster.nodes().len() / 2;
    flock.site.put(&flock.document("lost"))?;
    flock.site.program(&format!("pick({NAME}, {count}, ALL)\n"))?;
    flock.site.apply(&flock.spec(0)).await?;
    let mut census = flock.settled(count).await?;
    let mut samples = Samples::new(BATCHES);
    let bar = rig::progress("kill a node", rounds);
    for at in 0..rounds {
        let hosts: Vec<usize> = census.nodes(NAME).into_iter().collect();
        let victim = hosts[at % hosts.len()];
        flock.cluster.node(victim).kill()?;
        let from = Diary::now();
        let last = flock.last_up(count, "lost", from).await?;
        samples.record(at * BATCHES / rounds, between(from, last).saturating_sub(REPLACE_AFTER));
        flock.cluster.node(victim).start()?;
        flock.cluster.until_agreed(WITHIN).await?;
        census = flock.settled(count).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    add(report, "crux", "kill −9 of a node → ready elsewhere, beyond replace_after", &samples);
    Ok(())
}

/// Half as many instances as nodes, none on the leader, which dies while the next version is applied.
pub(super) async fn leaders(
    flock: &mut Flock,
    rounds: usize,
    report: &mut Report,
) -> Result<(), Error> {
    let nodes = flock.cluster.nodes().len();
    let count = nodes / 2;
    let mut samples = Samples::new(BATCHES);
    let bar = rig::progress("kill the leader", rounds);
    for at in 0..rounds {
        let leader = leader(&flock.cluster.until_still(WITHIN).await?, flock)?;
        let rev = format!("c{at}");
        let others = (0..nodes).filter(|it| *it != leader).map(|it| format!("\"n{}\"", it + 1));
        let others = others.collect::<Vec<_>>().join(", ");
        flock.site.program(&format!("pick({NAME}, {count}, ({others}))\n"))?;
        // The version before runs there, so that nothing has to move.
        flock.site.put(&flock.document(&format!("{rev}-before")))?;
        flock.site.apply(&flock.spec(leader + 1)).await?;
        flock.settled(count).await?;
        flock.site.put(&flock.document(&rev))?;
        let (spec, site) = (flock.spec(leader + 1), flock.site.clone());
        let moment = LATER * u32::try_from(at % MOMENTS).unwrap_or_default();
        let kill = async {
            sleep(moment).await;
            flock.cluster.node(leader).kill()
        };
        let (applied, killed) = tokio::join!(site.apply(&spec), kill);
        applied?;
        killed?;
        let from = Diary::now();
        let last = flock.last_up(count, &rev, 0).await?;
        samples.record(at * BATCHES / rounds, between(from, last));
        flock.cluster.node(leader).start()?;
        flock.cluster.until_agreed(WITHIN).await?;
        flock.settled(count).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    add(report, "crux", "leader killed during an apply → settled", &samples);
    Ok(())
}

fn leader(statuses: &FlockStatus, flock: &Flock) -> Result<usize, Error> {
    let name = statuses.leader().map(|leader| leader.node.to_string());
    let at = name.and_then(|name| flock.cluster.position(&name));
    at.ok_or_else(|| Error::Broken("no node leads".to_owned()))
}
