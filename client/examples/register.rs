//! Registers a service of a node, finds it again, and removes it.
//!
//! ```sh
//! cargo run -p crux-client --example register -- /var/lib/crux
//! ```

use std::path::Path;
use std::time::Duration;

use crux_client::op::{Deregister, Register, Resolve};
use crux_client::{Client, Error, parse};

/// The example itself; returns where others find the service.
pub(crate) async fn register(data_dir: &Path) -> Result<String, Error> {
    let client = Client::connect(data_dir, Duration::from_secs(10)).await?;
    let key = parse::service_key("main", "greeter", "v1", 0)?;
    let registered = client
        .call(&Register {
            key: key.clone(),
            endpoint: parse::endpoint("127.0.0.1:8080")?,
            labels: parse::labels([parse::label_pair("zone=b")?])?,
            // Gone a minute after this program stops to renew it.
            lease: Some(Duration::from_secs(60)),
            sync: 0,
            sync_within: None,
        })
        .await?;
    let found = client.call(&Resolve { name: registered.instance, on: None }).await?;
    client.call(&Deregister { key }).await?;
    Ok(format!("{} is at {}", found.path, found.net_id.endpoint))
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "what the example is for")]
async fn main() -> Result<(), Error> {
    let data_dir = std::env::args_os().nth(1).unwrap_or_else(|| "/var/lib/crux".into());
    println!("{}", register(data_dir.as_ref()).await?);
    Ok(())
}
