//! Puts a text as a blob, and gets it back by its id: at this node, or at any other of the flock.
//!
//! ```sh
//! cargo run -p crux-client --example blobs -- /var/lib/crux
//! ```

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use crux_client::{Client, Error, Got};

/// The example itself; returns the bytes that it got.
pub(crate) async fn blobs(
    put_at: &Path,
    get_at: &Path,
    text: &'static str,
) -> Result<Vec<u8>, Error> {
    let limit = Duration::from_secs(10);
    let client = Client::connect(put_at, limit).await?;
    // The end has to be said: a stream that breaks puts nothing.
    let chunks = [Some(Bytes::from_static(text.as_bytes())), None];
    let put = client.put_blob(text.len() as u64, tokio_stream::iter(chunks)).await?;

    let client = Client::connect(get_at, limit).await?;
    let mut get = client.get_blob(put.id, limit).await?;
    let mut bytes = Vec::new();
    while let Some(got) = get.next().await? {
        if let Got::Chunk(chunk) = got {
            bytes.extend_from_slice(&chunk);
        }
    }
    Ok(bytes)
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "what the example is for")]
async fn main() -> Result<(), Error> {
    let data_dir = std::env::args_os().nth(1).unwrap_or_else(|| "/var/lib/crux".into());
    let got = blobs(data_dir.as_ref(), data_dir.as_ref(), "hello, flock").await?;
    println!("{}", String::from_utf8_lossy(&got));
    Ok(())
}
