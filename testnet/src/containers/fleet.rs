//! The containers of a scenario: host 0 is the service n1 of the compose file, and so on.

use std::collections::BTreeSet;

use crux_sim::scenario::Hosts;

use super::status::{Shown, Status};
use super::{Compose, Engine, NODES};
use crate::Error;

/// How a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// It was not put up yet, or was taken away with its volume.
    Absent,
    Down,
    Up,
    Paused,
}

/// What is registered and was acknowledged: host and service.
pub(super) type Services = BTreeSet<(usize, String)>;

/// The containers, and what is known of them.
pub(super) struct Fleet<'a> {
    engine: &'a Engine,
    compose: &'a Compose,
    lives: [Life; NODES.len()],
    /// Those that were moved to a network of their own.
    aside: BTreeSet<usize>,
}

impl<'a> Fleet<'a> {
    pub(super) fn new(engine: &'a Engine, compose: &'a Compose) -> Self {
        Self { engine, compose, lives: [Life::Absent; NODES.len()], aside: BTreeSet::new() }
    }

    /// Those whose processes run and are not stopped.
    pub(super) fn running(&self) -> Hosts {
        let is_up = |host: &usize| self.lives[*host] == Life::Up;
        Hosts((0..NODES.len()).filter(is_up).collect())
    }

    /// Whether a process is there, stopped or not.
    pub(super) fn is_there(&self, host: usize) -> bool {
        matches!(self.lives[host], Life::Up | Life::Paused)
    }

    pub(super) async fn start(&mut self, host: usize) -> Result<(), Error> {
        match self.lives[host] {
            Life::Absent => {
                self.compose
                    .run(&["up", "--detach", "--no-build", "--no-deps", NODES[host]])
                    .await?;
                if self.aside.contains(&host) {
                    self.move_aside(host).await?;
                }
            }
            Life::Down => _ = self.docker("start", host).await?,
            Life::Up | Life::Paused => return Ok(()),
        }
        self.lives[host] = Life::Up;
        Ok(())
    }

    pub(super) async fn kill(&mut self, host: usize) -> Result<(), Error> {
        self.resume(host).await?;
        if self.lives[host] == Life::Up {
            self.docker("kill", host).await?;
            self.lives[host] = Life::Down;
        }
        Ok(())
    }

    pub(super) async fn pause(&mut self, host: usize) -> Result<(), Error> {
        if self.lives[host] == Life::Up {
            self.docker("pause", host).await?;
            self.lives[host] = Life::Paused;
        }
        Ok(())
    }

    pub(super) async fn resume(&mut self, host: usize) -> Result<(), Error> {
        if self.lives[host] == Life::Paused {
            self.docker("unpause", host).await?;
            self.lives[host] = Life::Up;
        }
        Ok(())
    }

    /// Takes a container and its volume away: what is started next has another key.
    pub(super) async fn take_away(&mut self, host: usize) -> Result<(), Error> {
        self.resume(host).await?;
        if self.lives[host] != Life::Absent {
            self.compose.run(&["rm", "--stop", "--force", NODES[host]]).await?;
            self.engine.docker(["volume", "rm", &self.compose.named(NODES[host])]).await?;
            self.lives[host] = Life::Absent;
        }
        Ok(())
    }

    /// Parts the nodes: one side goes to a network of its own.
    pub(super) async fn cut(&mut self, from: &Hosts, to: &Hosts) -> Result<(), Error> {
        let side = if from.0.len() <= to.0.len() { from } else { to };
        self.engine.docker(["network", "create", "--internal", &self.side()]).await?;
        for host in side.iter() {
            self.aside.insert(host);
            if self.lives[host] != Life::Absent {
                self.move_aside(host).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn heal(&mut self) -> Result<(), Error> {
        let aside = std::mem::take(&mut self.aside);
        for host in &aside {
            if self.lives[*host] != Life::Absent {
                self.move_between(*host, &self.side(), &self.compose.named("flock")).await?;
            }
        }
        if !aside.is_empty() {
            self.engine.docker(["network", "rm", &self.side()]).await?;
        }
        Ok(())
    }

    async fn move_aside(&self, host: usize) -> Result<(), Error> {
        self.move_between(host, &self.compose.named("flock"), &self.side()).await
    }

    async fn move_between(&self, host: usize, old: &str, new: &str) -> Result<(), Error> {
        let container = self.compose.container(NODES[host]).await?;
        self.engine.docker(["network", "disconnect", old, &container]).await?;
        self.engine.docker(["network", "connect", "--alias", NODES[host], new, &container]).await?;
        Ok(())
    }

    fn side(&self) -> String {
        self.compose.named("side")
    }

    async fn docker(&self, what: &str, host: usize) -> Result<String, Error> {
        let container = self.compose.container(NODES[host]).await?;
        self.engine.docker([what, &container]).await
    }

    /// Runs the node's command line in a container.
    pub(super) async fn node(&self, host: usize, args: &[&str]) -> Result<String, Error> {
        let container = self.compose.container(NODES[host]).await?;
        self.engine.docker(["exec", &container, "/crux-node"].iter().chain(args)).await
    }

    /// What a node says of the flock.
    pub(super) async fn status(&self, host: usize) -> Result<Status, String> {
        self.ask(host, &["status", "--json"]).await
    }

    /// The members that a node shows, and their states.
    pub(super) async fn members(&self, host: usize) -> Result<Vec<Shown>, String> {
        self.ask(host, &["members", "--json"]).await
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        host: usize,
        args: &[&str],
    ) -> Result<T, String> {
        let name = NODES[host];
        let said = self.node(host, args).await.map_err(|error| format!("{name}: {error}"))?;
        serde_json::from_str(&said).map_err(|error| format!("{name}: {error}: {said}"))
    }

    /// What is registered, as a node shows it, with what is on nodes that are not alive.
    pub(super) async fn services(&self, host: usize) -> Result<Services, String> {
        #[derive(serde::Deserialize)]
        struct Service {
            path: String,
        }
        let all: Vec<Service> = self.ask(host, &["services", "--all", "--json"]).await?;
        // `/flock/horde/node/service/rev`
        let part = |path: &str, at: usize| path.split('/').nth(at).unwrap_or_default().to_owned();
        let known = all.iter().filter_map(|service| {
            let host = NODES.iter().position(|name| *name == part(&service.path, 3))?;
            Some((host, part(&service.path, 4)))
        });
        Ok(known.collect())
    }
}
