//! The checks of `doctor`.

mod copies;
mod disk;
mod documents;
mod fence;
mod isolation;
mod log;
mod replica;
mod seeds;
mod strangers;
mod versions;

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crux_client::model::{Check, CheckResult};
use crux_client::order;
use crux_crdt::name::{Label, NodeName};
use crux_crdt::path::Endpoint;
use crux_crdt::{Digest, Principal};
use crux_protocol::flock::{self, MemberState};
use crux_protocol::net::Turned;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::health::Stated;
use crate::clock;
use crate::identity::path_in;
use crate::modes::Open;
use crate::parts::Supervisor;
use crate::store::StoreHandle;

/// A step of the wall clock below this is what time services do.
const STEP_MAX: Duration = Duration::from_secs(2);
/// How long a connection to an own address may take.
const REACH_MAX: Duration = Duration::from_secs(2);
/// How many places of other flocks are remembered.
const OTHERS_MAX: usize = 64;

/// The surroundings of a running node.
#[derive(Debug)]
pub struct Surroundings {
    /// The flock's name.
    pub flock: Label,
    /// Its identity.
    pub flock_id: Digest,
    /// The operator's public key, if there is one.
    pub operator: Option<Principal>,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Where the secret came from, if from a file.
    pub secret_file: Option<PathBuf>,
    /// Where others reach the node.
    pub addresses: Vec<Endpoint>,
    /// The name it claims.
    pub name: Option<NodeName>,
    /// How far the wall clock was ahead at the start.
    pub wall_offset: Duration,
    /// Directories of blobs that were there at the start.
    pub blob_dirs: Vec<PathBuf>,
    /// Directories of blobs that were not there at the start.
    pub missing_blob_dirs: Vec<PathBuf>,
    /// Places where nodes of other flocks answered.
    pub other_flocks: BTreeSet<String>,
    /// Which connections the network closed before they were a member's.
    pub turned: Arc<Turned>,
    /// Traces that copies of this node left behind.
    pub copies: copies::Copies,
    /// The picket's statement about the services.
    pub stated: watch::Receiver<Stated>,
    /// The parts that the node runs.
    pub parts: Supervisor,
}

impl Surroundings {
    /// Remembers a place where another flock answered. Whether that is news.
    pub(super) fn note_other_flock(&mut self, addr: &str) -> bool {
        self.other_flocks.len() < OTHERS_MAX && self.other_flocks.insert(addr.to_owned())
    }
}

/// Checks everything that commonly goes wrong. This call does the checks that need no waiting.
pub(super) fn examine(
    state: &flock::State,
    around: &Surroundings,
    store: &StoreHandle,
) -> impl Future<Output = Vec<Check>> + Send + use<> {
    let mut now = vec![
        check_modes(around),
        disk::check(around, state.is_read_only()),
        check_writes(store),
        check_blob_dirs(&around.missing_blob_dirs),
        check_clock(around.wall_offset),
        check_name(state, around),
        seeds::check(state),
        fence::check(state),
        check_members(state),
        check_digests(state),
        replica::check(state),
        check_flocks(&around.other_flocks),
        versions::check(&state.other_versions()),
        strangers::check_strangers(&around.turned.lately()),
        copies::check(state, &around.copies),
        log::check_log(),
        isolation::check(&around.stated.borrow()),
        check_parts(&around.parts),
    ];
    if around.operator.is_some() {
        now.push(documents::check(state.strew().documents()));
    }
    let addresses = around.addresses.clone();
    async move {
        let mut checks = now;
        checks.insert(0, check_port(&addresses).await);
        checks
    }
}

/// One that is missing was not started, as `discovery` without multicast: one that ends stops the node.
fn check_parts(parts: &Supervisor) -> Check {
    let running = parts.running();
    let names: Vec<_> = running.iter().map(|part| part.name()).collect();
    ok("parts", format!("{} running: {}", names.len(), names.join(", ")))
}

fn check_blob_dirs(missing: &[PathBuf]) -> Check {
    if missing.is_empty() {
        return ok("blobs", "all directories for blobs are there");
    }
    let missing: Vec<_> = missing.iter().map(|dir| dir.display().to_string()).collect();
    line(
        "blobs",
        CheckResult::Fail,
        format!("missing since the start: {}", missing.join(", ")),
        "Mount the disk and start the node again; until then what is in it is not here.",
    )
}

fn line(name: &str, result: CheckResult, detail: String, hint: &str) -> Check {
    let hint = (!hint.is_empty()).then(|| hint.to_owned());
    Check { name: name.to_owned(), result, detail, hint }
}

