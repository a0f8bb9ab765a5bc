//! Nodes in one process: real stores, real libp2p over its memory transport, no flock engine.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crux_client::model::{Member, MemberState, WallTime};
use crux_crdt::blob::{BlobId, PIECE_BYTES};
use crux_crdt::sign::{Ed25519, Identity};
use crux_crdt::{Digest, Principal};
use crux_protocol::context::{Apart, Context};
use crux_protocol::link;
use crux_protocol::net::{self, Transport};
use crux_protocol::pastiche::Config;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Parts, mover};
use crate::blobs::want::{Fetch, Pantry};
use crate::blobs::{self, Blobs};
use crate::error::Kind;
use crate::view::View;

const FLOCK: Digest = Digest([7; 32]);
/// Far more than anything takes: the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(20);
const WAIT: Duration = Duration::from_secs(10);

struct Node {
    me: Principal,
    addr: SocketAddr,
    commands: mpsc::Sender<link::Command>,
    pantry: Pantry,
    blobs: Blobs,
    /// What nobody in these tests reads ends the network if it is dropped.
    _events: mpsc::Receiver<link::Event>,
    _view: watch::Sender<Arc<View>>,
    mover: JoinHandle<()>,
    dir: TempDir,
}

fn identity(number: u8) -> Arc<Identity> {
    Arc::new(Identity::from_seed(&[number; 32]))
}

fn view(count: u8, me: u8) -> View {
    let member = |number: u8| Member {
        node: format!("n{number}").parse().unwrap(),
        principal: identity(number).principal(),
        addr: None,
        state: MemberState::Alive,
        since: WallTime::default(),
        version: None,
        incarnation: 1,
        labels: std::collections::BTreeMap::new(),
        signed_labels: std::collections::BTreeMap::new(),
        node_use: crux_client::model::NodeUse::Open,
        left: std::collections::BTreeMap::new(),
    };
    View {
        principal: identity(me).principal(),
        members: (1..=count).map(member).collect(),
        services: Vec::new(),
        ..crate::view::testing::view()
    }
}

async fn start(number: u8, count: u8, dir: TempDir, config: Config) -> Node {
    let mut store = blobs::Config::new(vec![dir.path().join("blobs")]);
    store.headroom = Some(0);
    start_with(number, count, dir, config, store).await
}

async fn start_with(
    number: u8,
    count: u8,
    dir: TempDir,
    config: Config,
    store: blobs::Config,
) -> Node {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut network = net::Config::new([number; 32], FLOCK, vec![any]);
    network.transport = Transport::Memory;
    let members: BTreeSet<_> = (1..=count).map(|n| identity(n).principal()).collect();
    network.members = Arc::new(members);
    let net = net::spawn(network).await.unwrap();
    let blobs = Blobs::open(store).await.unwrap();
    let (view_in, view) = watch::channel(Arc::new(view(count, number)));
    let (wishes_in, wishes) = mpsc::channel(16);
    let (mover, offers) = mover(Parts {
        config,
        context: Context {
            flock: FLOCK,
            operator: None,
            me: net.me,
            verifier: Arc::new(Ed25519),
            sharing: Arc::new(Apart),
        },
        identity: identity(number),
        seed: [number; 32],
        blobs: blobs.clone(),
        wishes,
        view,
        fulcrum: None,
        network: net.commands.clone(),
        bulk: net.bulk,
    });
    tokio::spawn(offers);
    let mover = tokio::spawn(mover);
    Node {
        me: net.me,
        addr: net.listening[0],
        commands: net.commands,
        pantry: Pantry { blobs: blobs.clone(), wishes: Some(wishes_in) },
        blobs,
        _events: net.events,
        _view: view_in,
        mover,
        dir,
    }
}

async fn flock(count: u8) -> Vec<Node> {
    flock_with(count, &Config::default()).await
}

