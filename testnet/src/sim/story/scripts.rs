use core::time::Duration;
use std::collections::BTreeSet;

use crux_protocol::flock::{Control, MemberState};
use rand::RngExt;

use super::Op;
use super::plot::Plot;
use crate::sim::check::Expectation as Expect;
use crate::sim::net::Cut;

/// A kind of story.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What happens in it.
    pub about: &'static str,
    /// How many nodes it has unless told otherwise.
    pub nodes: usize,
    /// How many hosts there are beside the nodes.
    pub(in crate::sim) spare: usize,
    pub(in crate::sim) tell: fn(&mut Plot<'_>),
}

/// Every kind of story; the first is the default.
pub const SCENARIOS: &[Scenario] = &[
    kind("day", "formation, clients, 2 | 3 and heal, restarts", day),
    kind("form", "formation alone", form),
    kind("heal", "2 | 3 with clients on both sides, then heal", heal),
    kind("restart", "kills and restarts, at last of all at once", restart),
    kind("kill", "a kill shows within 1 s, and the next leader stays", kill),
    kind("stop", "a process is stopped for seven seconds, then goes on", stop),
    kind("stall", "stalls of 600 ms suspect nobody", stall),
    kind("silent", "1 | 4, packets vanish", silent),
    kind("one-way", "packets vanish one way", one_way),
    kind("islands", "flocks of one that meet late", islands),
    kind("wipe", "a node loses its disk and keeps its key", wipe),
    kind("leave", "one leaves, one dies and is forgotten, both return", leave),
    kind("anew", "a container is made anew: another key, the same name", anew),
    Scenario { spare: 1, ..kind("clone", "one identity runs twice", clone) },
    kind("full", "a disk takes no writes for a while", full),
    kind("chaos", "whatever the seed says, then all is healed", chaos),
];

