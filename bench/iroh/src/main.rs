//! Moves one file between two processes by iroh-blobs, for `crux-testnet bench blob`.
//!
//! `serve FILE DIR` takes the file into a store in DIR, where it lies if iroh allows it, and prints
//! `{"ticket": …}` once it can be fetched. `get TICKET DIR` fetches it into a store in DIR and prints
//! `{"seconds": …, "bytes": …}`: from the request, on a connection that stands, until iroh says that the
//! blob is complete. Both listen on loopback alone, with no relay and no discovery, and run until
//! standard input closes, so that whoever measures can read their accounts.

use std::error::Error;
use std::net::Ipv4Addr;
use std::path::{Path, absolute};
use std::time::Instant;

use iroh::endpoint::{Endpoint, RelayMode, presets};
use iroh::protocol::Router;
use iroh::{EndpointAddr, TransportAddr};
use iroh_blobs::api::blobs::{AddPathOptions, ImportMode};
use iroh_blobs::store::fs::FsStore;
use iroh_blobs::ticket::BlobTicket;
use iroh_blobs::{ALPN, BlobFormat, BlobsProtocol};
use tokio::io::AsyncReadExt as _;

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", file, dir] => serve(Path::new(file), Path::new(dir)).await,
        ["get", ticket, dir] => get(&ticket.parse()?, Path::new(dir)).await,
        _ => Err("usage: crux-bench-iroh serve FILE DIR | get TICKET DIR".into()),
    }
}

async fn endpoint() -> Result<Endpoint, Box<dyn Error>> {
    let builder = Endpoint::builder(presets::Minimal).relay_mode(RelayMode::Disabled);
    let builder = builder.clear_ip_transports().bind_addr((Ipv4Addr::LOCALHOST, 0))?;
    Ok(builder.bind().await?)
}

async fn serve(file: &Path, dir: &Path) -> Outcome {
    let store = FsStore::load(dir).await?;
    let options = AddPathOptions {
        path: absolute(file)?,
        mode: ImportMode::TryReference,
        format: BlobFormat::Raw,
    };
    let tag = store.blobs().add_path_with_opts(options).await?;
    let endpoint = endpoint().await?;
    let at = endpoint.bound_sockets().into_iter().map(TransportAddr::Ip);
    let ticket =
        BlobTicket::new(EndpointAddr::from_parts(endpoint.id(), at), tag.hash, BlobFormat::Raw);
    let router = Router::builder(endpoint).accept(ALPN, BlobsProtocol::new(&store, None)).spawn();
    say(&serde_json::json!({ "ticket": ticket.to_string() }));
    until_stdin_closes().await;
    Ok(router.shutdown().await?)
}

async fn get(ticket: &BlobTicket, dir: &Path) -> Outcome {
    let store = FsStore::load(dir).await?;
    let endpoint = endpoint().await?;
    let connection = endpoint.connect(ticket.addr().clone(), ALPN).await?;
    let since = Instant::now();
    let stats = store.remote().fetch(connection, ticket.hash_and_format()).await?;
    let seconds = since.elapsed().as_secs_f64();
    say(&serde_json::json!({ "seconds": seconds, "bytes": stats.payload_bytes_read }));
    until_stdin_closes().await;
    store.shutdown().await?;
    endpoint.close().await;
    Ok(())
}

fn say(line: &serde_json::Value) {
    println!("{line}");
}

async fn until_stdin_closes() {
    // An error is an end, too.
    tokio::io::stdin().read_to_end(&mut Vec::new()).await.ok();
}
