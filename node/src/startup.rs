//! Brings a node up, and down again.
//!
//! Up: the fulcrum before this one has ended → the port is free → the control socket, which takes connections and answers
//! none yet, so that commands wait for a node that starts → who we are → what we knew → the network → the loop.
//! Down, in the reverse order: the loop stops taking events, the control API finishes its calls, the network
//! closes its connections, and the database writes what waits. What runs meanwhile is a [`Part`] each; one
//! that fails takes the node down the same way.
//! A start that is refused leaves nothing behind but, at most, a directory with a key, lock files and
//! a database without content.

mod restart;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::fact::{self, Fact};
use crux_crdt::name::Label;
use crux_crdt::path::Endpoint;
use crux_crdt::service::Machine;
use crux_crdt::sign::{Ed25519, Identity, Terms};
use crux_protocol::agreement::AgreementKey;
use crux_protocol::context::{Apart, Context};
use crux_protocol::flock::{self, Parts, Restored};
use crux_protocol::genesis::{Genesis, JoinKey};
use crux_protocol::leader::Claim;
use crux_protocol::link;
use crux_protocol::net::{self, Net};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};
use zeroize::Zeroizing;

use crate::api::{self, Socket};
use crate::blobs::want::{Pantry, Wanted, care};
use crate::blobs::{self, Blobs};
use crate::clock;
use crate::config::Config;
use crate::discovery;
use crate::error::{Error, Kind};
use crate::fulcrum::health::{self, Health, Stated};
use crate::fulcrum::request::Request;
use crate::fulcrum::{Handle, Inputs, Processes, Runtime, Surroundings, Wire};
use crate::identity::{self, Key};
use crate::lock::FulcrumLock;
use crate::nodes::Nodes;
use crate::parts::{Part, Stop, Supervisor, finished};
use crate::picket::Placer;
pub use crate::picket::Tie;
use crate::secret::{leave_no_trace, random};
use crate::store::{DATABASE_NAME, OpenError, Snapshot, Store, StoreHandle};
use crate::view::{Enacted, View, Views};
use crate::{modes, pastiche, picket, proctor, rejoin};

/// The name of the first directory for blobs in the data directory.
pub const BLOBS_NAME: &str = "blobs";

/// How many gets of blobs wait for the mover. Each is a caller that waits for its answer.
const WISHES_MAX: usize = 256;
/// How long blobs rest between two looks at all of them. Wild guess.
const SCRUB_REST: Duration = Duration::from_secs(24 * 3600);
/// How many bytes a second such a look takes: a sixth of what a hard disk reads, so that it is not in
/// the way, and a TB still takes less than a day.
const SCRUB_RATE: u64 = 16 << 20;

/// How many control requests wait for the loop. Each is a caller that waits for its answer.
const REQUESTS_MAX: usize = 256;
/// How many places found on the link wait for the loop.
const FOUND_MAX: usize = 64;
/// How long the network may take to close its connections.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// How long the control API may take for the calls under way: the two seconds that it gives them, and one.
const API_MAX: Duration = Duration::from_secs(3);

/// Runs a node until `shutdown` resolves or a part fails, and stops it without leaving the flock. The caller, or
/// the picket at the end of the tie, holds the data directory's lock.
///
/// # Errors
/// Why it could not start; then nothing was changed. Or why it stopped by itself:
/// [`Kind::PartFailed`] when a part did.
pub async fn run(
    config: Config,
    parts: &Supervisor,
    shutdown: impl Future<Output = ()> + Send,
    tie: Option<Tie>,
    started: oneshot::Sender<Views>,
) -> Result<(), Error> {
    // Until everything is written.
    let _lock = FulcrumLock::take(&config.data_dir).await?;
    check_port(config.listen)?;
    let result = run_parts(config, parts, shutdown, tie, started).await;
    let stopped = parts.stop().await;
    info!("stopped");
    parts.failure().map_or(result, Err).and(stopped)
}

