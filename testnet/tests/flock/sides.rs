//! Five nodes of a target, parted two from three by proxies for longer than `replace_after`.
//!
//! The two run one of three instances of `web`. The three replace it. The two replace the others only if the service says
//! so. When they meet again, of what is too much those stay that were ready first.

use std::collections::BTreeSet;
use std::time::Duration;

use crux_sim::scenario::{Cut, Hosts};
use crux_testnet::chaos::{Fault, Rig};
use crux_testnet::output::say;
use crux_testnet::process::{FORM_WITHIN, Home};
use crux_testnet::site::{Census, Diary, Document, Entry, Happened, Lane, Site, lanes};

use crate::support::{exe, ok};

const NODES: usize = 5;
const WEB: usize = 3;
/// How long any one condition may take on a loaded machine.
const WITHIN: Duration = Duration::from_secs(60);
/// Before and after what is drawn, in milliseconds.
const MARGIN: u64 = 2000;

/// A partition that is over.
struct Parted {
    before: Census,
    /// While it lasted.
    during: Census,
    after: Census,
    diary: Diary,
    two: BTreeSet<usize>,
    /// From when to when, in milliseconds of Unix time.
    parted: (u64, u64),
}

/// Parts two from three until `on_two` of `web` run on the two nodes, and all on the three; then heals.
async fn part(replaces_in_minority: bool, on_two: usize) -> Parted {
    let home = ok(Home::temporary());
    let site = ok(Site::make(&exe(), &home, "test").await);
    let mut rig = ok(Rig::new(exe(), home, NODES).await);
    (0..NODES).for_each(|host| ok(rig.start(host)));
    ok(rig.cluster().until_still(FORM_WITHIN).await);
    ok(site.program(&format!("pick(web, {WEB}, ALL)\n")));
    let document = Document { replaces_in_minority, ..site.document("web", "v1") };
    ok(site.put(&document));
    ok(site.apply(rig.cluster().nodes()[0].spec()).await);
    let usual = |it: &Census| it.counts(&[("web", WEB)]);
    let before = ok(Census::until(rig.cluster(), "web runs", WITHIN, usual).await);

    let (runs, idle): (Vec<_>, Vec<_>) =
        (0..NODES).partition(|at| before.nodes("web").contains(at));
    let two = BTreeSet::from([runs[0], idle[0]]);
    let three = (0..NODES).filter(|at| !two.contains(at)).collect();
    let (from, to) = (Hosts(two.clone()), Hosts(three));
    let fault = Fault::Cut { how: Cut::Silent, from, to, both: true };
    let begun = Diary::now();
    ok(rig.begin(&fault));
    let on = |it: &Census, side: &BTreeSet<usize>| it.nodes("web").intersection(side).count();
    let whole = |it: &Census| {
        let (all, small) = (it.count("web"), on(it, &two));
        small == on_two && all - small == WEB
    };
    let during = ok(Census::until(rig.cluster(), "each side has its own", WITHIN, whole).await);
    let ended = Diary::now();
    ok(rig.end(&fault));
    ok(rig.cluster().until_agreed(WITHIN).await);
    let after = ok(Census::until(rig.cluster(), "web is not too much", WITHIN, usual).await);
    let diary = ok(Diary::with(rig.cluster(), &after).await);
    let parted = Parted { before, during, after, diary, two, parted: (begun, ended) };
    say(parted.drawn());
    ok(rig.cluster().stop_all().await);
    parted
}

impl Parted {
    /// What ran when, on both sides.
    fn drawn(&self) -> String {
        let lane = |name: &str, has: &dyn Fn(&usize) -> bool| Lane {
            name: name.to_owned(),
            nodes: (0..NODES).filter(has).map(|at| (at, format!("n{at}"))).collect(),
        };
        let sides = [
            lane("the two", &|at| self.two.contains(at)),
            lane("the three", &|at| !self.two.contains(at)),
        ];
        let marks = [(self.parted.0, "parted"), (self.parted.1, "healed")];
        let last = self.diary.all.iter().map(|it| it.at).max().unwrap_or_default();
        let end = last.max(self.parted.1) + MARGIN;
        lanes(&self.diary, &sides, &marks, (self.parted.0.saturating_sub(MARGIN), end))
    }

    /// The starts on the two nodes while the partition lasted.
    fn started_on_two(&self) -> usize {
        let during = self.diary.between(self.parted.0, self.parted.1);
        during.starts().filter(|it| self.two.contains(&it.node)).count()
    }

    /// Everything that ran before runs while it lasts; and after it those that were ready first.
    fn is_as_promised(&self) {
        let [before, during, after] =
            [&self.before, &self.during, &self.after].map(|it| it.pids("web"));
        assert!(before.is_subset(&during), "{before:?} {during:?}\n{}", self.drawn());
        let ups = self.diary.all.iter().filter(|it| it.happened == Happened::Up);
        let ups: Vec<&Entry> = ups.collect();
        let started = |it: &Entry| self.diary.starts().find(|start| start.instance == it.instance);
        let stays =
            |it: &&Entry| started(it).and_then(|it| it.pid).is_some_and(|it| after.contains(&it));
        let (stayed, ended): (Vec<&Entry>, Vec<&Entry>) = ups.into_iter().partition(stays);
        let latest = stayed.iter().map(|it| it.at).max().expect("three stay");
        let earliest = ended.iter().map(|it| it.at).min().expect("some end");
        assert!(latest < earliest, "{stayed:?} {ended:?}\n{}", self.drawn());
    }
}

#[tokio::test]
#[ignore = "takes half a minute"]
async fn a_minority_that_holds_starts_nothing_and_what_was_ready_first_stays() {
    let parted = part(false, 1).await;
    assert_eq!(parted.started_on_two(), 0, "{}", parted.drawn());
    parted.is_as_promised();
}

/// A dead node is in the sets of a minority, so that at most one of `web` is on a node: of three the two nodes run two.
#[tokio::test]
#[ignore = "takes half a minute"]
async fn a_minority_that_replaces_runs_what_it_can_and_what_was_ready_first_stays() {
    let parted = part(true, 2).await;
    assert_eq!(parted.started_on_two(), 1, "{}", parted.drawn());
    parted.is_as_promised();
}