const fn kind(name: &'static str, about: &'static str, tell: fn(&mut Plot<'_>)) -> Scenario {
    Scenario { name, about, nodes: 5, spare: 0, tell }
}

fn day(plot: &mut Plot<'_>) {
    plot.form();
    let all = plot.all();
    plot.clients(&all, 6);
    plot.expect(Expect::OneFlock(all), 15);
    part_and_heal(plot, Cut::Refused);
    roll(plot);
}

fn form(plot: &mut Plot<'_>) {
    plot.form();
}

fn heal(plot: &mut Plot<'_>) {
    plot.form();
    let all = plot.all();
    plot.clients(&all, 6);
    let how = plot.some_cut();
    part_and_heal(plot, how);
}

fn part_and_heal(plot: &mut Plot<'_>, how: Cut) {
    let left = plot.some((plot.nodes * 2 / 5).max(1));
    let right: BTreeSet<_> = plot.all().difference(&left).copied().collect();
    plot.cut(&left, how);
    plot.clients(&left, 4);
    plot.clients(&right, 4);
    if plot.rng.random_bool(0.7) {
        plot.expect(Expect::Component(left.clone()), 45);
        plot.expect(Expect::Component(right.clone()), 45);
        plot.clients(&left, 2);
        plot.clients(&right, 2);
    }
    plot.push(Op::Heal);
    let all = plot.all();
    plot.expect(Expect::OneFlock(all), 30);
    plot.expect(Expect::Still(Duration::from_secs(3)), 15);
}

/// Kills and restarts one after the other, then all at once.
fn roll(plot: &mut Plot<'_>) {
    for host in plot.some(2) {
        plot.clients(&BTreeSet::from([host]), 1);
        plot.push(Op::Kill(host));
        plot.pause(3_000);
        plot.start(host);
        plot.pause(1_000);
    }
    let all = plot.all();
    plot.expect(Expect::OneFlock(all), 30);
}

fn restart(plot: &mut Plot<'_>) {
    plot.form();
    let all = plot.all();
    plot.clients(&all, 8);
    roll(plot);
    plot.clients(&all, 4);
    for host in plot.shuffled() {
        plot.push(Op::Kill(host));
        plot.pause(50);
    }
    plot.pause(5_000);
    for host in plot.shuffled() {
        plot.start(host);
        plot.pause(500);
    }
    plot.expect(Expect::OneFlock(all), 30);
}

fn kill(plot: &mut Plot<'_>) {
    plot.form();
    plot.wait(3);
    let all = plot.all();
    for _ in 0..2 {
        let dead = plot.pick(&all);
        let rest: BTreeSet<_> = all.iter().copied().filter(|host| *host != dead).collect();
        plot.push(Op::Kill(dead));
        plot.expect_soon(Expect::Shown(rest.clone(), dead, MemberState::Dead), 1_000);
        plot.expect(Expect::OneFlock(rest.clone()), 10);
        let asked = plot.pick(&rest);
        plot.push(Op::Ask(asked, Control::LeaderPing));
        plot.expect(Expect::Answered, 3);
        plot.start(dead);
        plot.expect(Expect::OneFlock(all.clone()), 20);
        plot.push(Op::Always(Expect::SameLeader, Duration::from_secs(3)));
    }
}

fn stop(plot: &mut Plot<'_>) {
    plot.form();
    plot.wait(3);
    let all = plot.all();
    let stopped = plot.pick(&all);
    let rest: BTreeSet<_> = all.iter().copied().filter(|host| *host != stopped).collect();
    plot.push(Op::Freeze(stopped));
    plot.expect_soon(Expect::Doubted(rest.clone(), stopped), 4_900);
    plot.wait(2);
    plot.push(Op::Resume(stopped));
    plot.expect_soon(Expect::Shown(rest, stopped, MemberState::Alive), 1_000);
    plot.push(Op::Always(Expect::SuspectsNobody(stopped), Duration::from_secs(10)));
    plot.expect(Expect::OneFlock(all), 20);
}

fn stall(plot: &mut Plot<'_>) {
    plot.form();
    plot.wait(5);
    let all = plot.all();
    for _ in 0..8 {
        let stalled = plot.pick(&all);
        plot.push(Op::Freeze(stalled));
        plot.push(Op::Wait(Duration::from_millis(600)));
        plot.push(Op::Resume(stalled));
        plot.pause(2_000);
        plot.push(Op::Expect(Expect::OneFlock(all.clone()), Duration::from_secs(2)));
    }
    plot.push(Op::Always(Expect::SameLeader, Duration::from_secs(5)));
}

fn silent(plot: &mut Plot<'_>) {
    plot.form();
    let all = plot.all();
    let count = if plot.rng.random_bool(0.5) { 1 } else { (plot.nodes / 5).max(1) };
    let left = plot.some(count);
    let right: BTreeSet<_> = all.difference(&left).copied().collect();
    plot.cut(&left, Cut::Silent);
    plot.expect(Expect::Component(right), 45);
    plot.expect(Expect::Component(left), 45);
    plot.pause(60_000);
    plot.push(Op::Heal);
    plot.expect(Expect::OneFlock(all), 30);
    settle(plot);
}

/// Nothing gets from some to the rest, but the other way it does.
fn one_way(plot: &mut Plot<'_>) {
    plot.form();
    let all = plot.all();
    let count = plot.rng.random_range(1..plot.nodes.max(2));
    let left = plot.some(count);
    let right: BTreeSet<_> = all.difference(&left).copied().collect();
    plot.push(Op::Cut(left.clone(), right.clone(), Cut::Silent));
    plot.clients(&left, 3);
    plot.clients(&right, 3);
    plot.pause(90_000);
    plot.push(Op::Heal);
    plot.expect(Expect::OneFlock(all), 30);
    settle(plot);
}

fn islands(plot: &mut Plot<'_>) {
    let all = plot.all();
    for host in plot.shuffled() {
        plot.push(Op::Start(host, BTreeSet::new()));
        plot.pause(500);
    }
    for host in &all {
        plot.expect(Expect::Component(BTreeSet::from([*host])), 5);
    }
    plot.clients(&all, 6);
    let order = plot.shuffled();
    for pair in order.windows(2) {
        plot.push(Op::Find(pair[0], pair[1]));
        plot.pause(3_000);
    }
    plot.expect(Expect::OneFlock(all), 40);
}

fn wipe(plot: &mut Plot<'_>) {
    plot.form();
    let all = plot.all();
    plot.clients(&all, 8);
    plot.expect(Expect::OneFlock(all.clone()), 15);
    let wiped = plot.pick(&all);
    plot.push(Op::Kill(wiped));
    plot.push(Op::Wipe(wiped));
    plot.pause(8_000);
    plot.start(wiped);
    plot.expect(Expect::OneFlock(all.clone()), 30);
    plot.clients(&all, 4);
    plot.expect(Expect::OneFlock(all), 30);
}

fn leave(plot: &mut Plot<'_>) {
    plot.form();
    let all = plot.all();
    plot.clients(&all, 4);
    let leaver = plot.pick(&all);
    let mut rest = all.clone();
    rest.remove(&leaver);
    plot.push(Op::Ask(leaver, Control::Leave));
    plot.expect(Expect::Stopped(leaver), 5);
    plot.expect(Expect::Shown(rest.clone(), leaver, MemberState::Left), 10);
    plot.expect(Expect::OneFlock(rest.clone()), 20);
    plot.start(leaver);
    plot.expect(Expect::OneFlock(all.clone()), 30);
    let dead = plot.pick(&all);
    rest = all.clone();
    rest.remove(&dead);
    plot.push(Op::Kill(dead));
    plot.expect(Expect::OneFlock(rest.clone()), 20);
    let asked = plot.pick(&rest);
    plot.push(Op::Forget(asked, dead));
    plot.expect(Expect::Shown(rest, dead, MemberState::Retired), 10);
    plot.start(dead);
    plot.expect(Expect::OneFlock(all), 30);
}

fn anew(plot: &mut Plot<'_>) {
    plot.form();
    let all = plot.all();
    plot.clients(&all, 4);
    for _ in 0..2 {
        let host = plot.pick(&all);
        plot.push(Op::Kill(host));
        plot.push(Op::Rekey(host));
        plot.pause(4_000);
        plot.start(host);
        plot.expect(Expect::OneFlock(all.clone()), 30);
        plot.expect(Expect::Named(host), 5);
    }
}

fn clone(plot: &mut Plot<'_>) {
    if plot.nodes < 3 {
        // With one witness, which has both for one peer, it is chance when they hear of each other.
        return;
    }
    plot.form();
    let all = plot.all();
    plot.clients(&all, 4);
    let (host, spare) = (plot.pick(&all), plot.nodes);
    let with_disk = plot.rng.random_bool(0.5);
    plot.push(Op::Copy(host, spare, with_disk));
    plot.push(Op::Start(spare, all));
    let both = BTreeSet::from([host, spare]);
    plot.expect(Expect::OneRuns(both.clone()), 60);
    plot.push(Op::Always(Expect::OneRuns(both), Duration::from_secs(10)));
}

fn full(plot: &mut Plot<'_>) {
    plot.form();
    let all = plot.all();
    let host = plot.pick(&all);
    plot.clients(&all, 3);
    plot.push(Op::Fill(host, true));
    plot.clients(&all, 8);
    plot.pause(8_000);
    plot.clients(&BTreeSet::from([host]), 2);
    plot.expect(Expect::Answered, 15);
    plot.push(Op::Fill(host, false));
    plot.clients(&all, 6);
    plot.expect(Expect::OneFlock(all), 30);
}

/// Faults of every kind, one upon the other; at the end all is healed.
fn chaos(plot: &mut Plot<'_>) {
    plot.form();
    let all = plot.all();
    let (mut down, mut stopped) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..plot.rng.random_range(8..25) {
        let host = plot.pick(&all);
        match plot.rng.random_range(0..9) {
            0 | 1 => plot.clients(&all, 3),
            2 if !down.contains(&host) => {
                plot.push(Op::Kill(host));
                stopped.remove(&host);
                down.insert(host);
            }
            3 if !down.contains(&host) => {
                plot.push(Op::Freeze(host));
                stopped.insert(host);
            }
            2 | 4 => {
                for host in std::mem::take(&mut down) {
                    plot.start(host);
                }
            }
            3 | 5 => {
                for host in std::mem::take(&mut stopped) {
                    plot.push(Op::Resume(host));
                }
            }
            6 => {
                let count = plot.rng.random_range(1..plot.nodes.max(2));
                let (left, how) = (plot.some(count), plot.some_cut());
                if plot.rng.random_bool(0.2) {
                    let right = all.difference(&left).copied().collect();
                    plot.push(Op::Cut(left, right, how));
                } else {
                    plot.cut(&left, how);
                }
            }
            7 => plot.push(Op::Heal),
            _ => plot.push(Op::Ask(host, Control::LeaderPing)),
        }
        plot.pause(6_000);
    }
    plot.push(Op::Heal);
    for host in stopped {
        plot.push(Op::Resume(host));
    }
    for host in down {
        plot.start(host);
    }
    plot.expect(Expect::OneFlock(all), 60);
    settle(plot);
}

/// When nothing happens nothing changes: neither who leads nor who is connected to whom.
fn settle(plot: &mut Plot<'_>) {
    plot.push(Op::Always(Expect::SameLeader, Duration::from_secs(5)));
    plot.expect(Expect::Still(Duration::from_secs(6)), 20);
    plot.expect(Expect::Answered, 15);
}
