//! Runs a scenario, the same text that the simulator and processes run, on containers.
//!
//! | scenario | containers |
//! |---|---|
//! | `start`, `kill` | `compose up` or `docker start`, `docker kill` |
//! | `freeze`, `resume` | `docker pause`, `docker unpause`; `sleep` is both |
//! | `cut A <-> B`, `heal` | `docker network disconnect` and `connect`: the smaller side gets a network of its own |
//! | `rekey` | the container and its volume are removed, and the next `start` makes new ones |
//! | `ask` | `docker exec … crux-node register`, `deregister`, `leader ping`, `forget` |
//!
//! `still` is that no node's status changes, `answered` and `obeyed` hold without a look: every call is
//! awaited. A part that containers lack is refused by its name before anything is put up (see `rules`). The
//! weather is that of the machine, and the compose file names the peers of each node.
//!
//! **Checks**: each `expect`, `always` and `watch`, with deadlines [`SLACK`] times as long; that
//! in one flock every registration that was acknowledged is shown and none that was removed. A call
//! that failed decides nothing of its service.

use std::time::{Duration, Instant};

use crux_sim::scenario::{Condition, Hosts, Op, Request, Scenario, Seen, Step};
use tokio::time::sleep;

use super::fleet::{Fleet, Services};
use super::status::agree;
use super::{Compose, Engine, NODES, rules};
use crate::Error;
use crate::wait;

/// How much longer than in virtual time something may take: each look starts a process per node.
pub const SLACK: u32 = 5;
/// The least that anything is waited for.
const WITHIN_MIN: Duration = Duration::from_secs(20);
/// How often the containers are asked.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Runs the steps of a scenario; `told` is told each, when it begins. The caller takes down what is
/// left.
///
/// # Errors
/// A step that does not exist on containers, what the engine could not do, and the first thing that
/// did not come true, with what was seen instead.
pub async fn run_script(
    engine: &Engine,
    compose: &Compose,
    scenario: &Scenario,
    nodes: usize,
    steps: &[Step],
    mut told: impl FnMut(Duration, &str),
) -> Result<(), Error> {
    rules::check(nodes, scenario.spare, steps)?;
    // The secret is made by a service that runs once; started with a node it would be in its way.
    compose.run(&["up", "--no-build", "secret"]).await?;
    let fleet = Fleet::new(engine, compose);
    let (acked, unsure) = (Services::new(), Services::new());
    let mut script = Script { fleet, acked, unsure, watched: Vec::new(), leader: None };
    let since = Instant::now();
    for step in steps {
        told(since.elapsed(), &step.to_string());
        script.step(step).await?;
        for what in script.watched.clone() {
            script.must(&what, "which is watched").await?;
        }
    }
    // However it went, it ends as one flock.
    script.fleet.heal().await?;
    let all = Hosts((0..nodes).collect());
    for host in all.iter() {
        script.fleet.resume(host).await?;
        script.fleet.start(host).await?;
    }
    told(since.elapsed(), "all healed");
    script.expect(&Condition::OneFlock(all), Duration::from_secs(30)).await?;
    told(since.elapsed(), "one flock");
    Ok(())
}

struct Script<'a> {
    fleet: Fleet<'a>,
    /// Registrations that were acknowledged, and not taken back since.
    acked: Services,
    /// Of these a call failed: they may be there or not.
    unsure: Services,
    watched: Vec<Condition<Hosts>>,
    /// The leader when a flock or component last settled: name and term.
    leader: Option<(String, u64)>,
}