/// Starts one part after the other, and runs the loop until it ends.
async fn run_parts(
    config: Config,
    parts: &Supervisor,
    shutdown: impl Future<Output = ()> + Send,
    tie: Option<Tie>,
    started: oneshot::Sender<Views>,
) -> Result<(), Error> {
    let socket = Socket::bind(&config.data_dir, crux_client::socket::Door::Control)?;
    let key = leave_no_trace(|| identity::load_or_make(&config.data_dir))?;
    [Some(identity::path_in(&config.data_dir)), config.secret_file.clone()]
        .iter()
        .flatten()
        .for_each(|path| modes::warn_if_readable(path));
    let genesis = config.keys.genesis.clone();
    refuse_operator(&genesis, &config.data_dir, &key)?;
    let (store, snapshot) = open_store(&config.data_dir, &genesis)?;
    if !config.rejoin {
        rejoin::refuse_left(&snapshot, &Identity::from_seed(&key.seed).principal())?;
    }
    // A node that left and that a supervisor starts again and again is not found.
    let _listed = Nodes::of_process().list(&config.data_dir);
    let store = start_store(store, parts)?;
    let (pantry, wishes) = start_blobs(&config, parts).await?;
    let net = start_network(&config, &key.seed, &genesis, &snapshot).await?;
    let addresses = own_addresses(&config, net.listening.first().copied())?;
    let listening = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    info!(flock = %genesis.flock, principal = %net.me, addresses = %listening, "started");
    let tie = tie.map(|tie| Tie { addresses: addresses.clone(), ..tie });
    let found = discover(&config, parts, &addresses, net.me);
    let identity = Arc::new(Identity::from_seed(&key.seed));
    let context = Context {
        flock: genesis.flock_id(),
        operator: genesis.operator,
        me: identity.principal(),
        verifier: Arc::new(Ed25519),
        sharing: Arc::new(Apart),
    };
    let signer = (identity, context);
    let state = engine(&config, &signer, &key, &addresses, snapshot)?;
    drop(key);
    let (health, stated) =
        tie.as_ref().map_or_else(Health::without_picket, |_| Health::of_picket());
    let around =
        surroundings(&config, &genesis, addresses, &pantry.blobs, &net, parts, stated.clone());
    let Net { commands, events, bulk, task, .. } = net;
    let network = async move {
        finished(task.await);
    };
    parts.task(Part::Network, Stop::wait(CLOSE_MAX), network);
    let wire = Wire::new(commands.clone(), events);
    let (mut runtime, view) = Runtime::new(state, around, wire, store);
    let (requests_in, requests) = mpsc::channel(REQUESTS_MAX);
    // Nobody follows it where nothing reads the settings again.
    started.send(view.clone()).ok();
    let mover = Mover { signer, wishes, view: view.clone(), requests: requests_in.clone() };
    start_mover(&config, parts, &pantry.blobs, mover, commands, bulk)?;
    let caring = care(pantry.clone(), SCRUB_REST, SCRUB_RATE);
    parts.task(Part::BlobScrub, Stop::Drop, caring);
    let processes =
        Processes { fulcrum: std::process::id(), picket: tie.as_ref().map(|tie| tie.picket) };
    let handle = Handle { view, requests: requests_in, processes };
    let saying = health::run(stated.clone(), handle.requests.clone());
    parts.task(Part::Health, Stop::Drop, saying);
    let (show, enacted) = watch::channel(Arc::default());
    let front = (handle.clone(), pantry.clone(), stated, enacted);
    start_api(parts, socket, front, config.preload);
    start_planner(parts, &handle, &pantry);
    let restarted = tie.is_some().then(|| handle.clone());
    if let Some(tie) = tie {
        let (placer, placing) = picket::placing();
        let serve = picket::serve(tie, handle.clone(), pantry.clone(), health, placing);
        parts.task(Part::Picket, Stop::Drop, serve);
        start_proctor(parts, handle, pantry, (placer, show));
    }
    let stop = async {
        tokio::select! {
            () = shutdown => {}
            () = parts.failed() => restart::announce(parts, restarted).await,
        }
    };
    parts.here(Part::Loop, runtime.run(Inputs { requests, found }, stop)).await
}

/// A node with the operator's key would hold on a disk of the flock what decides for all of it.
fn refuse_operator(genesis: &Genesis, data_dir: &Path, key: &Key) -> Result<(), Error> {
    if genesis.operator != Some(Identity::from_seed(&key.seed).principal()) {
        return Ok(());
    }
    let path = identity::path_in(data_dir);
    let message = format!("the key of this node, {}, is the operator's", path.display());
    Err(Error::new(Kind::Refused, message).with_hint(
        "Move the file to where the operator's key is kept: the node makes a key of its own when there is none.",
    ))
}

