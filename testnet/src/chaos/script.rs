//! Runs a scenario, the same text that the simulator reads, on processes.
//!
//! On processes it has these: weather is delay and jitter, since a proxy loses no packets of a
//! connection, and gossip alone cannot be lost; a machine that sleeps is a process that is stopped for
//! that long; a copy of a disk is made while its process is stopped; `still` is that no node's status
//! changes. Missing are nodes that are found on the link (such a scenario is refused), and
//! `truthful`, which is about seconds and holds here without a look. Deadlines are [`SLACK`] times those of the text, which are for an idle machine.

use std::collections::BTreeSet;
use std::time::Duration;

use crux_sim::scenario::{Condition, Hosts, Op, Request, Scenario, Step};
use tokio::time::{Instant, sleep};

use super::Fault;
use super::condition::{Leader, holds};
use super::history::Fate;
use super::rig::Rig;
use super::run::{Options, Ran, finish, observers};
use super::workload::Client;
use crate::Error;
use crate::process::Home;

/// How much longer than in virtual time something may take.
pub const SLACK: u32 = 3;
/// How often a condition is checked.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs the steps of a scenario on a new flock in `home`. `told` is told each, when it begins.
///
/// # Errors
///
/// The testnet itself failed, or a step does not exist on processes. The result has the mistakes
/// of nodes.
pub async fn run_script(
    options: &Options,
    home: Home,
    scenario: &Scenario,
    steps: &[Step],
    mut told: impl FnMut(Duration, &str),
) -> Result<Ran, Error> {
    let hosts = options.nodes + scenario.spare;
    let rig = Rig::new(options.exe.clone(), home, hosts).await?;
    let watching = observers(&rig);
    let client = Client::new(0, options.seed, rig.clients(), rig.recorder(), options.pause_max);
    let mut script = Script { rig, client, leader: None, watched: Vec::new(), unmet: Vec::new() };
    for step in steps {
        told(script.rig.recorder().now(), &step.to_string());
        script.step(step).await?;
        script.look_at_watched().await?;
        script.rig.note_crashes()?;
    }
    script.rig.end_those(|_| true)?;
    let mut ran = finish(script.rig, watching).await?;
    ran.unmet = script.unmet;
    Ok(ran)
}

struct Script {
    rig: Rig,
    client: Client,
    /// The leader when a flock or component last settled.
    leader: Option<Leader>,
    watched: Vec<Condition<Hosts>>,
    /// The expectations that did not come true.
    unmet: Vec<String>,
}

impl Script {
    async fn step(&mut self, step: &Step) -> Result<(), Error> {
        match step {
            Op::Weather(weather) => {
                self.rig.end_those(|fault| matches!(fault, Fault::Slow { .. }))?;
                let of = Hosts((0..self.rig.clients().len()).collect());
                let jitter = weather.delay_max.saturating_sub(weather.delay_min);
                self.rig.begin(&Fault::Slow { of, delay: weather.delay_min, jitter })
            }
            Op::Start { who, joining } => self.start(who, joining.as_ref()),
            Op::Kill(who) => self.each(who, |rig, host| rig.begin_if_up(host, &Fault::Kill(host))),
            Op::Freeze(who) => {
                self.each(who, |rig, host| rig.begin_if_up(host, &Fault::Freeze(host)))
            }
            Op::Resume(who) => self.each(who, |rig, host| rig.end(&Fault::Freeze(host))),
            Op::Fill(who) => self.each(who, |rig, host| rig.begin_if_up(host, &Fault::Fill(host))),
            Op::Empty(who) => self.each(who, |rig, host| rig.end(&Fault::Fill(host))),
            Op::Sleep(who, time) => {
                self.each(who, |rig, host| rig.begin_if_up(host, &Fault::Freeze(host)))?;
                sleep(*time).await;
                self.each(who, |rig, host| rig.end(&Fault::Freeze(host)))
            }
            Op::Wipe(who) => self.each(who, Rig::wipe),
            Op::Rekey(who) => self.each(who, Rig::rekey),
            Op::Backup(who) => self.each(who, Rig::backup),
            Op::Restore(who) => self.each(who, Rig::restore),
            Op::Copy { from, to, disk } => {
                let from = from.iter().next().unwrap_or_default();
                self.each(to, |rig, host| rig.copy(from, host, *disk))
            }
            Op::Find { .. } => Err(Error::Broken(format!(
                "`{step}` does not exist on processes: no multicast DNS"
            ))),
            Op::Ask(_, Request::Restart(_)) => Err(Error::Broken(format!(
                "`{step}` does not exist on processes: no client announces a restart"
            ))),
            Op::Ask(_, Request::Write(_) | Request::Order(..)) => Err(Error::Broken(format!(
                "`{step}` does not exist on processes: the flock has no operator"
            ))),
            Op::Name { .. } => Err(Error::Broken(format!(
                "`{step}` does not exist on processes: a node keeps its name"
            ))),
            Op::Cut { how, from, to, both } => {
                let (how, both) = (*how, *both);
                self.rig.begin(&Fault::Cut { how, from: from.clone(), to: to.clone(), both })
            }
            Op::Heal => self.rig.end_those(|fault| matches!(fault, Fault::Cut { .. })),
            Op::Ask(who, request) => self.ask(who, request).await,
            Op::Wait(time) => {
                sleep(*time).await;
                Ok(())
            }
            Op::Expect { what, within, .. } => self.expect(what, *within * SLACK).await,
            Op::Always { what, time } => self.always(what, *time).await,
            Op::Watch(what) => {
                self.watched.push(what.clone());
                Ok(())
            }
            Op::Unwatch => {
                self.watched.clear();
                Ok(())
            }
        }
    }

