//! The story of a target: three services on five nodes, and everything that may befall them.
//!
//! 1. Five nodes behind proxies become one flock.
//! 2. A target places three services; one of them waits for half of another.
//! 3. One is raised, and nothing else changes; lowered, and the youngest ends.
//! 4. A new version replaces the old one node by node.
//! 5. A bad version gets on one node, and goes back; the version before answers every call meanwhile.
//! 6. A node is killed: what it ran runs elsewhere. It is back, and what is too much ends.
//! 7. A node is drained: it ends empty, and nothing ends before its replacement serves.
//! 8. Two nodes are parted from three: the three replace what they lost, the two start nothing. They meet again, and the
//!    instances that were there first stay.
//! 9. Every process is killed, and all run again where they ran.
//! 10. All stop in order, and no program is left.
//!
//! Judged by processes, by answers on sockets and by what each picket wrote.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crux_sim::scenario::{Cut, Hosts};

use super::caller::Caller;
use super::{Chapter, NODES};
use crate::Error;
use crate::chaos::{Fault, Rig};
use crate::process::{FORM_WITHIN, NodeProcess, NodeSpec};
use crate::site::{Census, Diary, Document, Happened, Running, Site};
use crate::wait::{self, Seen};

/// How long any one step may take: partitions are noticed in seconds, and plans are a second apart.
const STEP_WITHIN: Duration = Duration::from_secs(60);
/// How long a bad version has.
const BAD_DEADLINE: Duration = Duration::from_secs(5);
/// How many instances of each service there are, unless the story says otherwise.
const USUAL: [(&str, usize); 3] = [("web", 3), ("api", 1), ("job", 2)];
/// How many of `web` there are once it is raised.
const RAISED: usize = 4;

/// Tells the story on a rig of [`NODES`] fresh nodes, whose secret `site` made; each step is given to `told` when it has
/// held.
///
/// # Errors
///
/// The first step that does not hold.
pub async fn tell_target(
    rig: &mut Rig,
    site: &Site,
    told: impl FnMut(Chapter),
) -> Result<(), Error> {
    let mut story = Story { rig, site, told };
    story.forms().await?;
    let placed = story.places().await?;
    let usual = story.raises_and_lowers(&placed).await?;
    let second = story.rolls_out(&usual).await?;
    story.goes_back(&second).await?;
    let back = story.loses_a_node(&second).await?;
    let drained = story.drains(&back).await?;
    let healed = story.is_parted(&drained).await?;
    let again = story.loses_power(&healed).await?;
    story.ends(&again).await
}

/// The flock of the story, the files of its target, and who listens.
struct Story<'a, T> {
    rig: &'a mut Rig,
    site: &'a Site,
    told: T,
}

