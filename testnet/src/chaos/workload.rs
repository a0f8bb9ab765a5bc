//! Clients: they register, remove and ask through random nodes, and write down what they are told.
//!
//! **Invariant**: a client writes only to keys of its own, one call at a time, and no more to one whose
//! last call ended without an answer. So what may be there is known.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crux_client::error::{Kind, StateChanged};
use crux_client::model::Service;
use crux_crdt::Principal;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::history::{Asked, Call, Claim, KeyId, Outcome, Value};
use super::recorder::Recorder;
use crate::Error;
use crate::process::{NodeClient, Registration};

/// How long a client waits for an answer.
const CALL_WITHIN: Duration = Duration::from_secs(3);
/// How many registrations a client has at a time.
const KEYS_MAX: usize = 40;
/// How likely a registration is to be stored by another member before it is acknowledged.
const SYNCED: f64 = 0.1;
/// The revision of everything.
const REV: &str = "v1";
/// How many values of its own a client has. Values of all clients are apart.
const VALUES: u32 = 1 << 17;

/// One client.
#[derive(Debug)]
pub struct Client {
    number: usize,
    nodes: Vec<NodeClient>,
    names: BTreeMap<String, usize>,
    recorder: Arc<Recorder>,
    luck: StdRng,
    pause_max: Duration,
    keys: Vec<(usize, String)>,
    next_key: u32,
    next_value: u32,
}

impl Client {
    /// A client of these nodes, which pauses for up to `pause_max` between two calls.
    #[must_use]
    pub fn new(
        number: usize,
        seed: u64,
        nodes: Vec<NodeClient>,
        recorder: Arc<Recorder>,
        pause_max: Duration,
    ) -> Self {
        let offset = u64::try_from(number).unwrap_or_default().wrapping_add(1);
        let names = recorder.history().hosts.iter().cloned().zip(0..).collect();
        Self {
            number,
            nodes,
            names,
            recorder,
            luck: StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(offset)),
            pause_max,
            keys: Vec::new(),
            next_key: 0,
            next_value: u32::try_from(number).unwrap_or_default().wrapping_mul(VALUES),
        }
    }

    /// Calls and pauses until it is told to stop; the call it is in then ends first.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            self.act().await;
            let pause = self.pause_max.mul_f64(self.luck.random_range(0.1..1.0));
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = sleep(pause) => {}
            }
        }
    }

    async fn act(&mut self) {
        let host = self.luck.random_range(0..self.nodes.len());
        let some = (!self.keys.is_empty()).then(|| self.luck.random_range(0..self.keys.len()));
        let full = self.keys.len() >= KEYS_MAX;
        match (self.luck.random_range(0..100), some) {
            (0..40, _) => self.query(host).await,
            (40..50, _) => self.ping(host).await,
            (50..60, Some(at)) => {
                let (host, service) = self.keys.swap_remove(at);
                self.register(host, service).await;
            }
            (60..75, Some(at)) | (_, Some(at)) if full || self.luck.random_bool(0.4) => {
                let (host, service) = self.keys.swap_remove(at);
                self.deregister(host, service).await;
            }
            _ => {
                self.next_key += 1;
                let service = format!("c{}-{}", self.number, self.next_key);
                self.register(host, service).await;
            }
        }
    }

    /// Registers a service with a value that nobody had before.
    pub async fn register(&mut self, host: usize, service: String) {
        let sync = u32::from(self.luck.random_bool(SYNCED));
        self.register_synced(host, service, sync).await;
    }

    /// Registers, and has so many other members store it.
    pub async fn register_synced(&mut self, host: usize, service: String, sync: u32) {
        self.next_value += 1;
        let value = Value(self.next_value);
        let what =
            Registration { sync, ..Registration::new(service.as_str(), REV, value.address()) };
        let key = self.key(host, &service);
        let from = self.recorder.now();
        let answer = within(self.nodes[host].register(&what)).await;
        let outcome = outcome(&answer);
        // What was refused may be there in an older version.
        self.keep(host, service, &outcome);
        let asked =
            if sync == 0 { Asked::Register(key, value) } else { Asked::RegisterSynced(key, value) };
        self.record(host, from, asked, outcome);
    }

    /// Removes a service.
    pub async fn deregister(&mut self, host: usize, service: String) {
        let key = self.key(host, &service);
        let from = self.recorder.now();
        let answer = within(self.nodes[host].deregister(&service, REV)).await;
        let outcome = outcome(&answer);
        if matches!(outcome, Outcome::Failed(_) | Outcome::Absent) {
            self.keep(host, service, &outcome);
        }
        self.record(host, from, Asked::Deregister(key), outcome);
    }

    fn keep(&mut self, host: usize, service: String, outcome: &Outcome) {
        if !matches!(outcome, Outcome::Unknown(_)) {
            self.keys.push((host, service));
        }
    }

    /// Asks a node for everything there is.
    pub async fn query(&mut self, host: usize) {
        let from = self.recorder.now();
        let answer = within(self.nodes[host].services("", true)).await;
        let outcome = outcome(&answer);
        let found = answer.map_or_else(|_| Vec::new(), |found| self.shown(&found));
        self.record(host, from, Asked::Query(found), outcome);
    }

    /// What a node shows, by key. What is not of this run's form is no part of it.
    pub fn shown(&self, found: &[Service]) -> Vec<(KeyId, Value)> {
        let mut history = self.recorder.history();
        let mut shown: Vec<_> = found
            .iter()
            .filter_map(|service| {
                let (node, name) = (service.path.node.as_str(), service.path.service.as_str());
                let Some(host) = self.names.get(node).copied() else {
                    history.strangers.insert(node.to_owned());
                    return None;
                };
                let host = history.identity_of(host);
                Some((history.key(host, name), Value::of_net_id(&service.net_id.to_string())?))
            })
            .collect();
        shown.sort_unstable();
        shown
    }

    /// Has the leader's claim stored.
    pub async fn ping(&mut self, host: usize) {
        let from = self.recorder.now();
        let answer = within(self.nodes[host].leader_ping()).await;
        let outcome = outcome(&answer);
        let stored = answer.ok().map(|answer| {
            let (term, principal) = (answer.leader.term, answer.leader.principal.to_string());
            (Claim { term, principal }, keys(&answer.accepted))
        });
        self.record(host, from, Asked::Ping(stored), outcome);
    }

    /// Has a node retired by another one.
    pub async fn forget(&mut self, host: usize, other: usize) {
        let name = format!("n{other}");
        let from = self.recorder.now();
        let answer = within(self.nodes[host].forget(&name)).await;
        self.record(host, from, Asked::Other(format!("forget {name}")), outcome(&answer));
    }

    fn key(&self, host: usize, service: &str) -> KeyId {
        self.recorder.history().key(host, service)
    }

    fn record(&self, host: usize, from: Duration, asked: Asked, outcome: Outcome) {
        let to = self.recorder.now();
        let call = Call { client: self.number, host, from, to, asked, outcome };
        self.recorder.history().calls.push(call);
    }
}

