//! The engine's rows, as people and programs get them.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_client::model::{
    CheckState, Inspected, Instance, InstanceExit, InstanceState, PreviousImage, ServiceStatus,
    WallTime,
};
use crux_protocol::picket::{CheckRow, Exit, ExitRow, Inspect, InstanceId, Row, RunState};
use crux_protocol::time::Instant;

use super::calls::is_of_node;
use super::trees::Used;
use crate::clock::Moment;

/// A line of `ps`.
pub(super) fn instance(row: &Row, used: Option<&Used>, now: Instant) -> Instance {
    Instance {
        service: row.service.clone(),
        rev: row.rev.clone(),
        ordinal: row.ordinal,
        horde: row.horde.clone(),
        instance: row.instance.as_ref().map(InstanceId::to_string),
        state: state(row.state),
        status: status(row),
        since: now.since(row.since),
        pid: row.pid,
        restarts: u32::try_from(row.restarts).unwrap_or(u32::MAX),
        image: Some(row.image),
        sealed: row.sealed.unwrap_or(false),
        ports: ports(row),
        memory: used.map(|used| used.memory),
        cpu: used.map(|used| Duration::from_millis(used.cpu_ms)),
        reason: Some(row.reason.clone()).filter(|reason| !reason.is_empty()),
    }
}

pub(super) fn ports(row: &Row) -> BTreeMap<String, u16> {
    row.ports.iter().map(|(name, port)| (name.to_string(), *port)).collect()
}

/// The same word in the API.
pub(super) const fn state(state: RunState) -> InstanceState {
    match state {
        RunState::Pending => InstanceState::Pending,
        RunState::Starting => InstanceState::Starting,
        RunState::Up => InstanceState::Up,
        RunState::Degraded => InstanceState::Degraded,
        RunState::Draining => InstanceState::Draining,
        RunState::Stopping => InstanceState::Stopping,
        RunState::Backoff => InstanceState::Backoff,
        RunState::Failed => InstanceState::Failed,
        RunState::Paused => InstanceState::Paused,
        RunState::Done => InstanceState::Done,
        RunState::Stopped => InstanceState::Stopped,
    }
}

/// How callers see it.
pub(super) const fn status(row: &Row) -> ServiceStatus {
    match row.state {
        RunState::Up if row.is_held => ServiceStatus::Degraded,
        RunState::Up => ServiceStatus::Up,
        RunState::Degraded => ServiceStatus::Degraded,
        RunState::Paused => ServiceStatus::Unknown,
        _ => ServiceStatus::Down,
    }
}

/// All of one service. None: it is removed, and only its end is under way.
pub(super) fn inspected(
    inspect: &Inspect,
    used: &BTreeMap<InstanceId, Used>,
    generation: u64,
    now: Moment,
) -> Option<Inspected> {
    let wanted = inspect.wanted.as_ref()?;
    let config = &wanted.current.config;
    let rows = inspect.rows.iter();
    let instances = rows.map(|row| {
        let used = row.instance.as_ref().and_then(|id| used.get(id));
        instance(row, used, now.at)
    });
    let probe = |at: usize| config.check.get(at).map(|check| check.probe.to_string());
    let mut exits: Vec<_> = inspect.exits.iter().map(|row| exit(row, now)).collect();
    exits.sort_by_key(|exit| std::cmp::Reverse(exit.at.unix_ms));
    Some(Inspected {
        config: config.clone(),
        generation,
        wanted: wanted.run,
        instances: instances.collect(),
        checks: inspect.checks.iter().map(|row| check(row, probe(row.check), now.at)).collect(),
        exits,
        previous: wanted.previous.as_ref().map(|previous| PreviousImage {
            rev: previous.config.rev.clone(),
            image: previous.image.blob(),
        }),
        isolation: isolation(config),
    })
}

fn check(row: &CheckRow, probe: Option<String>, now: Instant) -> CheckState {
    CheckState {
        instance: row.instance.to_string(),
        // Without checks of its own it is up when its ports accept.
        check: probe.unwrap_or_else(|| "tcp".to_owned()),
        passed: row.passed,
        failures: row.failures,
        ago: row.passed.map(|_| now.since(row.at)),
        text: row.text.clone(),
    }
}

fn exit(row: &ExitRow, now: Moment) -> InstanceExit {
    let (code, signal) = match row.exit {
        Some(Exit::Code(code)) => (Some(code), None),
        Some(Exit::Signal(signal)) => (None, Some(signal)),
        Some(Exit::OutOfMemory) => (None, Some(rustix::process::Signal::KILL.as_raw())),
        None => (None, None),
    };
    let ago = u64::try_from(now.at.since(row.at).as_millis()).unwrap_or(u64::MAX);
    InstanceExit {
        instance: row.instance.to_string(),
        at: WallTime { unix_ms: now.unix_ms.saturating_sub(ago) },
        code,
        signal,
        ran: row.ran,
        reason: row.reason.clone(),
    }
}

/// The isolation of a service's programs from the node and from each other, in force on this node.
fn isolation(config: &crux_crdt::service::Config) -> BTreeMap<String, String> {
    let user = match crate::user::resolve(config.user.as_deref()) {
        Ok(Some(user)) if is_of_node(config.user.as_deref()) => {
            format!("{}: it can read the node's key", user.name)
        }
        Ok(Some(user)) => user.name,
        Ok(None) => "the node's: it can read the node's key".to_owned(),
        Err(err) => err.to_string(),
    };
    let always =
        "own session, built environment, no inherited descriptors, no new privileges, tree kill";
    let mut all = BTreeMap::from([
        ("user".to_owned(), user),
        ("always".to_owned(), always.to_owned()),
        ("nofile".to_owned(), config.nofile.to_string()),
        ("sandbox".to_owned(), "off".to_owned()),
    ]);
    if config.limits.is_some() {
        all.insert("limits".to_owned(), "not_enforced".to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::testing::row;
    use super::*;

    #[test]
    fn one_that_flips_is_up_here_and_degraded_for_callers() {
        let held = Row { is_held: true, ..row("web", "web-v1-1-a", RunState::Up) };
        let shown = instance(&held, None, Instant::ORIGIN);
        assert_eq!((shown.state, shown.status), (InstanceState::Up, ServiceStatus::Degraded));
        let calm = Row { is_held: false, ..held };
        assert_eq!(instance(&calm, None, Instant::ORIGIN).status, ServiceStatus::Up);
    }

    #[test]
    fn a_program_of_the_nodes_user_is_said_to_read_its_key() {
        let config = |user: &str| {
            super::super::testing::config(&format!(r#"{{"name": "web", "image": "IMAGE"{user}}}"#))
        };
        let of = |user: &str| isolation(&config(user)).remove("user").unwrap();
        let warns = |user: &str| of(user).ends_with(": it can read the node's key");
        if rustix::process::geteuid().is_root() {
            assert!(warns(r#", "user": "root""#) && !warns(""), "{}", of(""));
        } else {
            assert!(warns(""));
        }
    }
}
