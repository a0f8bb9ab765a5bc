//! The story of the containers, step by step, each with the state that every node must show then.

use std::time::{Duration, Instant};

use futures::future::try_join_all;

use super::status::{Status, agree};
use super::{Compose, Engine};
use crate::Error;
use crate::story::Chapter;
use crate::wait::{self, Seen};

/// The services of the compose file that are nodes.
pub const NODES: [&str; 5] = ["n1", "n2", "n3", "n4", "n5"];

/// How long any one condition may take: far above the goals, for a loaded machine.
pub(super) const WITHIN: Duration = Duration::from_secs(60);
/// How often the containers are asked. Each time starts a process in each.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(400);

/// Puts the flock up and tells the story; `tell` hears of each step that held. The caller takes
/// down what is left.
///
/// # Errors
/// The first step that did not hold, with what every node showed.
pub async fn tell(
    engine: &Engine,
    compose: &Compose,
    tell: impl FnMut(Chapter),
) -> Result<(), Error> {
    let mut story = Story { engine, compose, tell: Box::new(tell), services: 0 };
    story.forms().await?;
    story.runs_its_target().await?;
    story.registers().await?;
    story.is_cut().await?;
    story.pauses().await?;
    story.is_killed().await?;
    story.restarts().await?;
    story.is_made_anew().await?;
    let running = story.runs_services().await?;
    story.comes_up_again().await?;
    match running {
        true => story.has_services_again().await,
        false => Ok(()),
    }
}

pub(super) struct Story<'a> {
    pub(super) engine: &'a Engine,
    pub(super) compose: &'a Compose,
    tell: Box<dyn FnMut(Chapter) + 'a>,
    /// How many live registrations there are to be.
    pub(super) services: u64,
}