async fn within<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(CALL_WITHIN, call).await.unwrap_or_else(|_| {
        let what = "the node answers".to_owned();
        Err(Error::TimedOut { what, within: CALL_WITHIN, last: String::new() })
    })
}

/// What is known of a call by its answer.
fn outcome<T>(answer: &Result<T, Error>) -> Outcome {
    let Err(error) = answer else { return Outcome::Done };
    if is_absent(error) {
        return Outcome::Absent;
    }
    let text = error.to_string();
    if changed_nothing(error) { Outcome::Failed(text) } else { Outcome::Unknown(text) }
}

/// Principals as the history has them.
pub(super) fn keys(principals: &[Principal]) -> Vec<String> {
    principals.iter().map(ToString::to_string).collect()
}

/// Whether a node says that it has no such thing.
fn is_absent(error: &Error) -> bool {
    matches!(error, Error::Refused { error, .. } if error.kind() == Kind::NotFound)
}

/// Whether a node says that nothing was done, or nobody was there to do anything.
fn changed_nothing(error: &Error) -> bool {
    let Error::Refused { error, .. } = error else { return false };
    // After a time-out of a call that only reads, nothing was done either; but nobody said so.
    error.kind() != Kind::TimedOut && error.state_changed() == StateChanged::No
}

#[cfg(test)]
mod tests {
    use crux_client::socket::SOCKET_NAME;

    use super::*;

    #[tokio::test]
    async fn nobody_there_has_done_nothing_and_silence_may_have() {
        let home = tempfile::tempdir().expect("a directory");
        let nobody = NodeClient::new("n0", home.path());
        assert!(matches!(outcome(&nobody.status().await), Outcome::Failed(_)));

        // Accepts by its backlog, and says nothing.
        let _silent = std::os::unix::net::UnixListener::bind(home.path().join(SOCKET_NAME))
            .expect("a socket");
        let silent = timeout(Duration::from_millis(50), nobody.status()).await;
        let silent = silent.map_err(|_| Error::NotRunning("n0".to_owned())).and_then(|it| it);
        assert!(matches!(outcome(&silent), Outcome::Unknown(_)));
    }
}
