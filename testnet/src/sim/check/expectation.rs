use core::fmt;
use core::time::Duration;
use std::collections::BTreeSet;

use crux_crdt::Principal;
use crux_protocol::flock::{MemberState, Notice, State};
use crux_protocol::leader::Claim;
use crux_protocol::liveness::Liveness;
use crux_protocol::time::Instant;

use super::clients::Fate;
use crate::sim::world::World;

/// Something that is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sim) enum Expectation {
    /// These are one flock: one digest, one leader whom all name and whose commands all accept; each
    /// shows exactly these alive; nothing acknowledged is lost, nothing removed is back.
    OneFlock(BTreeSet<usize>),
    /// These see each other alive and everyone else dead, and have one leader.
    Component(BTreeSet<usize>),
    /// All of these show that one like this.
    Shown(BTreeSet<usize>, usize, MemberState),
    /// All of these show that one not alive.
    Doubted(BTreeSet<usize>, usize),
    /// Nobody led under another claim than the last flock's leader since then.
    SameLeader,
    /// This one called nobody suspect or dead since the last operation.
    SuspectsNobody(usize),
    /// Nobody was connected or disconnected for that long.
    Still(Duration),
    /// Every request was answered.
    Answered,
    /// This process does not run.
    Stopped(usize),
    /// Everyone calls this one by the name it claims.
    Named(usize),
    /// Of these exactly one runs.
    OneRuns(BTreeSet<usize>),
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneFlock(who) => write!(f, "{} are one flock", names(who)),
            Self::Component(who) => write!(f, "{} are a component with one leader", names(who)),
            Self::Shown(by, whom, state) => write!(f, "{} show n{whom} {state:?}", names(by)),
            Self::Doubted(by, whom) => write!(f, "{} show n{whom} suspect or dead", names(by)),
            Self::SameLeader => f.write_str("the leader is the same"),
            Self::SuspectsNobody(who) => write!(f, "n{who} suspects nobody"),
            Self::Still(time) => write!(f, "links are still for {time:?}"),
            Self::Answered => f.write_str("every request is answered"),
            Self::Named(who) => write!(f, "n{who} has its name"),
            Self::OneRuns(who) => write!(f, "one of {} runs", names(who)),
            Self::Stopped(who) => write!(f, "n{who} stopped by itself"),
        }
    }
}

pub(in crate::sim) fn names(who: &BTreeSet<usize>) -> String {
    who.iter().map(|host| format!("n{host}")).collect::<Vec<_>>().join(" ")
}

impl Expectation {
    /// Checks it now. `since` is when the last operation was, `led` who led the last flock.
    ///
    /// # Errors
    /// What does not hold.
    pub(in crate::sim) fn check(
        &self,
        world: &World,
        since: Instant,
        led: Option<Claim>,
    ) -> Result<(), String> {
        match self {
            Self::OneFlock(who) => {
                component(world, who)?;
                one_digest(world, who)?;
                fences(world, who)?;
                promises(world, who)
            }
            Self::Component(who) => component(world, who),
            Self::Shown(by, whom, state) => shown(world, by, *whom, |found| found == *state),
            Self::Doubted(by, whom) => {
                let doubted = [MemberState::Suspect, MemberState::Dead];
                shown(world, by, *whom, |found| doubted.contains(&found))
            }
            Self::SameLeader => same_leader(world, led),
            Self::SuspectsNobody(who) => suspects_nobody(world, *who, since),
            Self::Still(time) => match world.now.since(world.links_changed_at) {
                quiet if quiet >= *time => Ok(()),
                quiet => Err(format!("a link changed {quiet:?} ago")),
            },
            Self::Answered if world.clients.waiting() == 0 => Ok(()),
            Self::Answered => Err(format!("{} requests wait", world.clients.waiting())),
            Self::Named(who) => named(world, *who),
            Self::OneRuns(who) => {
                match who.iter().filter(|host| world.state(**host).is_some()).count() {
                    1 => Ok(()),
                    count => Err(format!("{count} run")),
                }
            }
            Self::Stopped(who) if world.state(*who).is_none() => Ok(()),
            Self::Stopped(who) => Err(format!("n{who} runs")),
        }
    }
}

fn state_of(world: &World, host: usize) -> Result<&State, String> {
    world.state(host).ok_or_else(|| format!("n{host} does not run"))
}

/// Who leads, as the first host that runs sees it.
pub(in crate::sim) fn leader_now(world: &World) -> Option<Claim> {
    (0..world.hosts.len()).find_map(|host| world.state(host)?.leader())
}