async fn flock_with(count: u8, config: &Config) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for number in 1..=count {
        nodes.push(start(number, count, TempDir::new().unwrap(), config.clone()).await);
    }
    for (place, node) in nodes.iter().enumerate() {
        for other in &nodes[..place] {
            connect(node, other).await;
        }
    }
    nodes
}

async fn connect(from: &Node, to: &Node) {
    let id = link::DialId(u64::from(to.addr.port()));
    let addrs = vec![to.addr.to_string()];
    let dial = link::Command::Dial { id, addrs, expect: Some(to.me) };
    from.commands.send(dial).await.unwrap();
    for (node, other) in [(from, to), (to, from)] {
        let book = link::Command::SetAddresses { peer: other.me, addrs: vec![other.addr] };
        node.commands.send(book).await.unwrap();
    }
}

/// Bytes that are nowhere the same.
fn bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0x5a; length];
    for (place, block) in bytes.chunks_mut(1024).enumerate() {
        let place = place.to_le_bytes();
        let most = block.len().min(place.len());
        block[..most].copy_from_slice(&place[..most]);
    }
    bytes
}

async fn put(node: &Node, data: &[u8]) -> BlobId {
    node.blobs.put(data).await.unwrap().blob
}

async fn get(node: &Node, blob: BlobId) -> Result<(), crate::error::Error> {
    match node.pantry.want(blob, WAIT)? {
        None => Ok(()),
        Some(fetch) => ended(fetch).await,
    }
}

async fn ended(fetch: Fetch) -> Result<(), crate::error::Error> {
    let ended = timeout(DEADLINE, fetch.done).await.expect("a get ends in time");
    ended.expect("the mover answers")
}

async fn content(node: &Node, blob: BlobId) -> Vec<u8> {
    let mut content = Vec::new();
    let mut reader = node.blobs.reader(blob).await.unwrap();
    while let Some(bytes) = reader.next().await.unwrap() {
        content.extend_from_slice(&bytes);
    }
    content
}

#[tokio::test]
async fn what_one_has_the_other_gets() {
    let nodes = flock(2).await;
    let piece = usize::try_from(PIECE_BYTES).unwrap();
    for length in [0, 1, piece, piece + 1, 3 * piece + 5] {
        let data = bytes(length);
        let blob = put(&nodes[0], &data).await;
        get(&nodes[1], blob).await.unwrap();
        assert!(content(&nodes[1], blob).await == data, "{length} bytes");
    }
}

#[tokio::test]
async fn progress_is_told_and_ends_with_all_of_it() {
    let nodes = flock(2).await;
    let blob = put(&nodes[0], &bytes(3 * 1024 * 1024 + 5)).await;
    let mut fetch = nodes[1].pantry.want(blob, WAIT).unwrap().expect("it is not here");
    let mut last = 0;
    let told = async {
        while fetch.progress.changed().await.is_ok() {
            let held = fetch.progress.borrow_and_update().held;
            assert!(held > last, "it grows");
            last = held;
        }
    };
    timeout(DEADLINE, told).await.expect("it ends");
    ended(fetch).await.unwrap();
    assert_eq!(last, 3 * 1024 * 1024 + 5);
}

#[tokio::test]
async fn two_gets_of_one_blob_at_once_both_succeed() {
    let nodes = flock(2).await;
    let blob = put(&nodes[0], &bytes(2_000_000)).await;
    let (one, two) = tokio::join!(get(&nodes[1], blob), get(&nodes[1], blob));
    one.unwrap();
    two.unwrap();
}

#[tokio::test]
async fn what_nobody_has_is_said_after_the_wait() {
    let nodes = flock(2).await;
    let blob = BlobId([9; 32]);
    let fetch = nodes[1].pantry.want(blob, Duration::from_millis(50)).unwrap();
    let error = ended(fetch.expect("it is not here")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::BlobUnknown);
}

