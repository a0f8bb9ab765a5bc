//! The steps of the story, in order.

use std::time::{Duration, Instant};

use crux_client::model::{Leader, Service};

use super::services::{self, HOSTS, Running};
use super::{Chapter, Greeter, liar};
use crate::Error;
use crate::process::{Cluster, FORM_WITHIN, FlockStatus, Registration};
use crate::view::short;
use crate::wait::{self, Seen};

/// How many nodes the story begins with.
pub const NODES: usize = 5;

/// How long any one step may take. The goals are far below; this only ends a story that hangs.
pub(super) const STEP_WITHIN: Duration = Duration::from_secs(30);

/// Finds the greeter wherever it is.
const GREETERS: &str = "*/*/*/greeter/*";

/// Tells the story on a fresh cluster of [`NODES`] nodes; each step is given to `told` when it has
/// held.
///
/// # Errors
///
/// The first step that does not hold.
pub async fn tell(cluster: &mut Cluster, told: impl FnMut(Chapter)) -> Result<(), Error> {
    let mut story = Story { cluster, told };
    let formed = story.forms().await?;
    let greeter = story.serves(&formed).await?;
    let old = leader_of(&formed)?;
    let new = story.loses_its_leader(&old).await?;
    story.keeps_the_new_leader(&old, &new).await?;
    story.grows(&new).await?;
    story.is_lied_to().await?;
    let running = story.runs_services().await?;
    let running = story.loses_everything(&running).await?;
    let running = story.restarts(&running).await?;
    drop(greeter);
    story.ends(&running).await
}

/// The flock of the story and who listens to it.
struct Story<'a, T> {
    cluster: &'a mut Cluster,
    told: T,
}

impl<T: FnMut(Chapter)> Story<'_, T> {
    fn tell(&mut self, what: String, since: Instant) {
        (self.told)(Chapter { what, took: since.elapsed() });
    }

    async fn forms(&mut self) -> Result<FlockStatus, Error> {
        let since = self.cluster.start_all()?;
        let formed = self.cluster.until_agreed(FORM_WITHIN).await?;
        self.tell(format!("{NODES} nodes are one flock; {}", leader_and_digest(&formed)), since);
        Ok(formed)
    }

    async fn serves(&mut self, formed: &FlockStatus) -> Result<Greeter, Error> {
        let greeter = Greeter::start().await?;
        let (host, asker) = two_followers(self.cluster, formed)?;
        let registration = Registration::new("greeter", "v1", greeter.addr());
        let since = Instant::now();
        self.cluster.client(host).register(&registration).await?;
        let found = until_found(self.cluster, asker).await?;
        let (host, asker) = (host + 1, asker + 1);
        self.tell(format!("registered on n{host}, found from n{asker} as {}", found.path), since);

        let since = Instant::now();
        Greeter::call(&found.net_id.to_string()).await?;
        self.tell(format!("called over gRPC at {}: it serves", greeter.addr()), since);
        Ok(greeter)
    }

    async fn loses_its_leader(&mut self, old: &Leader) -> Result<Leader, Error> {
        let at = leader_position(self.cluster, old)?;
        let since = Instant::now();
        self.cluster.node(at).kill()?;
        let new = until_next_leader(self.cluster, old).await?;
        let (was, is) = (&old.node, &new.node);
        self.tell(format!("leader {was} killed; {is} leads under term {}", new.term), since);
        Ok(new)
    }

    async fn keeps_the_new_leader(&mut self, old: &Leader, new: &Leader) -> Result<(), Error> {
        let at = leader_position(self.cluster, old)?;
        let since = Instant::now();
        self.cluster.node(at).start()?;
        let back = self.cluster.until_agreed(STEP_WITHIN).await?;
        expect_leader(&back, new)?;
        self.tell(format!("{} is back; {} still leads", old.node, new.node), since);
        Ok(())
    }

    async fn grows(&mut self, leader: &Leader) -> Result<(), Error> {
        let since = Instant::now();
        self.cluster.add()?.start()?;
        let six = self.cluster.until_agreed(STEP_WITHIN).await?;
        let late = self.cluster.nodes().len();
        until_found(self.cluster, late - 1).await?;
        expect_leader(&six, leader)?;
        self.tell(
            format!("n{late} came late and has everything; {}", leader_and_digest(&six)),
            since,
        );
        Ok(())
    }

    async fn is_lied_to(&mut self) -> Result<(), Error> {
        let since = Instant::now();
        let (leader, obeyed) = liar::commands(self.cluster).await?;
        let (node, term) = (&leader.node, leader.term);
        let tried = "a member commanded under term 281474976710655, then the leader was killed";
        self.tell(format!("{tried}; {node} leads under term {term} and {obeyed} obey"), since);

        let since = Instant::now();
        let took = liar::claims(self.cluster).await?.as_secs_f64();
        let tried = "a member signed that every blob has 1 TiB and another root";
        self.tell(format!("{tried}; a get took {took:.1} s, and nothing was evicted"), since);
        Ok(())
    }

    async fn runs_services(&mut self) -> Result<Vec<Running>, Error> {
        let since = Instant::now();
        let mut running = services::add(self.cluster).await?;
        let caller = HOSTS + 1;
        self.tell(
            format!("a program runs on n1, n2 and n3; n{caller} resolves and calls each"),
            since,
        );

        let since = Instant::now();
        let old = running[0].pid;
        let took;
        (running[0], took) = services::program_killed(self.cluster, running[0]).await?;
        let (pid, ms) = (running[0].pid, took.as_secs_f64() * 1000.0);
        self.tell(
            format!("its process {old} on n1 killed; {pid} answered {ms:.0} ms later"),
            since,
        );

        let since = Instant::now();
        let answered = services::fulcrum_killed(self.cluster, running[1]).await?;
        let kept = |answered: usize, pid: u32| {
            format!("{pid} answered all {answered} calls meanwhile, and was not started again")
        };
        let said = kept(answered, running[1].pid);
        self.tell(format!("fulcrum of n2 killed; process {said}"), since);

        let since = Instant::now();
        let answered = services::picket_killed(self.cluster, running[2]).await?;
        let said = kept(answered, running[2].pid);
        self.tell(format!("picket of n3 killed, and started; process {said}"), since);

        let since = Instant::now();
        let answered = services::bad_update(self.cluster, running[0]).await?;
        let said = kept(answered, running[0].pid);
        self.tell(format!("a bad update on n1 was rolled back; process {said}"), since);
        Ok(running)
    }

    async fn loses_everything(&mut self, old: &[Running]) -> Result<Vec<Running>, Error> {
        let since = Instant::now();
        let running = services::all_killed(self.cluster, old).await?;
        let nodes = self.cluster.nodes().len();
        self.tell(
            format!("every process of {nodes} nodes killed, and all started; all programs run"),
            since,
        );
        Ok(running)
    }

    async fn restarts(&mut self, old: &[Running]) -> Result<Vec<Running>, Error> {
        let since = Instant::now();
        let again = restart_in_another_order(self.cluster).await?;
        let running = services::all_others(self.cluster, old).await?;
        let shown = leader_and_digest(&again);
        self.tell(
            format!("all stopped and started in another order; {shown}, all programs run"),
            since,
        );
        Ok(running)
    }

    async fn ends(&mut self, running: &[Running]) -> Result<(), Error> {
        let since = Instant::now();
        self.cluster.stop_all().await?;
        services::none_runs(running)?;
        self.tell("all stopped in order; no program is left".to_owned(), since);
        Ok(())
    }
}