impl<T: FnMut(Chapter)> Story<'_, T> {
    fn tell(&mut self, what: String, since: Instant) {
        (self.told)(Chapter { what, took: since.elapsed() });
    }

    async fn forms(&mut self) -> Result<(), Error> {
        let since = Instant::now();
        (0..NODES).try_for_each(|host| self.rig.start(host))?;
        self.rig.cluster().until_still(FORM_WITHIN).await?;
        self.tell(format!("{NODES} nodes are one flock"), since);
        Ok(())
    }

    async fn places(&mut self) -> Result<Census, Error> {
        for (service, _) in USUAL {
            self.site.put(&self.site.document(service, "v1"))?;
        }
        let since = Instant::now();
        self.apply(0, 3).await?;
        let placed = self.until("three services run", is_usual).await?;
        let diary = self.diary(&placed).await?;
        after_half_of_web(&diary)?;
        let half = "api began when half of web served";
        self.tell(format!("applied on n0; {}; {half}", places(&placed)), since);
        Ok(placed)
    }

    async fn raises_and_lowers(&mut self, placed: &Census) -> Result<Census, Error> {
        let since = Instant::now();
        self.apply(1, RAISED).await?;
        let counts = [("web", RAISED), ("api", 1), ("job", 2)];
        let raised = self.until("one more of web", |it| it.counts(&counts)).await?;
        all_stay(placed, &raised)?;
        self.tell("web raised to 4: one process more, and no other changed".to_owned(), since);

        let since = Instant::now();
        self.apply(2, 3).await?;
        let lowered = self.until("one less of web", is_usual).await?;
        same(placed, &lowered, "the youngest of web was to end")?;
        self.tell("web lowered to 3: the youngest ended, and no other changed".to_owned(), since);
        Ok(lowered)
    }

    async fn rolls_out(&mut self, before: &Census) -> Result<Census, Error> {
        self.site.put(&self.site.document("web", "v2"))?;
        let since = Instant::now();
        self.apply(3, 3).await?;
        let new = |it: &Census| is_usual(it) && it.of("web").all(|it| it.rev == "v2");
        let second = self.until("all of web is v2", new).await?;
        for service in ["api", "job"] {
            if before.pids(service) != second.pids(service) {
                return Err(broken(format!("{service} changed with web:\n{before}\n{second}")));
            }
        }
        if before.nodes("web") != second.nodes("web") {
            return Err(broken(format!("a new version moved:\n{before}\n{second}")));
        }
        self.diary(&second).await?.of("web").one_at_a_time("v2")?;
        self.tell(
            "web v2 node by node, in place; the next began when one served".to_owned(),
            since,
        );
        Ok(second)
    }

    async fn goes_back(&mut self, before: &Census) -> Result<(), Error> {
        let bad = self.site.document("web", "v3").with_args(&["exit", "3"]);
        self.site.put(&Document { deadline: BAD_DEADLINE, ..bad })?;
        let callers: Vec<_> = before.of("web").map(|it| (it.pid, Caller::start(it.addr))).collect();
        let (since, from) = (Instant::now(), Diary::now());
        self.apply(4, 3).await?;
        self.until_marked().await?;
        let after = self.until("web is back", is_usual).await?;
        same(before, &after, "a version that ends was to go back")?;
        let mut answered = 0;
        for (pid, caller) in callers {
            answered += caller.stop().await?.all_by(pid, "a bad version went back")?;
        }
        let diary = self.diary(&after).await?.between(from, Diary::now());
        let tried: BTreeSet<_> =
            diary.starts().filter(|it| it.rev == "v3").map(|it| it.node).collect();
        if tried.len() != 1 {
            return Err(broken(format!("v3 was to be tried on one node, and was on {tried:?}")));
        }
        let kept = format!("v2 answered all {answered} calls");
        self.tell(format!("a bad v3 was tried on one node and taken back; {kept}"), since);
        // The good version again, as another generation: nothing changes.
        self.site.put(&self.site.document("web", "v2"))?;
        self.apply(0, 3).await?;
        let again = self.until("web is as before", is_usual).await?;
        same(before, &again, "what runs already was applied")
    }

    async fn loses_a_node(&mut self, before: &Census) -> Result<Census, Error> {
        let lost = node_of(before, "web")?;
        let since = Instant::now();
        self.rig.kill(lost)?;
        let gone = Census { all: before.on(lost).cloned().collect() };
        gone.none_runs()?;
        let moved = self.until("all run on four nodes", is_usual).await?;
        let left =
            Census { all: before.all.iter().filter(|it| it.node != lost).cloned().collect() };
        all_stay(&left, &moved)?;
        let count = gone.all.len();
        self.tell(format!("n{lost} killed; its {count} instances run elsewhere"), since);

        let since = Instant::now();
        self.rig.start(lost)?;
        self.rig.cluster().until_agreed(STEP_WITHIN).await?;
        let back = self.until("nothing is too much", is_usual).await?;
        self.tell(format!("n{lost} is back; {}", places(&back)), since);
        Ok(back)
    }

    async fn drains(&mut self, before: &Census) -> Result<Census, Error> {
        let drained = node_of(before, "web")?;
        let asked = self.spec((drained + 1) % NODES);
        let (since, from) = (Instant::now(), Diary::now());
        let name = format!("n{drained}");
        self.site.signed(&asked, &["drain", &name, "--wait"]).await?;
        let to = Diary::now();
        // It is done when nothing runs there: not later.
        let left = self.rig.cluster().client(drained).instances().await?;
        if !left.is_empty() {
            return Err(broken(format!("the drain of {name} is done, and it runs {left:?}")));
        }
        let empty = |it: &Census| is_usual(it) && it.on(drained).next().is_none();
        let after = self.until("all run on the other nodes", empty).await?;
        let diary = self.diary(&after).await?;
        replaced_first(&diary, drained, (from, to))?;
        self.site.signed(&asked, &["uncordon", &name]).await?;
        let open = self.until("nothing comes back by itself", is_usual).await?;
        same(&after, &open, "a node that is open again was to change nothing")?;
        let ended = "each instance ended when its replacement served";
        self.tell(format!("{name} drained: it is empty, and {ended}"), since);
        Ok(open)
    }

    async fn is_parted(&mut self, before: &Census) -> Result<Census, Error> {
        let (two, three) = sides(before)?;
        let fault =
            Fault::Cut { how: Cut::Silent, from: two.clone(), to: three.clone(), both: true };
        let on = |side: &Hosts, it: &Census, service: &str| {
            it.of(service).filter(|it| side.0.contains(&it.node)).count()
        };
        let (since, from) = (Instant::now(), Diary::now());
        self.rig.begin(&fault)?;
        let whole = |it: &Census| USUAL.iter().all(|(name, count)| on(&three, it, name) == *count);
        let parted = self.until("the three have everything", whole).await?;
        // Whatever ran, runs on, on both sides.
        all_stay(before, &parted)?;
        let diary = self.diary(&parted).await?.between(from, Diary::now());
        if let Some(started) = diary.starts().find(|it| two.0.contains(&it.node)) {
            return Err(broken(format!("a minority was to hold, and {started}")));
        }
        let more = parted.all.len() - before.all.len();
        self.tell(
            format!(
                "{two} parted from {three}: the three replaced {more}, the two started nothing"
            ),
            since,
        );

        let since = Instant::now();
        self.rig.end(&fault)?;
        self.rig.cluster().until_agreed(STEP_WITHIN).await?;
        let healed = self.until("nothing is too much", is_usual).await?;
        same(before, &healed, "of what ran twice those were to stay that served first")?;
        self.tell("healed: of what ran twice those stayed that served first".to_owned(), since);
        Ok(healed)
    }

    async fn loses_power(&mut self, before: &Census) -> Result<Census, Error> {
        let since = Instant::now();
        (0..NODES).try_for_each(|host| self.rig.kill(host))?;
        before.none_runs()?;
        (0..NODES).rev().try_for_each(|host| self.rig.start(host))?;
        self.rig.cluster().until_agreed(FORM_WITHIN).await?;
        let again = self.until("all run again", is_usual).await?;
        if again.places() != before.places() {
            return Err(broken(format!("a power cycle moved services:\n{before}\n{again}")));
        }
        self.tell(
            "every process killed, all started: each service runs where it ran".to_owned(),
            since,
        );
        Ok(again)
    }

    async fn ends(&mut self, running: &Census) -> Result<(), Error> {
        let since = Instant::now();
        self.rig.cluster().stop_all().await?;
        running.none_runs()?;
        self.tell("all stopped in order; no program is left".to_owned(), since);
        Ok(())
    }

    /// Applies the documents with so many of `web`.
    async fn apply(&mut self, host: usize, web: usize) -> Result<(), Error> {
        self.site.program(&program(web))?;
        let spec = self.spec(host);
        self.site.apply(&spec).await.map(drop)
    }

    fn spec(&mut self, host: usize) -> NodeSpec {
        self.rig.cluster().nodes()[host].spec().clone()
    }

    async fn until(
        &mut self,
        what: &str,
        holds: impl Fn(&Census) -> bool,
    ) -> Result<Census, Error> {
        Census::until(self.rig.cluster(), what, STEP_WITHIN, holds).await
    }

    async fn diary(&mut self, census: &Census) -> Result<Diary, Error> {
        Diary::with(self.rig.cluster(), census).await
    }

    /// Waits until the leader wrote that a version failed. What runs does not show when it has given up.
    async fn until_marked(&mut self) -> Result<(), Error> {
        let cluster = self.rig.cluster();
        wait::until("the leader marks the version", STEP_WITHIN, async || {
            let mut logs = cluster.nodes().iter().map(NodeProcess::log);
            let is_marked = logs.any(|log| log.contains("a version of a service failed"));
            Ok(Seen::when(is_marked, (), |()| "  no log says that it failed".to_owned()))
        })
        .await
    }
}

