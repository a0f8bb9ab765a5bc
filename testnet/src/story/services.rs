//! The act of services: a program on three nodes, found and called from a fourth, over the end of its parts.
//!
//! Everything is judged by process numbers and by answers over TCP: the program answers with its own number, and
//! the node that runs it says which number it expects.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crux_client::Kind;
use crux_client::model::{Instance, InstanceState, ServiceStatus};
use crux_client::op::{New, Resolve, ShowService, UpdateService};
use crux_client::parse;
use crux_crdt::name::ServiceName;

use super::caller::Caller;
use super::script::STEP_WITHIN;
use crate::process::{Cluster, FORM_WITHIN, NodeClient, procfs};
use crate::wait::{self, Seen};
use crate::{Error, sample};

/// The name of the service.
const NAME: &str = "hello";
/// How many nodes run it, the first ones; the next one calls.
pub(super) const HOSTS: usize = 3;
/// How long a program has been up that is killed. One that was up for less is not started again at once.
const STEADY: Duration = Duration::from_secs(10);
/// How often a restart is looked for: it takes some milliseconds.
const RESTART_LOOK_EVERY: Duration = Duration::from_millis(2);

/// An instance of the service, as its node shows it and as it answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    /// On which node.
    pub(super) host: usize,
    /// Its process.
    pub(super) pid: u32,
    /// Where it answers.
    addr: SocketAddr,
    /// How often it was started again.
    restarts: u32,
}

/// Adds the service on [`HOSTS`] nodes, and finds and calls each from another one.
pub(super) async fn add(cluster: &Cluster) -> Result<Vec<Running>, Error> {
    for node in &cluster.nodes()[..HOSTS] {
        sample::add(node, NAME).await?;
    }
    all_found(cluster).await
}

/// Kills a program that has been up for [`STEADY`]. Returns what runs next, and how long nobody answered.
pub(super) async fn program_killed(
    cluster: &Cluster,
    old: Running,
) -> Result<(Running, Duration), Error> {
    let node = cluster.client(old.host);
    wait::until("the program has been up for a while", STEP_WITHIN, async || {
        let shown = node.instances().await?;
        let is_steady = |it: &Instance| it.state == InstanceState::Up && it.since >= STEADY;
        Ok(Seen::when(shown.iter().all(is_steady), (), |()| format!("  {shown:?}")))
    })
    .await?;
    let since = Instant::now();
    sample::kill(old.pid)?;
    let what = format!("{} runs another process", cluster.nodes()[old.host].name());
    let look = async || {
        let shown = node.instances().await;
        let next = shown.ok().and_then(|all| all.into_iter().find(|it| it.pid != Some(old.pid)));
        let Some((pid, port)) = next.as_ref().and_then(serving) else {
            return Ok(Seen::NotYet(format!("  {next:?}")));
        };
        let addr = SocketAddr::new(old.addr.ip(), port);
        Ok(match sample::call(addr).await {
            Ok(answer) if answer.pid == pid => Seen::Done(since.elapsed()),
            other => Seen::NotYet(format!("  {other:?}")),
        })
    };
    let took = wait::until_every(RESTART_LOOK_EVERY, &what, STEP_WITHIN, look).await?;
    let next = found(cluster, old.host, |it| it.pid != old.pid).await?;
    if next.restarts != old.restarts + 1 {
        let (before, after) = (old.restarts, next.restarts);
        return Err(Error::Broken(format!("one kill, and restarts went from {before} to {after}")));
    }
    Ok((next, took))
}

/// Kills the fulcrum beside a program. Returns how many calls the program answered until a new one served.
pub(super) async fn fulcrum_killed(cluster: &mut Cluster, it: Running) -> Result<usize, Error> {
    let caller = Caller::start(it.addr);
    let node = cluster.client(it.host).clone();
    let old = node.status().await?.pid;
    cluster.nodes()[it.host].kill_fulcrum()?;
    // The picket serves all the while.
    node.instances().await?;
    wait::until("another fulcrum answers", STEP_WITHIN, async || {
        Ok(match node.status().await {
            Ok(status) if status.pid != old => Seen::Done(()),
            other => Seen::NotYet(format!("  {:?}", other.map(|status| status.pid))),
        })
    })
    .await?;
    cluster.until_agreed(STEP_WITHIN).await?;
    unharmed(cluster, it, caller, "the fulcrum was killed").await
}

/// Kills the picket above a program, and starts the node again. Returns how many calls the program answered until
/// the next picket had it.
pub(super) async fn picket_killed(cluster: &mut Cluster, it: Running) -> Result<usize, Error> {
    let caller = Caller::start(it.addr);
    cluster.node(it.host).kill_picket()?;
    cluster.node(it.host).start()?;
    cluster.until_agreed(STEP_WITHIN).await?;
    unharmed(cluster, it, caller, "the picket was killed").await
}