/// Waits until node `at` finds exactly one greeter.
async fn until_found(cluster: &mut Cluster, at: usize) -> Result<Service, Error> {
    let client = cluster.client(at).clone();
    let what = format!("n{} finds one greeter", at + 1);
    wait::until(&what, STEP_WITHIN, async || {
        let mut found = client.services(GREETERS, false).await?;
        Ok(match found.pop() {
            Some(service) if found.is_empty() => Seen::Done(service),
            other => Seen::NotYet(format!("  {} of them", found.len() + other.iter().count())),
        })
    })
    .await
}

/// Waits until the survivors count one dead and agree on another leader.
async fn until_next_leader(cluster: &mut Cluster, old: &Leader) -> Result<Leader, Error> {
    let what = format!("all agree on a leader after {}", old.node);
    let next = cluster
        .until(&what, STEP_WITHIN, |statuses| {
            statuses.is_agreed() && statuses.leader() != Some(old) && statuses.all_count_dead(1)
        })
        .await?;
    leader_of(&next)
}

/// Stops all, starts them in reverse order one by one, and looks whether everything is there.
async fn restart_in_another_order(cluster: &mut Cluster) -> Result<FlockStatus, Error> {
    cluster.stop_all().await?;
    for at in (0..cluster.nodes().len()).rev() {
        cluster.node(at).start()?;
    }
    let again = cluster.until_agreed(FORM_WITHIN).await?;
    for at in 0..cluster.nodes().len() {
        let found = until_found(cluster, at).await?;
        Greeter::call(&found.net_id.to_string()).await?;
    }
    Ok(again)
}

/// Two nodes that do not lead: one to register on, one to ask.
fn two_followers(cluster: &Cluster, statuses: &FlockStatus) -> Result<(usize, usize), Error> {
    let leader = leader_position(cluster, &leader_of(statuses)?)?;
    let mut followers = (0..cluster.nodes().len()).filter(|at| *at != leader);
    match (followers.next(), followers.next_back()) {
        (Some(host), Some(asker)) => Ok((host, asker)),
        _ => Err(Error::Broken("the story needs three nodes".to_owned())),
    }
}

pub(super) fn leader_of(statuses: &FlockStatus) -> Result<Leader, Error> {
    statuses.leader().cloned().ok_or_else(|| Error::Broken("there is no one leader".to_owned()))
}

pub(super) fn leader_position(cluster: &Cluster, leader: &Leader) -> Result<usize, Error> {
    let unknown = || Error::Broken(format!("leader {} is none of ours", leader.node));
    cluster.position(leader.node.as_str()).ok_or_else(unknown)
}

fn expect_leader(statuses: &FlockStatus, expected: &Leader) -> Result<(), Error> {
    let leader = leader_of(statuses)?;
    if leader == *expected {
        return Ok(());
    }
    Err(Error::Broken(format!(
        "{} should still lead, and {} does under term {}",
        expected.node, leader.node, leader.term
    )))
}

fn leader_and_digest(statuses: &FlockStatus) -> String {
    let leader = statuses.leader().map_or("nobody", |leader| leader.node.as_str());
    let digest = statuses.digest().map_or("differs".to_owned(), |digest| digest.to_string());
    format!("{leader} leads, digest {}", short(&digest))
}