impl Script<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), Error> {
        match step {
            Op::Start { who, .. } => {
                for host in who.iter() {
                    self.fleet.start(host).await?;
                }
            }
            Op::Kill(who) => {
                for host in who.iter() {
                    self.fleet.kill(host).await?;
                }
            }
            Op::Freeze(who) => {
                for host in who.iter() {
                    self.fleet.pause(host).await?;
                }
            }
            Op::Resume(who) => {
                for host in who.iter() {
                    self.fleet.resume(host).await?;
                }
            }
            Op::Sleep(who, time) => {
                for host in who.iter() {
                    self.fleet.pause(host).await?;
                }
                sleep(*time).await;
                for host in who.iter() {
                    self.fleet.resume(host).await?;
                }
            }
            Op::Rekey(who) => {
                for host in who.iter() {
                    self.fleet.take_away(host).await?;
                    // Nobody has its key any more.
                    self.acked.retain(|(of, _)| *of != host);
                    self.unsure.retain(|(of, _)| *of != host);
                }
            }
            Op::Cut { from, to, .. } => self.fleet.cut(from, to).await?,
            Op::Heal => self.fleet.heal().await?,
            Op::Ask(who, request) => self.ask(who, request).await,
            Op::Wait(time) => sleep(*time).await,
            Op::Expect { what, within, .. } => self.expect(what, *within).await?,
            Op::Always { what, time } => {
                let end = Instant::now() + *time;
                while Instant::now() < end {
                    self.must(what, "which is to hold throughout").await?;
                    sleep(LOOK_EVERY).await;
                }
            }
            Op::Watch(what) => self.watched.push(what.clone()),
            Op::Unwatch => self.watched.clear(),
            // The rest was refused.
            _ => {}
        }
        Ok(())
    }

    async fn ask(&mut self, who: &Hosts, request: &Request<Hosts>) {
        for host in who.iter() {
            match request {
                Request::Register { service, port, sync } => {
                    let (name, sync) = (service.to_string(), sync.to_string());
                    let at = format!("10.0.0.1:{port}");
                    let args = ["register", &name, "v1", &at, "--sync", &sync];
                    let done = self.fleet.node(host, &args).await.is_ok();
                    self.note((host, name), done.then_some(true));
                }
                Request::Deregister(service) => {
                    let name = service.to_string();
                    let done = self.fleet.node(host, &["deregister", &name, "v1"]).await.is_ok();
                    self.note((host, name), done.then_some(false));
                }
                Request::Ping => drop(self.fleet.node(host, &["leader", "ping"]).await),
                Request::Forget(whom) => {
                    for other in whom.iter() {
                        drop(self.fleet.node(host, &["forget", NODES[other], "--yes"]).await);
                    }
                }
                // Refused.
                Request::Leave | Request::Restart(_) | Request::Write(_) | Request::Order(..) => {}
            }
        }
    }

    /// Notes the state of a service: it is there, it is not, or that is not known.
    fn note(&mut self, service: (usize, String), there: Option<bool>) {
        self.acked.remove(&service);
        self.unsure.remove(&service);
        match there {
            Some(true) => _ = self.acked.insert(service),
            Some(false) => {}
            None => _ = self.unsure.insert(service),
        }
    }

    async fn expect(&mut self, what: &Condition<Hosts>, within: Duration) -> Result<(), Error> {
        let within = (within * SLACK).max(WITHIN_MIN);
        let (text, mut before, mut since) = (what.to_string(), None, Instant::now());
        wait::until_every(LOOK_EVERY, &text, within, async || {
            let held = match what {
                // A flock that is to be still has to stay as it is for a while.
                Condition::Still(time) => {
                    let now = self.all_statuses().await;
                    if now.is_err() || before.as_ref() != Some(&now) {
                        before = Some(now.clone());
                        since = Instant::now();
                    }
                    now.and_then(|now| if since.elapsed() >= *time { Ok(()) } else { Err(now) })
                }
                _ => self.holds(what).await,
            };
            Ok(held.map_or_else(wait::Seen::NotYet, wait::Seen::Done))
        })
        .await
    }

    async fn all_statuses(&self) -> Result<String, String> {
        let mut lines = Vec::new();
        for host in self.fleet.running().iter() {
            lines.push(format!("  {}: {}", NODES[host], self.fleet.status(host).await?));
        }
        Ok(lines.join("\n"))
    }

    async fn must(&mut self, what: &Condition<Hosts>, why: &str) -> Result<(), Error> {
        let held = self.holds(what).await;
        held.map_err(|seen| Error::Broken(format!("{what}, {why}, did not hold: {seen}")))
    }

    /// Nothing if a condition holds now, else what was seen instead.
    async fn holds(&mut self, what: &Condition<Hosts>) -> Result<(), String> {
        match what {
            Condition::OneFlock(who) => self.one_flock(who).await,
            Condition::Settled => self.one_flock(&self.fleet.running()).await,
            Condition::Component(who) => self.component(who).await,
            Condition::Shown { whom, state, by } => self.shown(whom, *state, by).await,
            Condition::SameLeader => self.same_leader().await,
            Condition::Unsuspecting(who) => {
                for host in who.iter() {
                    let status = self.fleet.status(host).await?;
                    if status.members.suspect + status.members.dead > 0 {
                        return Err(format!("{}: {status}", NODES[host]));
                    }
                }
                Ok(())
            }
            Condition::Stopped(who) => {
                let there = who.iter().find(|host| self.fleet.is_there(*host));
                there.map_or(Ok(()), |host| Err(format!("{} runs", NODES[host])))
            }
            Condition::Named(who) => self.named(who).await,
            // Every call was awaited; the rest was refused.
            _ => Ok(()),
        }
    }

    async fn one_flock(&mut self, who: &Hosts) -> Result<(), String> {
        let mut all = Vec::new();
        for host in who.iter() {
            all.push(self.fleet.status(host).await?);
        }
        let count = all.len();
        let lines = || all.iter().map(|it| format!("  {it}")).collect::<Vec<_>>().join("\n");
        let alive = all.iter().all(|it| it.members.alive == count && it.members.suspect == 0);
        let one = all.windows(2).all(|two| {
            two[0].state_digest == two[1].state_digest && two[0].leader == two[1].leader
        });
        let Some(leader) = all.first().and_then(|it| it.leader.as_ref()) else {
            return Err(lines());
        };
        if !alive || !one {
            return Err(lines());
        }
        self.leader = Some((leader.node.clone(), leader.term));
        self.nothing_lost(who).await
    }

    /// They hold one digest, so one of them speaks for all.
    async fn nothing_lost(&self, who: &Hosts) -> Result<(), String> {
        let Some(host) = who.iter().next() else { return Ok(()) };
        let shown = self.fleet.services(host).await?;
        let here = |service: &&(usize, String)| who.0.contains(&service.0);
        if let Some((of, name)) = self.acked.iter().filter(here).find(|it| !shown.contains(*it)) {
            return Err(format!("{name} of {}, acknowledged, is lost", NODES[*of]));
        }
        let known = |it: &&(usize, String)| self.acked.contains(*it) || self.unsure.contains(*it);
        match shown.iter().filter(here).find(|it| !known(it)) {
            Some((of, name)) => Err(format!("{name} of {}, removed, is back", NODES[*of])),
            None => Ok(()),
        }
    }

    async fn component(&mut self, who: &Hosts) -> Result<(), String> {
        let mut all = Vec::new();
        for host in who.iter() {
            all.push(self.fleet.status(host).await?);
        }
        let dead = all.first().map_or(0, |status| status.members.dead);
        let lines = || all.iter().map(|it| format!("  {it}")).collect::<Vec<_>>().join("\n");
        if !agree(&all, who.0.len(), dead) {
            return Err(lines());
        }
        let leader = all.first().and_then(|status| status.leader.as_ref());
        self.leader = leader.map(|leader| (leader.node.clone(), leader.term));
        Ok(())
    }

    async fn shown(&self, whom: &Hosts, state: Seen, by: &Hosts) -> Result<(), String> {
        for observer in by.iter() {
            let members = self.fleet.members(observer).await?;
            for host in whom.iter() {
                // A name that was taken over is shown for both.
                let mut of = members.iter().filter(|member| member.node == NODES[host]);
                if !of.any(|member| member.is(state)) {
                    let said: Vec<_> = members.iter().map(ToString::to_string).collect();
                    return Err(format!("{} shows {}", NODES[observer], said.join(", ")));
                }
            }
        }
        Ok(())
    }

    async fn same_leader(&self) -> Result<(), String> {
        for host in self.fleet.running().iter() {
            let status = self.fleet.status(host).await?;
            let now = status.leader.as_ref().map(|leader| (leader.node.clone(), leader.term));
            if now != self.leader {
                return Err(format!("{:?} led; {}: {status}", self.leader, NODES[host]));
            }
        }
        Ok(())
    }

    async fn named(&self, who: &Hosts) -> Result<(), String> {
        for host in who.iter() {
            let principal = self.fleet.status(host).await?.principal;
            for observer in self.fleet.running().iter() {
                let members = self.fleet.members(observer).await?;
                let found = members.iter().find(|member| member.principal == principal);
                if found.is_none_or(|member| member.node != NODES[host]) {
                    return Err(format!("{} calls {} {found:?}", NODES[observer], NODES[host]));
                }
            }
        }
        Ok(())
    }
}