/// Updates a service to a program that ends. Returns how many calls the old one answered until the node said that
/// it went back.
pub(super) async fn bad_update(cluster: &Cluster, it: Running) -> Result<usize, Error> {
    let caller = Caller::start(it.addr);
    let node = cluster.nodes()[it.host].services();
    let service: ServiceName = sample::read(NAME)?;
    let before = node.call(&ShowService { service: service.clone() }).await?.config;
    let mut fields = before.clone().into_fields();
    (fields.rev, fields.args) = (sample::read("v2")?, vec!["exit".to_owned(), "3".to_owned()]);
    let new = New::Config(Box::new(sample::config(fields)?));
    let until = sample::until_up();
    match node.call(&UpdateService { service: service.clone(), new, until }).await {
        Err(Error::Refused { error, .. }) if error.kind() == Kind::RolledBack => {}
        Ok(settled) => {
            return Err(Error::Broken(format!("a program that ends was taken: {settled:?}")));
        }
        Err(other) => return Err(other),
    }
    let after = node.call(&ShowService { service }).await?.config;
    if after != before {
        return Err(Error::Broken(format!("the config is not the old one: {after:?}")));
    }
    unharmed(cluster, it, caller, "a bad update went back").await
}

/// Kills every process of every node, and starts the nodes again. Returns what runs then.
pub(super) async fn all_killed(
    cluster: &mut Cluster,
    old: &[Running],
) -> Result<Vec<Running>, Error> {
    for at in 0..cluster.nodes().len() {
        cluster.node(at).kill()?;
    }
    none_runs(old)?;
    cluster.start_all()?;
    cluster.until_agreed(FORM_WITHIN).await?;
    all_others(cluster, old).await
}

/// The programs that run after every one was stopped: none of the old ones.
pub(super) async fn all_others(cluster: &Cluster, old: &[Running]) -> Result<Vec<Running>, Error> {
    let now = all_found(cluster).await?;
    let same = now.iter().find(|it| old.iter().any(|old| old.pid == it.pid));
    match same {
        Some(same) => Err(Error::Broken(format!("process {} outlived its node", same.pid))),
        None => Ok(now),
    }
}

/// Nothing, if none of these runs.
///
/// # Errors
///
/// [`Error::Broken`] names one that does.
pub(super) fn none_runs(old: &[Running]) -> Result<(), Error> {
    match old.iter().find(|it| sample::pid(it.pid).is_ok_and(procfs::is_running)) {
        Some(left) => Err(Error::Broken(format!("process {} is left behind", left.pid))),
        None => Ok(()),
    }
}

/// How many calls were answered, if all were answered by the same process as before, which is still the same
/// instance, and nothing was started again.
async fn unharmed(
    cluster: &Cluster,
    it: Running,
    caller: Caller,
    happened: &str,
) -> Result<usize, Error> {
    let now = found(cluster, it.host, |_| true).await?;
    let answered = caller.stop().await?.all_by(it.pid, happened)?;
    if (now.pid, now.addr, now.restarts) != (it.pid, it.addr, it.restarts) {
        return Err(Error::Broken(format!("{happened}: there was {it:?}, and now {now:?}")));
    }
    Ok(answered)
}

/// Each of the service's instances, as the node after them finds it.
async fn all_found(cluster: &Cluster) -> Result<Vec<Running>, Error> {
    let mut all = Vec::new();
    for host in 0..HOSTS {
        all.push(found(cluster, host, |_| true).await?);
    }
    Ok(all)
}

/// Waits until the node after the hosts finds the instance of one, where the process answers that its host shows
/// as up.
async fn found(
    cluster: &Cluster,
    host: usize,
    holds: impl Fn(&Running) -> bool,
) -> Result<Running, Error> {
    let (asker, node) = (cluster.client(HOSTS), cluster.client(host));
    let name = cluster.nodes()[host].name();
    let what = format!("n{} finds {NAME} of {name}, and it answers", HOSTS + 1);
    wait::until(&what, STEP_WITHIN, async || {
        Ok(match look(asker, node, name, host).await {
            Ok(seen) if holds(&seen) => Seen::Done(seen),
            Ok(seen) => Seen::NotYet(format!("  {seen:?}")),
            Err(error) => Seen::NotYet(format!("  {error}")),
        })
    })
    .await
}

/// One look at the instance of a host, from another node.
async fn look(
    asker: &NodeClient,
    node: &NodeClient,
    name: &str,
    host: usize,
) -> Result<Running, Error> {
    let on = Some(parse::node(name).map_err(|error| Error::Broken(error.to_string()))?);
    let service = asker.call(&Resolve { name: NAME.to_owned(), on }).await?;
    if service.status != ServiceStatus::Up {
        return Err(Error::Broken(format!("it is {}", service.status)));
    }
    let endpoint = service.net_id.endpoint.to_string();
    let addr =
        endpoint.parse().map_err(|_| Error::Broken(format!("{endpoint} is not an address")))?;
    let answer = sample::call(addr).await?;
    let shown = node.instances().await?;
    let of_it = |it: &&Instance| serving(it) == Some((answer.pid, addr.port()));
    match shown.iter().find(of_it) {
        Some(it) => Ok(Running { host, pid: answer.pid, addr, restarts: it.restarts }),
        None => Err(Error::Broken(format!("process {} answered: {shown:?}", answer.pid))),
    }
}

/// The process and the port of an instance that is up.
fn serving(it: &Instance) -> Option<(u32, u16)> {
    let port = it.ports.get(sample::PORT).filter(|_| it.state == InstanceState::Up)?;
    Some((it.pid?, *port))
}