/// Refused before anything but the directory is made.
fn check_port(listen: SocketAddr) -> Result<(), Error> {
    if listen.port() == 0 {
        return Ok(());
    }
    match TcpListener::bind(listen) {
        Ok(_) => Ok(()),
        Err(err) if err.kind() == std::io::ErrorKind::AddrInUse => Err(port_in_use(listen)),
        Err(err) => Err(cannot_listen(listen, &err)),
    }
}

fn cannot_listen(listen: SocketAddr, err: &std::io::Error) -> Error {
    use std::io::ErrorKind as Io;
    let error = Error::io(format!("listening on {listen}"), err);
    match err.kind() {
        Io::AddrNotAvailable => error.with_hint(format!(
            "No interface of this machine has the address {}; `ip address` lists those it has. Where \
             others reach it at another one, say --listen {}:{} --advertise {listen}.",
            listen.ip(),
            if listen.is_ipv4() { "0.0.0.0" } else { "[::]" },
            listen.port()
        )),
        Io::PermissionDenied => error.with_hint(
            "Ports below 1024 are for root and for processes with CAP_NET_BIND_SERVICE; choose a greater \
             one with --listen.",
        ),
        _ => error,
    }
}

fn port_in_use(listen: SocketAddr) -> Error {
    Error::new(Kind::PortInUse, format!("the address {listen} is in use by another process"))
        .with_hint("Stop that process, or choose another port with --listen.")
}

fn open_store(data_dir: &Path, genesis: &Genesis) -> Result<(Store, Snapshot), Error> {
    let terms = Terms { flock: genesis.flock_id(), operator: genesis.operator, verifier: &Ed25519 };
    Store::open(&data_dir.join(DATABASE_NAME), terms).map_err(|err| {
        let kind = match &err {
            OpenError::OtherFlock { .. } => Kind::WrongFlock,
            OpenError::Newer { .. } | OpenError::Older { .. } => Kind::Unsupported,
            OpenError::Damaged { .. } => Kind::DatabaseCorrupt,
            OpenError::InUse { .. } => Kind::DataDirInUse,
            OpenError::Io { .. } => Kind::Io,
        };
        Error::new(kind, err.to_string()).with_hint(err.hint())
    })
}

fn start_store(store: Store, parts: &Supervisor) -> Result<StoreHandle, Error> {
    let store = store.spawn(parts);
    let store = store.map_err(|err| Error::io("starting the database's thread", &err))?;
    let closes = store.clone();
    let close = async move {
        closes.close().await.map_err(|err| {
            let error = Error::new(Kind::Io, err.to_string());
            error.augment("closing the database").with_hint(err.hint())
        })
    };
    parts.stops_thread(Part::Database, Stop::Ask(Box::pin(close), Duration::MAX));
    Ok(store)
}

/// What the store of blobs holds, and what is wanted of others. It stays as it is when the start is refused later.
async fn start_blobs(
    config: &Config,
    parts: &Supervisor,
) -> Result<(Pantry, mpsc::Receiver<Wanted>), Error> {
    let first = config.data_dir.join(BLOBS_NAME);
    let dirs = [first].into_iter().chain(config.blob_dirs.iter().cloned());
    let mut blobs = blobs::Config::new(dirs.collect());
    blobs.quota = config.blob_quota;
    blobs.parts = parts.clone();
    let opened = Blobs::open(blobs).await;
    let blobs = opened.map_err(|err| Error::from(err).augment("opening the store of blobs"))?;
    let saves = blobs.clone();
    let save = async move {
        if let Err(error) = saves.save().await {
            tracing::warn!(%error, "blobs under way are looked through at the next start");
        }
        Ok(())
    };
    parts.stops_thread(Part::BlobIntake, Stop::Ask(Box::pin(save), Duration::MAX));
    let (wishes_in, wishes) = mpsc::channel(WISHES_MAX);
    Ok((Pantry { blobs, wishes: Some(wishes_in) }, wishes))
}

/// Makes the files of a directory blobs, if one is named. The node works meanwhile; only its service of
/// blobs says that it is not ready.
async fn preload(blobs: Blobs, dir: Option<PathBuf>) {
    let Some(dir) = dir else { return };
    if let Err(error) = blobs::preload(&blobs, &dir).await {
        tracing::error!(dir = %dir.display(), %error, "no file was made a blob");
    }
}

