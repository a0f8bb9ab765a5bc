//! Prints what is registered in the flock, then every change, until it is stopped.
//!
//! ```sh
//! cargo run -p crux-client --example watch -- /var/lib/crux
//! ```

use std::path::Path;
use std::time::Duration;

use crux_client::{Client, Error, WatchEvent, parse};

/// The example itself: gives each line to `print`, until that says that it is enough.
pub(crate) async fn watch(
    data_dir: &Path,
    mut print: impl FnMut(String) -> bool,
) -> Result<(), Error> {
    let client = Client::connect(data_dir, Duration::from_secs(10)).await?;
    let mut watch = client.watch(&parse::query("")?, false).await?;
    while let Some(event) = watch.next().await? {
        let line = match event {
            // First, and again when this program fell behind: replaces all that was known.
            WatchEvent::Snapshot { services } => format!("{} services", services.len()),
            WatchEvent::Added { service } => format!("+ {} {}", service.path, service.status),
            WatchEvent::Removed { service } => format!("- {}", service.path),
        };
        if !print(line) {
            break;
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "what the example is for")]
async fn main() -> Result<(), Error> {
    let data_dir = std::env::args_os().nth(1).unwrap_or_else(|| "/var/lib/crux".into());
    watch(data_dir.as_ref(), |line| {
        println!("{line}");
        true
    })
    .await
}