/// The program of the story.
fn program(web: usize) -> String {
    format!(
        "web := pick(web, {web}, ALL)\n\
         pick(api, 1, web)\n\
         pick(job, 2, ALL)\n\
         start api after 50% of web.ready\n"
    )
}

/// Whether there are as many as usual: of `web` at most one on a node, and `api` beside one.
fn is_usual(census: &Census) -> bool {
    let web = census.nodes("web");
    census.counts(&USUAL) && web.len() == 3 && census.nodes("api").is_subset(&web)
}

/// Nothing, if half of `web` served when `api` began.
fn after_half_of_web(diary: &Diary) -> Result<(), Error> {
    let api = diary.of("api");
    let first = api.starts().map(|it| it.at).min();
    let first = first.ok_or_else(|| broken("no picket wrote that api began".to_owned()))?;
    let web = diary.of("web").up_at(first).len();
    if web * 2 >= 3 {
        return Ok(());
    }
    Err(broken(format!("api began when {web} of 3 of web served")))
}

/// Nothing, if on a node that is drained each instance ended while as many as usual served elsewhere.
fn replaced_first(diary: &Diary, node: usize, (from, to): (u64, u64)) -> Result<(), Error> {
    for (service, wanted) in USUAL {
        let of = diary.of(service);
        let within = of.between(from, to);
        let ends = within.all.iter().filter(|it| it.happened == Happened::Ended);
        for end in ends.filter(|it| it.node == node) {
            let others = of.up_at(end.at).values().filter(|other| **other != node).count();
            if others < wanted {
                return Err(broken(format!("{end}, and {others} of {wanted} served elsewhere")));
            }
        }
    }
    Ok(())
}

