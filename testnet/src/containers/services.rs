//! The act of services: a program in three containers, called from a fourth, over the end of its parts. Process 1 of
//! each container is the node's picket.
//!
//! There is nothing in a container but the node, so the program is copied into it, and calls the others from there.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::compose::TARGET;
use super::story::{LOOK_EVERY, Story, WITHIN};
use crate::wait::{self, Seen};
use crate::{Error, sample};

/// Where the service runs.
const HOSTS: [&str; 3] = ["n1", "n2", "n3"];
/// The container that calls it.
const CALLER: &str = "n4";
/// The name of the service.
const NAME: &str = "hello";
/// Where the program is in each container.
const PROGRAM: &str = "/data/sample";
/// The time in which a container has to stop.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A part of `crux-node ps --json`.
#[derive(Debug, Clone, Deserialize)]
struct Instance {
    service: String,
    state: String,
    pid: Option<u32>,
    restarts: u32,
    ports: BTreeMap<String, u16>,
}

/// A program that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Running {
    /// Its process, as its container numbers them.
    pid: u32,
    addr: String,
    restarts: u32,
}

/// A process, as the machine numbers them.
struct Process {
    pid: Pid,
    state: String,
    command: String,
}

impl Story<'_> {
    /// The target beside the compose file runs, which nobody but that applied.
    pub(super) async fn runs_its_target(&mut self) -> Result<(), Error> {
        let since = Instant::now();
        wait::until_every(LOOK_EVERY, "the target of site runs", WITHIN, async || {
            let mut up: BTreeMap<String, usize> = BTreeMap::new();
            for node in super::NODES {
                let shown: Vec<Instance> = read(&self.node(node, &["ps", "--json"]).await?)?;
                for it in shown.into_iter().filter(|it| it.state == "up" && it.pid.is_some()) {
                    *up.entry(it.service).or_default() += 1;
                }
            }
            let runs = TARGET.iter().all(|(name, count)| up.get(*name) == Some(count));
            Ok(Seen::when(runs, (), |()| format!("  {up:?}")))
        })
        .await?;
        self.held("two watch, and each prints its events: the target of site runs", since);
        Ok(())
    }

    /// Tells the act. Returns whether services run: not where no static program can be made.
    pub(super) async fn runs_services(&mut self) -> Result<bool, Error> {
        let Some(program) = sample::static_program() else {
            self.held("services: left out, no static program can be made here", Instant::now());
            return Ok(false);
        };
        self.adds(program).await?;
        self.loses_a_program().await?;
        self.loses_a_fulcrum().await?;
        self.reaps_orphans().await?;
        self.stops_in_time().await?;
        Ok(true)
    }

    /// Every service is up again, and is called.
    pub(super) async fn has_services_again(&mut self) -> Result<(), Error> {
        let since = Instant::now();
        for host in HOSTS {
            self.found(host, |_| true).await?;
        }
        self.held("every program runs again, and is called", since);
        Ok(())
    }

    async fn adds(&mut self, program: &[u8]) -> Result<(), Error> {
        let since = Instant::now();
        self.copy_program(CALLER, program).await?;
        for host in HOSTS {
            self.copy_program(host, program).await?;
            let add = ["service", "add", NAME, "--image", PROGRAM, "--port", "http=auto"];
            self.node(host, &[&add[..], &["--check", "http:/"]].concat()).await?;
            self.found(host, |_| true).await?;
        }
        self.services += HOSTS.len() as u64;
        self.until_one_flock(&super::NODES, 0).await?;
        self.held(format!("a program runs in three containers, and {CALLER} calls each"), since);
        Ok(())
    }

    async fn loses_a_program(&mut self) -> Result<(), Error> {
        let [host, ..] = HOSTS;
        let old = self.found(host, |_| true).await?;
        let since = Instant::now();
        // The call breaks off.
        self.call(&old.addr, "/abort").await.ok();
        let new = self.found(host, |it| it.pid != old.pid).await?;
        if new.restarts != old.restarts + 1 {
            return Err(Error::Broken(format!("one crash: there was {old:?}, and now {new:?}")));
        }
        self.held(format!("the program of {host} crashed and was started again"), since);
        Ok(())
    }

    async fn loses_a_fulcrum(&mut self) -> Result<(), Error> {
        let [_, host, _] = HOSTS;
        let before = self.found(host, |_| true).await?;
        let is_fulcrum = |it: &&Process| it.command.contains("crux-node fulcrum");
        let processes = self.processes(host).await?;
        let fulcrum = processes.iter().find(is_fulcrum).map(|it| it.pid);
        let fulcrum = fulcrum.ok_or_else(|| Error::Broken(format!("{host} has no fulcrum")))?;
        let since = Instant::now();
        match kill_process(fulcrum, Signal::KILL) {
            Ok(()) => {}
            Err(Errno::PERM) => {
                self.held("killing a fulcrum: left out, this user may not", since);
                return Ok(());
            }
            Err(errno) => return Err(Error::io("kill a fulcrum")(errno.into())),
        }
        wait::until_every(LOOK_EVERY, "another fulcrum runs", WITHIN, async || {
            let now = self.processes(host).await?;
            let next = now.iter().find(is_fulcrum).filter(|it| it.pid != fulcrum);
            Ok(Seen::when(next.is_some(), (), |()| "  there is none".to_owned()))
        })
        .await?;
        self.until_one_flock(&super::NODES, 0).await?;
        let after = self.found(host, |_| true).await?;
        if after != before {
            return Err(Error::Broken(format!("there was {before:?}, and now {after:?}")));
        }
        self.held(format!("the fulcrum of {host} was killed; its program never noticed"), since);
        Ok(())
    }

    /// The children that a process leaves behind fall to process 1, which waits for their end.
    async fn reaps_orphans(&mut self) -> Result<(), Error> {
        let [.., host] = HOSTS;
        let since = Instant::now();
        let container = self.compose.container(host).await?;
        self.engine.docker(["exec", &container, PROGRAM, "orphan"]).await?;
        wait::until_every(LOOK_EVERY, "no orphan and no zombie is left", WITHIN, async || {
            let all = self.processes(host).await?;
            let is_left = |it: &&Process| it.state.starts_with('Z') || it.command.ends_with(" nap");
            let left: Vec<_> = all.iter().filter(is_left).map(|it| it.command.clone()).collect();
            Ok(Seen::when(left.is_empty(), (), |()| format!("  {left:?}")))
        })
        .await?;
        self.held(format!("an orphan in {host} ended and was reaped"), since);
        Ok(())
    }

    /// Stopped as an engine stops containers, it ends by itself; started, its program runs again.
    async fn stops_in_time(&mut self) -> Result<(), Error> {
        let [.., host] = HOSTS;
        let old = self.found(host, |_| true).await?;
        let container = self.compose.container(host).await?;
        let since = Instant::now();
        let within = STOP_WITHIN.as_secs().to_string();
        self.engine.docker(["stop", "--time", &within, &container]).await?;
        let took = since.elapsed();
        let code = ["inspect", "--format", "{{.State.ExitCode}}", &container];
        let code = self.engine.docker(code).await?;
        if code.trim() != "0" {
            return Err(Error::Broken(format!("{host} ended with {} after {took:?}", code.trim())));
        }
        self.held(format!("{host} and its program were stopped in order"), since);

        let since = Instant::now();
        self.engine.docker(["start", &container]).await?;
        self.until_one_flock(&super::NODES, 0).await?;
        let new = self.found(host, |_| true).await?;
        self.held(format!("{host} was started; process {} follows {}", new.pid, old.pid), since);
        Ok(())
    }

    /// Copies the program into a container, where anybody may run it.
    async fn copy_program(&self, node: &str, program: &[u8]) -> Result<(), Error> {
        let write = || -> std::io::Result<(TempDir, String)> {
            let dir = tempfile::tempdir()?;
            let file = dir.path().join("sample");
            fs::write(&file, program)?;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
            let file = file.display().to_string();
            Ok((dir, file))
        };
        let (_dir, file) = write().map_err(Error::io("write the program"))?;
        let container = self.compose.container(node).await?;
        self.engine.docker(["cp", &file, &format!("{container}:{PROGRAM}")]).await?;
        Ok(())
    }

    /// Waits until the caller finds the program of a host, and the process answers that the host shows as up.
    async fn found(&self, host: &str, holds: impl Fn(&Running) -> bool) -> Result<Running, Error> {
        let what = format!("{CALLER} finds {NAME} of {host}, and it answers");
        wait::until_every(LOOK_EVERY, &what, WITHIN, async || {
            Ok(match self.look(host).await {
                Ok(seen) if holds(&seen) => Seen::Done(seen),
                Ok(seen) => Seen::NotYet(format!("  {seen:?}")),
                Err(error) => Seen::NotYet(format!("  {error}")),
            })
        })
        .await
    }

    async fn look(&self, host: &str) -> Result<Running, Error> {
        #[derive(Deserialize)]
        struct Found {
            net_id: String,
            status: String,
        }
        let found: Found =
            read(&self.node(CALLER, &["resolve", NAME, "--on", host, "--json"]).await?)?;
        let odd = || Error::Broken(format!("it is {} at {}", found.status, found.net_id));
        // `/rev/principal/net/host:port`, where the host is the name of the container.
        let port = found.net_id.rsplit_once(':').filter(|_| found.status == "up");
        let (_, port) = port.ok_or_else(odd)?;
        let addr = format!("{}:{port}", self.ip(host).await?);
        let answer = self.call(&addr, "/").await?;
        let pid = answer.split_whitespace().next().and_then(|word| word.parse().ok());
        let shown: Vec<Instance> = read(&self.node(host, &["ps", NAME, "--json"]).await?)?;
        let is_it = |it: &&Instance| {
            let ports = it.ports.values().any(|number| number.to_string() == port);
            it.state == "up" && it.pid == pid && ports
        };
        let it = shown.iter().find(is_it).zip(pid);
        let (it, pid) =
            it.ok_or_else(|| Error::Broken(format!("{answer:?} at {addr}, and {shown:?}")))?;
        Ok(Running { pid, addr, restarts: it.restarts })
    }

    async fn call(&self, addr: &str, path: &str) -> Result<String, Error> {
        let container = self.compose.container(CALLER).await?;
        self.engine.docker(["exec", &container, PROGRAM, "call", addr, path]).await
    }

    async fn ip(&self, node: &str) -> Result<String, Error> {
        let container = self.compose.container(node).await?;
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let said = self.engine.docker(["inspect", "--format", format, &container]).await?;
        Ok(said.trim().to_owned())
    }

    /// The processes of a container.
    async fn processes(&self, node: &str) -> Result<Vec<Process>, Error> {
        let container = self.compose.container(node).await?;
        let said = self.engine.docker(["top", &container, "-eo", "pid,stat,args"]).await?;
        let process = |line: &str| {
            let mut words = line.split_whitespace();
            let pid = words.next()?.parse().ok().and_then(Pid::from_raw)?;
            let state = words.next()?.to_owned();
            Some(Process { pid, state, command: words.collect::<Vec<_>>().join(" ") })
        };
        Ok(said.lines().skip(1).filter_map(process).collect())
    }
}

fn read<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    serde_json::from_str(json).map_err(|error| Error::Broken(format!("{error}: {json}")))
}