async fn start_network(
    config: &Config,
    seed: &Zeroizing<[u8; 32]>,
    genesis: &Genesis,
    snapshot: &Snapshot,
) -> Result<Net, Error> {
    let mut network = net::Config::new(**seed, genesis.flock_id(), vec![config.listen]);
    let records = snapshot.facts.iter().filter(|fact| fact.kind() == fact::Kind::RECORD);
    network.members = Arc::new(records.map(Fact::author).collect());
    net::spawn(network).await.map_err(|err| match err {
        net::Error::AddressInUse { addr } => port_in_use(addr),
        net::Error::Listen { addr, source } => cannot_listen(addr, &source),
        other => Error::new(Kind::Internal, other.to_string()),
    })
}

/// Where others reach this node: what it was told, or where it listens.
fn own_addresses(config: &Config, listening: Option<SocketAddr>) -> Result<Vec<Endpoint>, Error> {
    if !config.advertise.is_empty() {
        return Ok(config.advertise.clone());
    }
    let mut addr = listening
        .ok_or_else(|| Error::new(Kind::Internal, "the network does not say where it listens"))?;
    if addr.ip().is_unspecified() {
        addr.set_ip(outward_ip(config, addr)?);
    }
    let endpoint =
        Endpoint::try_from(addr).map_err(|err| Error::new(Kind::Internal, err.to_string()))?;
    Ok(vec![endpoint])
}

/// The address this machine sends from. Connecting a datagram socket sends nothing.
fn outward_ip(config: &Config, addr: SocketAddr) -> Result<std::net::IpAddr, Error> {
    let doing = "finding out this machine's address; say it with --advertise";
    let any = SocketAddr::new(addr.ip(), 0);
    let socket = UdpSocket::bind(any).map_err(|err| Error::io(doing, &err))?;
    // A documentation address (RFC 5737, RFC 3849) stands for anywhere outside.
    let outside = if addr.is_ipv4() { "192.0.2.1:9" } else { "[2001:db8::1]:9" };
    let targets = config.join.iter().map(ToString::to_string).chain([outside.to_owned()]);
    for target in targets {
        if socket.connect(&target).is_ok()
            && let Ok(local) = socket.local_addr()
        {
            return Ok(local.ip());
        }
    }
    Err(Error::new(Kind::InvalidConfig, "this machine's address cannot be found out")
        .with_hint("Say where others reach this node with --advertise HOST:PORT."))
}

/// Gives places of other nodes on the link; none where they are not looked for.
fn discover(
    config: &Config,
    parts: &Supervisor,
    addresses: &[Endpoint],
    me: Principal,
) -> mpsc::Receiver<String> {
    let (found_in, found) = mpsc::channel(FOUND_MAX);
    let only_here = addresses.iter().all(|a| a.host.ip().is_some_and(|ip| ip.is_loopback()));
    if !config.mdns || only_here {
        return found;
    }
    match discovery::start(&config.keys.discovery, me, addresses, found_in) {
        Ok(browse) => parts.task(Part::Discovery, Stop::Drop, browse),
        Err(error) => {
            tracing::warn!(%error, "nodes on the link are not looked for; --join works all the same");
        }
    }
    found
}

fn engine(
    config: &Config,
    (identity, context): &(Arc<Identity>, Context),
    key: &Key,
    addresses: &[Endpoint],
    snapshot: Snapshot,
) -> Result<flock::State, Error> {
    let mut engine = flock::Config::new(addresses.to_vec());
    engine.name.clone_from(&config.name);
    engine.labels = config.labels.clone().into_iter().collect::<BTreeMap<_, _>>();
    engine.agreement_key = AgreementKey::derive(&key.seed).public();
    engine.replica_max = config.replica_max;
    engine.join = config.join.iter().map(ToString::to_string).collect();
    let restored = Restored {
        known_key: !key.is_new,
        facts: snapshot.facts,
        fence: snapshot.fence.map(|(n, principal)| Claim { n, principal }),
        removed: snapshot.removed,
    };
    let identity = identity.clone();
    let join_key: JoinKey = config.keys.join.clone();
    let parts = Parts { identity, join_key, restored, seed: *random()? };
    Ok(flock::State::new(engine, context.clone(), parts, clock::now()))
}

