//! A client of blobs: it puts them at random nodes, gets them at others, and writes down what it has
//! put.

use std::sync::Arc;
use std::time::Duration;

use crux_crdt::blob::BlobId;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::history::Put;
use super::recorder::Recorder;
use crate::process::{BlobClient, NodeSpec};

/// How long a put may take before nothing is known of it.
const PUT_WITHIN: Duration = Duration::from_secs(5);
/// How long a get waits for a holder, and how long it may take in all while links are slow.
const GET_WAITS: Duration = Duration::from_secs(5);
const GET_WITHIN: Duration = Duration::from_secs(10);
/// The longest pause between two blobs.
const PAUSE_MAX: Duration = Duration::from_secs(4);
/// How large a blob is at most: what a slow link carries while a fault lasts.
const BYTES_MAX: usize = 256 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Mover {
    specs: Vec<NodeSpec>,
    recorder: Arc<Recorder>,
    luck: StdRng,
}

impl Mover {
    /// A client of these nodes.
    pub(super) fn new(specs: Vec<NodeSpec>, recorder: Arc<Recorder>, seed: u64) -> Self {
        Self { specs, recorder, luck: StdRng::seed_from_u64(seed ^ 0x626c_6f62) }
    }

    /// Puts, gets and pauses until it is told to stop.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            self.act().await;
            let pause = PAUSE_MAX.mul_f64(self.luck.random_range(0.1..1.0));
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = sleep(pause) => {}
            }
        }
    }

    async fn act(&mut self) {
        let host = self.luck.random_range(0..self.specs.len());
        let other = self.luck.random_range(0..self.specs.len());
        let mut bytes = vec![0; self.luck.random_range(1..BYTES_MAX)];
        self.luck.fill(&mut bytes[..]);
        let put = async { BlobClient::connect(&self.specs[host]).await?.put(&bytes).await };
        // Without an answer it counts for nothing.
        let Ok(Ok(blob)) = timeout(PUT_WITHIN, put).await else { return };
        let at = self.recorder.now();
        let put = Put { host, at, blob: blob.to_string() };
        self.recorder.history().puts.push(put);
        if let Ok(got) = get(&self.specs[other], blob).await
            && got != bytes
        {
            self.recorder.history().false_blobs.push((other, blob.to_string()));
        }
    }
}

/// Gets a blob at a node.
pub(super) async fn get(spec: &NodeSpec, blob: BlobId) -> Result<Vec<u8>, crate::Error> {
    BlobClient::connect(spec).await?.get(blob, GET_WAITS, GET_WITHIN).await
}

/// Which of these blobs a node does not hold, or cannot say that it holds.
pub(super) async fn lacking(spec: &NodeSpec, blobs: &[String]) -> Vec<String> {
    let held = match BlobClient::connect(spec).await {
        Ok(client) => client.held().await.unwrap_or_default(),
        Err(_) => return blobs.to_vec(),
    };
    let held: Vec<_> = held.iter().map(ToString::to_string).collect();
    blobs.iter().filter(|blob| !held.contains(blob)).cloned().collect()
}
