//! What it costs to have a target while nothing happens.

use std::time::Duration;

use super::{Flock, NAME};
use crate::Error;
use crate::bench::{Bench, Report, idle};
use crate::site::Document;

/// How often services are checked: the default.
const PERIOD: Duration = Duration::from_secs(10);

/// Watches a flock without a target, and the same with one.
pub(super) async fn measure(
    bench: &Bench,
    window: Duration,
    report: &mut Report,
) -> Result<(), Error> {
    let mut flock = Flock::start(bench).await?;
    let measured = async {
        idle::until_quiet(&mut flock.cluster).await?;
        let without =
            idle::watch("crux, no target", &idle::processes(&flock.cluster), window).await;
        let nodes = flock.cluster.nodes().len();
        flock.site.put(&Document { period: PERIOD, ..flock.document("rest") })?;
        flock.site.program(&format!("pick({NAME}, {nodes}, ALL)\n"))?;
        flock.site.apply(&flock.spec(0)).await?;
        flock.settled(nodes).await?;
        idle::until_quiet(&mut flock.cluster).await?;
        let with = idle::watch("crux, a target", &idle::processes(&flock.cluster), window).await;
        report.idle.extend(without.into_iter().chain(with));
        Ok(())
    };
    let measured = measured.await;
    flock.keep_if_failed(measured)?;
    report.notes.push(
        "at rest: picket and fulcrum of each node; a service is checked as often as by default"
            .to_owned(),
    );
    flock.cluster.stop_all().await
}
