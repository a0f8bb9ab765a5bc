//! A program that writes as fast as it can: the picket drops lines beyond what a service may keep, and never has
//! the program wait for a disk.

use crux_client::op::{AddService, RemoveService};

use crate::bench::Report;
use crate::process::{BlobClient, Cluster};
use crate::wait::{self, Seen};
use crate::{Error, sample};

/// How much it writes.
const BYTES: u64 = 1_000_000_000;
/// How often.
const ROUNDS: usize = 5;

/// Measures the rate, and how long one write of 64 KB took at most.
pub(super) async fn measure(cluster: &Cluster, report: &mut Report) -> Result<(), Error> {
    let node = &cluster.nodes()[0];
    let image = BlobClient::connect(node.spec()).await?.put(sample::PROGRAM).await?;
    let client = node.services();
    let (mut rates, mut longest) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut fields = sample::fields(&format!("writer{round}"), image)?;
        fields.args = vec!["write".to_owned(), BYTES.to_string()];
        let config = sample::config(fields)?;
        let (service, until) = (config.name.clone(), sample::until_up());
        let settled = client.call(&AddService { config, until }).await?;
        let port = *settled.ports.get(sample::PORT).ok_or_else(|| odd("it has no port"))?;
        let addr = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let said = wait::until("the writer answers", sample::UP_WITHIN, async || {
            Ok(match sample::call(addr).await {
                Ok(answer) => Seen::Done(answer.more),
                Err(error) => Seen::NotYet(error.to_string()),
            })
        });
        let [took, most] = said.await?[..] else { return Err(odd("it did not say how long")) };
        rates.push(BYTES as f64 / took.max(1) as f64);
        longest.push(most as f64 / 1000.0);
        client.call(&RemoveService { service, until }).await?;
    }
    report.value("crux", "output of one program", "MB/s", rates);
    report.value("crux", "longest wait of one write of 64 KB", "ms", longest);
    Ok(())
}

fn odd(why: &str) -> Error {
    Error::Broken(format!("the writer: {why}"))
}