/// What `doctor` looks at besides the engine.
fn surroundings(
    config: &Config,
    genesis: &Genesis,
    addresses: Vec<Endpoint>,
    blobs: &Blobs,
    net: &Net,
    parts: &Supervisor,
    stated: watch::Receiver<Stated>,
) -> Surroundings {
    Surroundings {
        flock: genesis.flock.clone(),
        flock_id: genesis.flock_id(),
        operator: genesis.operator,
        data_dir: config.data_dir.clone(),
        secret_file: config.secret_file.clone(),
        addresses,
        name: config.name.clone(),
        wall_offset: clock::wall_offset(),
        blob_dirs: blobs.dirs(),
        missing_blob_dirs: blobs.missing_dirs(),
        other_flocks: std::collections::BTreeSet::new(),
        turned: net.turned.clone(),
        copies: Default::default(),
        stated,
        parts: parts.clone(),
    }
}

/// What the mover has of the node, besides blobs and network.
struct Mover {
    signer: (Arc<Identity>, Context),
    wishes: mpsc::Receiver<Wanted>,
    view: watch::Receiver<Arc<View>>,
    requests: mpsc::Sender<Request>,
}

fn start_mover(
    config: &Config,
    parts: &Supervisor,
    blobs: &Blobs,
    Mover { signer: (identity, context), wishes, view, requests }: Mover,
    network: mpsc::Sender<link::Command>,
    bulk: mpsc::Receiver<link::Event>,
) -> Result<(), Error> {
    let (mover, offers) = pastiche::mover(pastiche::Parts {
        config: crux_protocol::pastiche::Config {
            up_rate: config.blob_up_rate,
            down_rate: config.blob_down_rate,
            ..crux_protocol::pastiche::Config::default()
        },
        context,
        identity,
        seed: *random()?,
        blobs: blobs.clone(),
        wishes,
        view,
        fulcrum: Some(requests),
        network,
        bulk,
    });
    parts.task(Part::BlobMover, Stop::Drop, mover);
    parts.task(Part::BlobOffers, Stop::Drop, offers);
    Ok(())
}

/// Enacts targets, if this is a kind of machine that targets know.
fn start_proctor(
    parts: &Supervisor,
    handle: Handle,
    pantry: Pantry,
    (placer, shown): (Placer, watch::Sender<Arc<Enacted>>),
) {
    let machine = match std::env::consts::ARCH.parse::<Machine>() {
        Ok(machine) => machine,
        Err(error) => return warn!(%error, "no target is enacted on this machine"),
    };
    let wiring = proctor::Wiring {
        horde: Label::main_horde(),
        machine,
        views: handle.view,
        placer,
        pantry,
        fulcrum: handle.requests,
        shown,
    };
    parts.task(Part::Proctor, Stop::Drop, proctor::run(wiring));
}

/// Plans targets while this node leads, also where it runs nothing itself.
fn start_planner(parts: &Supervisor, handle: &Handle, pantry: &Pantry) {
    let wiring = proctor::planner::Wiring {
        horde: Label::main_horde(),
        views: handle.view.clone(),
        pantry: pantry.clone(),
        fulcrum: handle.requests.clone(),
    };
    parts.task(Part::Planner, Stop::Drop, proctor::planner::run(wiring));
}

/// Everything that the control API has of the node.
type Front = (Handle, Pantry, watch::Receiver<Stated>, watch::Receiver<Arc<Enacted>>);

fn start_api(
    parts: &Supervisor,
    socket: Socket,
    (handle, pantry, stated, enacted): Front,
    preloads: Option<PathBuf>,
) {
    let (stop, stopped) = oneshot::channel::<()>();
    let preloaded = preload(pantry.blobs.clone(), preloads);
    let shows = api::Shows { stated, enacted };
    let serve = api::serve(socket, handle, pantry, shows, preloaded, async {
        drop(stopped.await);
    });
    let ask = async move {
        drop(stop);
        Ok(())
    };
    parts.task(Part::Api, Stop::Ask(Box::pin(ask), API_MAX), serve);
}

#[cfg(test)]
mod tests {
    use crux_protocol::genesis::InitialSecret;
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn a_node_does_not_start_with_the_operators_key() {
        let dir = tempfile::tempdir().unwrap();
        let key = identity::load_or_make(dir.path()).unwrap();
        let own = Identity::from_seed(&key.seed).principal();
        let secret = InitialSecret::new(Zeroizing::new([7; 32]));
        let start = |operator| {
            let genesis = Genesis::new("dev".parse().unwrap(), operator, &secret);
            refuse_operator(&genesis, dir.path(), &key).map_err(|err| err.kind())
        };
        assert_eq!(start(None), Ok(()));
        assert_eq!(start(Some(Principal([9; 32]))), Ok(()));
        assert_eq!(start(Some(own)), Err(Kind::Refused));
    }
}