/// Nobody offers anything here, and one other at most is asked without a hint, once: so what is found
/// is found by way of Kademlia.
#[tokio::test]
async fn the_long_tail_is_found_by_way_of_kademlia() {
    let config = Config {
        peers_max: 1,
        ask_period: Duration::from_secs(3600),
        seek_period: Duration::from_millis(50),
        ..Config::default()
    };
    let nodes = flock_with(4, &config).await;
    let seeker = nodes.iter().map(|node| node.me).enumerate().min_by_key(|(_, me)| *me).unwrap().0;
    // More than there would be slots for.
    for holder in (0..4).filter(|holder| *holder != seeker) {
        for number in 0..22 {
            put(&nodes[holder], &[u8::try_from(holder).unwrap(), number]).await;
        }
    }
    for holder in (0..4).filter(|holder| *holder != seeker) {
        let data = [u8::try_from(holder).unwrap(), 21];
        let blob = put(&nodes[holder], &data).await;
        get(&nodes[seeker], blob).await.unwrap();
        assert_eq!(content(&nodes[seeker], blob).await, data);
    }
}

#[tokio::test]
async fn one_that_gets_it_serves_it_when_the_first_is_gone() {
    let mut nodes = flock(3).await;
    let data = bytes(3_000_000);
    let blob = put(&nodes[0], &data).await;
    get(&nodes[1], blob).await.unwrap();
    drop(nodes.remove(0));
    get(&nodes[1], blob).await.unwrap();
    assert!(content(&nodes[1], blob).await == data);
}

#[tokio::test]
async fn a_fetcher_that_starts_again_goes_on_from_its_disk() {
    let mut nodes = flock(2).await;
    let data = bytes(6 * 1024 * 1024);
    let blob = put(&nodes[0], &data).await;
    let fetcher = nodes.pop().unwrap();
    let mut fetch = fetcher.pantry.want(blob, WAIT).unwrap().expect("it is not here");
    timeout(DEADLINE, fetch.progress.changed()).await.expect("pieces come").unwrap();
    let Node { dir, mover, blobs, pantry, .. } = fetcher;
    // As a kill would: nothing gets to say good-bye.
    mover.abort();
    drop((fetch, blobs, pantry));
    let again = start(2, 2, dir, Config::default()).await;
    connect(&again, &nodes[0]).await;
    get(&again, blob).await.unwrap();
    assert!(content(&again, blob).await == data);
}

#[tokio::test]
async fn what_is_removed_while_it_is_served_is_said_and_gone_on_with_when_it_is_back() {
    let nodes = flock(2).await;
    let data = bytes(12 * 1024 * 1024);
    let blob = put(&nodes[0], &data).await;
    let wait = Duration::from_millis(100);
    let mut fetch = nodes[1].pantry.want(blob, wait).unwrap().expect("it is not here");
    timeout(DEADLINE, fetch.progress.changed()).await.expect("pieces come").unwrap();
    nodes[0].blobs.remove(blob).await.unwrap();
    // Unless it was through already.
    if let Err(error) = ended(fetch).await {
        assert_eq!(error.kind(), Kind::BlobUnknown);
        assert!(nodes[1].blobs.path(blob).await.is_err(), "nothing of it is shown");
    }
    put(&nodes[0], &data).await;
    get(&nodes[1], blob).await.unwrap();
    assert!(content(&nodes[1], blob).await == data);
}

#[tokio::test]
async fn a_store_that_takes_no_more_is_said_by_its_name() {
    let big = start(1, 2, TempDir::new().unwrap(), Config::default()).await;
    let dir = TempDir::new().unwrap();
    let mut store = blobs::Config::new(vec![dir.path().join("blobs")]);
    (store.headroom, store.quota) = (Some(0), Some(1024 * 1024));
    let small = start_with(2, 2, dir, Config::default(), store).await;
    connect(&small, &big).await;
    let nodes = [big, small];
    let blob = put(&nodes[0], &bytes(3_000_000)).await;
    assert_eq!(get(&nodes[1], blob).await.unwrap_err().kind(), Kind::Quota);
    assert_eq!(nodes[1].blobs.list(), [], "nothing was reserved");
}
