//! A disk on which nothing fits any more.

use crux_testnet::process::Registration;
use crux_testnet::wait::{self, Seen};

use crate::support::{WITHIN, agreed, flock, ok};

/// The limit on files stands in for a full disk: it needs no privileges, and also hits the log, which
/// is on the same disk on many machines.
#[tokio::test]
async fn a_node_outlives_a_full_disk_with_its_log_on_it() {
    let mut cluster = flock(2).await;
    let client = cluster.client(1).clone();
    let what = Registration::new("greeter", "v1", "127.0.0.1:99");
    ok(cluster.nodes()[1].limit_files(Some(0)));
    let refused = client.register(&what).await.expect_err("no room").to_string();
    assert!(refused.contains("disk of this node is full"), "{refused}");
    assert!(ok(client.services("greeter", true).await).is_empty(), "it reads, and shows nothing");

    ok(cluster.nodes()[1].limit_files(None));
    let registered = wait::until("there is room", WITHIN, async || {
        Ok(match client.register(&what).await {
            Ok(_) => Seen::Done(()),
            Err(error) => Seen::NotYet(error.to_string()),
        })
    });
    ok(registered.await);
    agreed(&mut cluster).await;
    let log = cluster.nodes()[1].log();
    assert!(log.contains("started") && !log.contains("panicked"), "{log}");
    ok(cluster.stop_all().await);
}