    fn each(
        &mut self,
        who: &Hosts,
        mut act: impl FnMut(&mut Rig, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        who.iter().try_for_each(|host| act(&mut self.rig, host))
    }

    fn start(&mut self, who: &Hosts, joining: Option<&Hosts>) -> Result<(), Error> {
        for host in who.iter() {
            if let Some(joining) = joining {
                self.rig.join(host, &joining.iter().collect::<Vec<_>>());
            }
            // The file that filled the disk is gone, and a process that starts is not stopped.
            self.rig.end(&Fault::Kill(host))?;
            self.rig.start(host)?;
        }
        Ok(())
    }

    async fn ask(&mut self, who: &Hosts, request: &Request<Hosts>) -> Result<(), Error> {
        for host in who.iter() {
            match request {
                // Its value is another one each time.
                Request::Register { service, sync, .. } => {
                    self.client.register_synced(host, service.to_string(), *sync).await;
                }
                Request::Deregister(service) => {
                    self.client.deregister(host, service.to_string()).await;
                }
                Request::Ping => self.client.ping(host).await,
                // Refused.
                Request::Restart(_) | Request::Write(_) | Request::Order(..) => {}
                Request::Leave => self.leave(host).await?,
                Request::Forget(whom) => {
                    for other in whom.iter() {
                        self.client.forget(host, other).await;
                    }
                }
            }
        }
        Ok(())
    }

    async fn leave(&mut self, host: usize) -> Result<(), Error> {
        self.rig.may_end(host);
        self.rig.clients()[host].leave().await?;
        self.rig.recorder().fate(host, Fate::Left);
        Ok(())
    }

    async fn expect(&mut self, what: &Condition<Hosts>, within: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + within;
        let mut since = Instant::now();
        let mut before = None;
        loop {
            self.rig.note_crashes()?;
            let seen = holds(what, &mut self.rig, &mut self.leader).await;
            // A flock that is to be still has to stay as it is for a while.
            let still = match what {
                Condition::Still(time) => {
                    let now = self.rig.cluster().ask_all().await.to_string();
                    if before.as_ref() != Some(&now) {
                        before = Some(now);
                        since = Instant::now();
                    }
                    since.elapsed() >= *time
                }
                _ => true,
            };
            if seen.is_ok() && still {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let seen = seen.err().unwrap_or_else(|| "it is not still".to_owned());
                self.unmet.push(format!("{what} did not come true within {within:?}: {seen}"));
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn always(&mut self, what: &Condition<Hosts>, time: Duration) -> Result<(), Error> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            if let Err(seen) = holds(what, &mut self.rig, &mut self.leader).await {
                self.unmet.push(format!("{what} did not hold for {time:?}: {seen}"));
                return Ok(());
            }
            self.rig.note_crashes()?;
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Looks between steps; what happens within one is not seen.
    async fn look_at_watched(&mut self) -> Result<(), Error> {
        let mut failed = BTreeSet::new();
        for (at, what) in self.watched.iter().enumerate() {
            if let Err(seen) = holds(what, &mut self.rig, &mut self.leader).await {
                self.unmet.push(format!("{what}, which is watched, did not hold: {seen}"));
                failed.insert(at);
            }
        }
        // Said once.
        let mut at = 0;
        self.watched.retain(|_| {
            at += 1;
            !failed.contains(&(at - 1))
        });
        self.rig.note_crashes()
    }
}