fn same_leader(world: &World, led: Option<Claim>) -> Result<(), String> {
    for host in 0..world.hosts.len() {
        if let Some(state) = world.state(host)
            && state.leader() != led
        {
            return Err(format!("n{host} names {:?} instead of {led:?}", state.leader()));
        }
    }
    Ok(())
}

fn named(world: &World, who: usize) -> Result<(), String> {
    let host = &world.hosts[who];
    for by in 0..world.hosts.len() {
        let Some(state) = world.state(by) else { continue };
        let called = state.names().of(&host.principal());
        if host.config.name.as_ref().is_some_and(|name| name.as_label() != &called) {
            return Err(format!("n{by} calls it {called}"));
        }
    }
    Ok(())
}

fn suspects_nobody(world: &World, who: usize, since: Instant) -> Result<(), String> {
    let mut notices = world.notices.iter().rev().take_while(|(at, ..)| *at >= since);
    let bad = notices.find_map(|(at, host, notice)| match notice {
        Notice::Liveness { node, liveness } if *host == who && *liveness != Liveness::Alive => {
            Some(format!("n{who} called {node} {liveness:?} at {at:?}"))
        }
        _ => None,
    });
    bad.map_or(Ok(()), Err)
}

fn shown(
    world: &World,
    by: &BTreeSet<usize>,
    whom: usize,
    holds: impl Fn(MemberState) -> bool,
) -> Result<(), String> {
    let principal = world.hosts[whom].principal();
    for host in by {
        let found = state_of(world, *host)?.member_state(&principal);
        if !holds(found) {
            return Err(format!("n{host} shows n{whom} {found:?}"));
        }
    }
    Ok(())
}

/// Whom a node is to show alive is exactly the component; and all name one of them as leader.
fn component(world: &World, who: &BTreeSet<usize>) -> Result<(), String> {
    let inside: BTreeSet<Principal> =
        who.iter().map(|host| world.hosts[*host].principal()).collect();
    let first = who.first().map(|host| state_of(world, *host)).transpose()?;
    let leader = first.and_then(State::leader);
    for host in who {
        let state = state_of(world, *host)?;
        let alive: BTreeSet<Principal> = state
            .members()
            .iter()
            .filter(|member| matches!(member.state, MemberState::Alive | MemberState::Suspect))
            .map(|member| member.principal)
            .collect();
        if let Some(missing) = inside.difference(&alive).next() {
            return Err(format!("n{host} does not show {} alive", world.name_of(missing)));
        }
        if let Some(ghost) = alive.difference(&inside).next() {
            return Err(format!("n{host} shows {} alive", world.name_of(ghost)));
        }
        match state.leader() {
            None => return Err(format!("n{host} names no leader")),
            found if found != leader => {
                return Err(format!("n{host} names {found:?} and not {leader:?}"));
            }
            Some(claim) if !inside.contains(&claim.principal) => {
                return Err(format!("n{host} names a leader outside: {claim:?}"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn one_digest(world: &World, who: &BTreeSet<usize>) -> Result<(), String> {
    let mut digests = BTreeSet::new();
    for host in who {
        digests.insert(state_of(world, *host)?.strew().digest());
    }
    match digests.len() {
        0 | 1 => Ok(()),
        many => Err(format!("there are {many} digests: {digests:?}")),
    }
}

fn fences(world: &World, who: &BTreeSet<usize>) -> Result<(), String> {
    for host in who {
        let state = state_of(world, *host)?;
        if state.fence() > state.leader() {
            let (fence, leader) = (state.fence(), state.leader());
            return Err(format!("n{host} holds the fence {fence:?} against {leader:?}"));
        }
    }
    Ok(())
}

/// What clients were told holds everywhere.
fn promises(world: &World, who: &BTreeSet<usize>) -> Result<(), String> {
    for host in who {
        let strew = state_of(world, *host)?.strew();
        for (author, key, fate) in world.clients.fates() {
            let record = strew.shown_record(&world.hosts[author].principal());
            let found = record.is_some_and(|record| {
                let (horde, service, rev) = key;
                record.registrations().any(|held| held.key() == (horde, service, rev))
            });
            let name = key.1.as_str();
            match (fate, found) {
                (Fate::Present, false) => {
                    return Err(format!("n{host} lacks {name}, acknowledged by n{author}"));
                }
                (Fate::Absent, true) => {
                    return Err(format!("n{host} shows {name}, whose removal n{author} told"));
                }
                _ => {}
            }
        }
    }
    Ok(())
}