impl Story<'_> {
    pub(super) fn held(&mut self, what: impl Into<String>, since: Instant) {
        (self.tell)(Chapter { what: what.into(), took: since.elapsed() });
    }

    async fn forms(&mut self) -> Result<(), Error> {
        let since = Instant::now();
        self.compose.run(&["up", "--detach", "--no-build"]).await?;
        self.until_one_flock(&NODES, 0).await?;
        self.held("five containers are one flock", since);
        self.until_healthy().await
    }

    async fn registers(&mut self) -> Result<(), Error> {
        let since = Instant::now();
        for node in NODES {
            self.node(node, &["register", "web", node, "10.0.0.1:80"]).await?;
        }
        self.services = 5;
        self.until_one_flock(&NODES, 0).await?;
        self.held("a service of each is known to all", since);
        Ok(())
    }

    /// One is cut off, both sides go on, and they are one again.
    async fn is_cut(&mut self) -> Result<(), Error> {
        let (rest, network) = (&NODES[..4], self.compose.named("flock"));
        let container = self.compose.container("n5").await?;
        let since = Instant::now();
        self.engine.docker(["network", "disconnect", &network, &container]).await?;
        self.services = 4;
        self.until_one_flock(rest, 1).await?;
        self.services = 1;
        self.until("n5 leads itself", &["n5"], |all| agree(all, 1, 4)).await?;
        self.held("n5 is cut off: each side shows the other dead and has a leader", since);

        self.node("n5", &["register", "web", "cut-off", "10.0.0.1:80"]).await?;
        self.node("n1", &["deregister", "web", "n1"]).await?;
        let since = Instant::now();
        self.engine.docker(["network", "connect", "--alias", "n5", &network, &container]).await?;
        self.services = 5;
        self.until_one_flock(&NODES, 0).await?;
        self.held("n5 is back: nothing registered is lost, what was removed stays so", since);
        Ok(())
    }

    async fn pauses(&mut self) -> Result<(), Error> {
        let rest = ["n1", "n3", "n4", "n5"];
        let container = self.compose.container("n2").await?;
        let since = Instant::now();
        self.engine.docker(["pause", &container]).await?;
        self.services -= 1;
        self.until_one_flock(&rest, 1).await?;
        self.held("n2 is paused and shown dead", since);
        let since = Instant::now();
        self.engine.docker(["unpause", &container]).await?;
        self.services += 1;
        self.until_one_flock(&NODES, 0).await?;
        self.held("n2 continues and is shown alive", since);
        Ok(())
    }

    async fn is_killed(&mut self) -> Result<(), Error> {
        let rest = ["n1", "n2", "n4", "n5"];
        let container = self.compose.container("n3").await?;
        let since = Instant::now();
        self.engine.docker(["kill", &container]).await?;
        self.services -= 1;
        self.until_one_flock(&rest, 1).await?;
        self.held("n3 is killed and shown dead", since);
        let since = Instant::now();
        self.engine.docker(["start", &container]).await?;
        self.services += 1;
        self.until_one_flock(&NODES, 0).await?;
        self.held("n3 is started and has its service", since);
        Ok(())
    }

    async fn restarts(&mut self) -> Result<(), Error> {
        let since = Instant::now();
        self.compose.run(&["restart", "--timeout", "5", "n4"]).await?;
        self.until_one_flock(&NODES, 0).await?;
        self.held("n4 is restarted", since);
        Ok(())
    }

    /// A container without its volume: another key, the same name and address.
    async fn is_made_anew(&mut self) -> Result<(), Error> {
        let since = Instant::now();
        // The container that applied the target has the volume, too.
        self.compose.run(&["rm", "--stop", "--force", "n1", "target"]).await?;
        self.engine.docker(["volume", "rm", &self.compose.named("n1")]).await?;
        self.compose.run(&["up", "--detach", "--no-build", "n1"]).await?;
        self.until_one_flock(&NODES, 0).await?;
        self.held("n1 is recreated without its volume and has its name", since);
        Ok(())
    }

    async fn comes_up_again(&mut self) -> Result<(), Error> {
        let since = Instant::now();
        self.compose.run(&["down", "--timeout", "10"]).await?;
        self.compose.run(&["up", "--detach", "--no-build"]).await?;
        self.until_one_flock(&NODES, 0).await?;
        self.held("all are taken down and put up again, with their volumes", since);
        self.runs_its_target().await
    }

    /// Runs the node's command line in a container.
    pub(super) async fn node(&self, service: &str, args: &[&str]) -> Result<String, Error> {
        let container = self.compose.container(service).await?;
        let words = ["exec", &container, "/crux-node"];
        self.engine.docker(words.iter().chain(args)).await
    }

    async fn statuses(&self, services: &[&str]) -> Result<Vec<Status>, String> {
        try_join_all(services.iter().map(|service| self.status(service))).await
    }

    async fn status(&self, service: &str) -> Result<Status, String> {
        let said = self.node(service, &["status", "--json"]).await;
        let said = said.map_err(|error| format!("  {service}: {error}"))?;
        serde_json::from_str(&said).map_err(|error| format!("  {service}: {error}: {said}"))
    }

    async fn until(
        &self,
        what: &str,
        services: &[&str],
        holds: impl Fn(&[Status]) -> bool,
    ) -> Result<(), Error> {
        let wanted = self.services;
        wait::until_every(LOOK_EVERY, what, WITHIN, async || {
            Ok(match self.statuses(services).await {
                Ok(all) if holds(&all) && all.iter().all(|it| it.services == wanted) => {
                    Seen::Done(())
                }
                Ok(all) => Seen::NotYet(shown(services, &all)),
                Err(why) => Seen::NotYet(why),
            })
        })
        .await
    }

    pub(super) async fn until_one_flock(
        &self,
        services: &[&str],
        dead: usize,
    ) -> Result<(), Error> {
        let what = format!("{} agree, with {} services", services.join(" "), self.services);
        self.until(&what, services, |all| agree(all, services.len(), dead)).await
    }

    async fn until_healthy(&mut self) -> Result<(), Error> {
        let since = Instant::now();
        let health = "{{.State.Health.Status}}";
        for service in NODES {
            let container = self.compose.container(service).await?;
            let what = format!("{service} is healthy");
            wait::until_every(LOOK_EVERY, &what, WITHIN, async || {
                let said = self.engine.docker(["inspect", "--format", health, &container]).await?;
                let said = said.trim().to_owned();
                Ok(Seen::when(said == "healthy", (), |()| said))
            })
            .await?;
        }
        self.held("the health checks say so too", since);
        Ok(())
    }
}

fn shown(services: &[&str], all: &[Status]) -> String {
    let lines = services.iter().zip(all).map(|(service, status)| format!("  {service}: {status}"));
    lines.collect::<Vec<_>>().join("\n")
}