/// Two nodes and the other three: the two run one of `web`, and the three have room for the rest.
fn sides(census: &Census) -> Result<(Hosts, Hosts), Error> {
    let one = node_of(census, "web")?;
    let other = (0..NODES).find(|at| !census.nodes("web").contains(at));
    let other = other.ok_or_else(|| broken(format!("web was to be on three:\n{census}")))?;
    let two = BTreeSet::from([one, other]);
    let three = (0..NODES).filter(|at| !two.contains(at)).collect();
    Ok((Hosts(two), Hosts(three)))
}

fn node_of(census: &Census, service: &str) -> Result<usize, Error> {
    let first = census.nodes(service).into_iter().next();
    first.ok_or_else(|| broken(format!("{service} was to run:\n{census}")))
}

/// Nothing, if everything that ran runs.
fn all_stay(before: &Census, after: &Census) -> Result<(), Error> {
    let is_gone = |it: &&Running| !after.all.contains(it);
    match before.all.iter().find(is_gone) {
        Some(gone) => Err(broken(format!("it was to run on: {gone}; now:\n{after}"))),
        None => Ok(()),
    }
}

/// Nothing, if the same runs, process by process.
fn same(before: &Census, after: &Census, why: &str) -> Result<(), Error> {
    if before == after {
        return Ok(());
    }
    Err(broken(format!("{why}; before:\n{before}\nafter:\n{after}")))
}

/// Where each service runs, on one line.
fn places(census: &Census) -> String {
    let of = |(service, _): (&str, usize)| {
        let nodes: Vec<_> = census.of(service).map(|it| format!("n{}", it.node)).collect();
        format!("{service} on {}", nodes.join(" "))
    };
    USUAL.map(of).join(", ")
}

fn broken(why: String) -> Error {
    Error::Broken(why)
}