fn ok(name: &str, detail: impl Into<String>) -> Check {
    line(name, CheckResult::Ok, detail.into(), "")
}

/// The nearest thing to a look from outside that a node can do by itself.
async fn check_port(addresses: &[Endpoint]) -> Check {
    let mut failed = Vec::new();
    for address in addresses {
        let dial = tokio::time::timeout(REACH_MAX, TcpStream::connect(address.to_string()));
        if !matches!(dial.await, Ok(Ok(_))) {
            failed.push(address.to_string());
        }
    }
    let all: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    if failed.is_empty() {
        return ok("port", format!("{} answers, seen from this machine", all.join(", ")));
    }
    line(
        "port",
        CheckResult::Fail,
        format!("{} does not answer", failed.join(", ")),
        "Check --advertise, the firewall and port forwarding: others dial these addresses.",
    )
}

fn check_modes(around: &Surroundings) -> Check {
    let private = [Some(path_in(&around.data_dir)), around.secret_file.clone()];
    let open: Vec<_> = private
        .into_iter()
        .flatten()
        .map(|path| (Open::at(&path), path.display().to_string()))
        .filter(|(open, _)| *open > Open::Closed)
        .collect();
    let Some(worst) = open.iter().map(|(open, _)| *open).max() else {
        return ok("modes", "keys are readable by their owner only");
    };
    let (result, what) = match worst {
        Open::Writable => (CheckResult::Fail, "write"),
        _ => (CheckResult::Warn, "read"),
    };
    let files = open.into_iter().map(|(_, path)| path).collect::<Vec<_>>().join(" ");
    line(
        "modes",
        result,
        format!("others may {what} {files}"),
        &format!("Run `chmod 600 {files}`."),
    )
}

fn check_writes(store: &StoreHandle) -> Check {
    let health = store.health();
    match health.last_error {
        None => ok("database", format!("{} writes", health.commits)),
        Some(error) => line("database", CheckResult::Fail, error.to_string(), error.hint()),
    }
}

fn check_clock(at_start: Duration) -> Check {
    let step = clock::wall_offset().abs_diff(at_start);
    if step < STEP_MAX {
        return ok("clock", "no step since the start");
    }
    line(
        "clock",
        CheckResult::Warn,
        format!("the wall clock was set by {} s since the start", step.as_secs()),
        "Crux orders nothing by the wall clock; but logs will look odd. Run a time service.",
    )
}

fn check_name(state: &flock::State, around: &Surroundings) -> Check {
    let shown = state.names().of(&state.me());
    let holder = around.name.as_ref().and_then(|name| state.names().holder(name));
    match (&around.name, holder) {
        (Some(name), Some(holder)) if holder != state.me() => line(
            "name",
            CheckResult::Warn,
            format!("{name} is held by {holder}; this node is shown as {shown}"),
            "Start this node with another --name, or `forget` the other one if it is gone.",
        ),
        _ => ok("name", shown.to_string()),
    }
}

/// Names as they are shown.
fn listed(mut names: Vec<String>) -> String {
    names.sort_by(|a, b| order::by_name(a, b));
    names.join(", ")
}

fn check_members(state: &flock::State) -> Check {
    let members = state.members();
    let away: Vec<_> = members
        .iter()
        .filter(|member| matches!(member.state, MemberState::Dead | MemberState::Suspect))
        .map(|member| member.node.to_string())
        .collect();
    if away.is_empty() {
        return ok("members", "all within reach");
    }
    line(
        "members",
        CheckResult::Warn,
        format!("out of reach: {}", listed(away)),
        "Check those nodes and the network to them; `forget` those that are not coming back.",
    )
}

fn check_digests(state: &flock::State) -> Check {
    let other = state.other_digests();
    if other.is_empty() {
        return ok("digests", "all members that beaconed hold the same");
    }
    let names: Vec<_> = other.iter().map(|who| state.names().of(who).to_string()).collect();
    line(
        "digests",
        CheckResult::Warn,
        format!("another state at {}", listed(names)),
        "Normal for seconds after a change; run again. If it stays, look at those nodes' logs.",
    )
}

fn check_flocks(others: &BTreeSet<String>) -> Check {
    if others.is_empty() {
        return ok("flock", "nobody of another flock, or with another secret, was met");
    }
    let places: Vec<_> = others.iter().map(String::as_str).collect();
    line(
        "flock",
        CheckResult::Warn,
        format!("another flock or another secret at {}", places.join(", ")),
        "Give both nodes the same secret file, or take the address out of --join.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_they_are_shown_elsewhere() {
        assert_eq!(listed(["n10", "n2", "n1"].map(str::to_owned).into()), "n1, n2, n10");
    }
}
