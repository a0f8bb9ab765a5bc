use core::time::Duration;
use std::collections::BTreeSet;

use crux_crdt::document;
use crux_crdt::strew::Strew;
use crux_protocol::flock::{Answer, MemberState, Notice, State};
use crux_protocol::leader::Claim;
use crux_protocol::liveness::Liveness;
use crux_protocol::time::Instant;

use super::clients::Fate;
use crate::invariant::{
    Papers, Shot, converged, fence_accepted, kept, obeyed, one_holder, one_leader, removed, ruled,
    same_leader, truthful, written,
};
use crate::people::key_of;
use crate::scenario::{Condition, Hosts, Paper, Seen, Service};
use crate::world::World;

/// The time that bad weather may cost.
const SLACK: Duration = Duration::from_secs(2);

/// The world, and what was before.
pub(crate) struct Looked<'a> {
    pub(crate) world: &'a World,
    /// When the last operation was.
    pub(crate) since: Instant,
    /// The leader when a flock or component last settled.
    pub(crate) led: Option<Claim>,
}

/// The leader, as the first host that runs sees it.
pub(crate) fn leader_now(world: &World) -> Option<Claim> {
    (0..world.hosts.len()).find_map(|host| world.state(host)?.leader())
}

impl Looked<'_> {
    /// Checks a condition now.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn check(&self, what: &Condition<Hosts>) -> Result<(), String> {
        let world = self.world;
        match what {
            Condition::OneFlock(who) => self.one_flock(who, |_| true),
            Condition::Settled => self.one_flock(&self.running(), |_| true),
            // A record that is on no disk but those outside is not promised inside.
            Condition::Component(who) => {
                self.one_flock(who, |host| who.0.contains(&host) && !world.clients.is_lent(host))
            }
            Condition::Shown { whom, state, by } => self.shown(whom, *state, by),
            Condition::SameLeader => same_leader(&self.shots(&self.running())?, self.led),
            Condition::Unsuspecting(who) => self.unsuspecting(who),
            Condition::Still(time) => match world.now.since(world.links_changed_at) {
                quiet if quiet >= *time => Ok(()),
                quiet => Err(format!("a link changed {quiet:?} ago")),
            },
            Condition::Answered if world.clients.waiting() == 0 => Ok(()),
            Condition::Answered => Err(format!("{} requests wait", world.clients.waiting())),
            Condition::Obeyed => match &world.clients.pinged {
                Some(Ok(Answer::Pinged(pinged))) => {
                    let live = self.running();
                    let live = live.iter().map(|host| world.hosts[host].principal()).collect();
                    obeyed(&live, pinged)
                }
                other => Err(format!("the last ping: {other:?}")),
            },
            Condition::Stopped(who) => match who.iter().find(|host| world.state(*host).is_some()) {
                None => Ok(()),
                Some(host) => Err(format!("n{host} runs")),
            },
            Condition::Named(who) => self.named(who),
            Condition::OneRuns(who) => {
                match who.iter().filter(|host| world.state(*host).is_some()).count() {
                    1 => Ok(()),
                    count => Err(format!("{count} run")),
                }
            }
            Condition::Registered { service, of, by } => self.registered(*service, of, by),
            Condition::Document { paper, state, by } => self.document(*paper, *state, by),
            Condition::Truthful(who) => self.truthful(who),
            Condition::Placed(who) => self.placed(who),
            Condition::Drained(who) => self.drained(who),
        }
    }

    fn running(&self) -> Hosts {
        let hosts = 0..self.world.hosts.len();
        Hosts(hosts.filter(|host| self.world.state(*host).is_some()).collect())
    }

    pub(super) fn state_of(&self, host: usize) -> Result<&State, String> {
        self.world.state(host).ok_or_else(|| format!("n{host} does not run"))
    }

    fn shots(&self, who: &Hosts) -> Result<Vec<Shot>, String> {
        who.iter().map(|host| Ok(Shot::of(host, self.state_of(host)?))).collect()
    }

    /// They are one flock, and what those hosts acknowledged for whom it holds is kept.
    fn one_flock(&self, who: &Hosts, promised: impl Fn(usize) -> bool) -> Result<(), String> {
        // The cheap test comes first: this is checked often before it holds.
        let mut first: Option<(usize, &Strew)> = None;
        for host in who.iter() {
            let this = (host, self.state_of(host)?.strew());
            let first = *first.get_or_insert(this);
            if this.1.digest() != first.1.digest() {
                return Err(difference(first, this));
            }
        }
        let shots = self.shots(who)?;
        one_leader(&shots)?;
        converged(&shots)?;
        fence_accepted(&shots)?;
        one_holder(&shots)?;
        let (mut present, mut absent) = (Vec::new(), Vec::new());
        for (host, key, fate) in self.world.clients.fates().filter(|(host, ..)| promised(*host)) {
            let entry = (self.world.hosts[host].principal(), key.clone());
            match fate {
                Fate::Present(endpoint) => present.push((entry, endpoint.clone())),
                Fate::Absent => absent.push(entry),
                Fate::Unknown => {}
            }
        }
        ruled(&shots)?;
        // What is on the disks of others only need not be within a component.
        let by = |host: Option<usize>| host.map_or_else(|| promised(usize::MAX), &promised);
        written(&shots, &self.world.told.promised(by))?;
        kept(&shots, &present)?;
        removed(&shots, &absent)?;
        who.iter().try_for_each(|host| self.health(host, &promised))
    }

    /// A node shows of everybody the services that are not up.
    fn health(&self, by: usize, promised: impl Fn(usize) -> bool) -> Result<(), String> {
        let strew = self.state_of(by)?.strew();
        let principal = |host: usize| promised(host).then(|| self.world.hosts[host].principal());
        self.world.health.shown(by, principal, |who| strew.record(who).map(AsRef::as_ref))
    }

    /// Nobody has the digest of somebody who shows something else.
    ///
    /// # Errors
    /// Two that do.
    pub(crate) fn honest_digests(&self) -> Result<(), String> {
        let running = self.running();
        let digests = running.iter().map(|host| self.state_of(host).map(|it| it.strew().digest()));
        let digests = digests.collect::<Result<BTreeSet<_>, _>>()?;
        if digests.len() == running.0.len() {
            return Ok(());
        }
        let shots = self.shots(&running)?;
        digests.into_iter().try_for_each(|digest| {
            let alike = shots.iter().filter(|shot| shot.digest == digest);
            converged(&alike.cloned().collect::<Vec<_>>())
        })
    }

    fn shown(&self, whom: &Hosts, wanted: Seen, by: &Hosts) -> Result<(), String> {
        for host in by.iter() {
            let state = self.state_of(host)?;
            for other in whom.iter() {
                let found = state.member_state(&self.world.hosts[other].principal());
                if !is_seen(found, wanted) {
                    return Err(format!("n{host} shows n{other} {found:?}"));
                }
            }
        }
        Ok(())
    }

    fn unsuspecting(&self, who: &Hosts) -> Result<(), String> {
        let notices = self.world.notices.iter().rev();
        let bad =
            notices.take_while(|(at, ..)| *at >= self.since).find_map(|(at, host, notice)| {
                match notice {
                    Notice::Liveness { node, liveness }
                        if who.0.contains(host) && *liveness != Liveness::Alive =>
                    {
                        Some(format!("n{host} called {node} {liveness} at {at:?}"))
                    }
                    _ => None,
                }
            });
        bad.map_or(Ok(()), Err)
    }

    fn named(&self, who: &Hosts) -> Result<(), String> {
        for host in who.iter() {
            let it = &self.world.hosts[host];
            for by in self.running().iter() {
                let called = self.state_of(by)?.names().of(&it.principal());
                if it.config.name.as_ref().is_some_and(|name| name.as_label() != &called) {
                    return Err(format!("n{by} calls n{host} {called}"));
                }
            }
        }
        Ok(())
    }

    fn registered(&self, service: Service, of: &Hosts, by: &Hosts) -> Result<(), String> {
        for host in by.iter() {
            let state = self.state_of(host)?;
            for other in of.iter() {
                let record = state.strew().shown_record(&self.world.hosts[other].principal());
                let mut shown = record.into_iter().flat_map(|record| record.registrations());
                if !shown.any(|it| it.key.service.to_string() == service.to_string()) {
                    return Err(format!("n{host} shows no {service} of n{other}"));
                }
            }
        }
        Ok(())
    }

    fn document(&self, paper: Paper, wanted: document::State, by: &Hosts) -> Result<(), String> {
        for host in by.iter() {
            let documents = self.state_of(host)?.strew().documents();
            let shelf = documents.get(&key_of(paper));
            let found = shelf.map(|shelf| documents.state(shelf));
            if found != Some(wanted) {
                return Err(format!("n{host} shows {paper} {found:?}"));
            }
        }
        Ok(())
    }

    fn truthful(&self, who: &Hosts) -> Result<(), String> {
        let world = self.world;
        let weather = &world.net.paths.weather;
        let slack = if weather.gossip_loss + weather.loss > 0 { SLACK } else { Duration::ZERO };
        for host in who.iter() {
            let Some(state) = world.state(host) else { continue };
            for other in who.iter().filter(|other| *other != host) {
                let shown = state.member_state(&world.hosts[other].principal());
                truthful(world.body(host), world.body(other), shown, slack)
                    .map_err(|why| format!("n{other} {why}, by n{host}"))?;
            }
        }
        Ok(())
    }
}

/// The difference between two nodes whose digests differ.
fn difference((host, strew): (usize, &Strew), (other, others): (usize, &Strew)) -> String {
    let papers = [strew, others].map(|strew| Papers::of(strew.documents()));
    let [one, two] = [0, 1].map(|at| papers[at].unlike(&papers[1 - at]));
    match one.or(two) {
        Some(what) => format!("the digests of n{host} and n{other} differ, by {what}"),
        None => format!("the digests of n{host} and n{other} differ"),
    }
}

fn is_seen(found: MemberState, wanted: Seen) -> bool {
    match wanted {
        Seen::Alive => found == MemberState::Alive,
        Seen::Suspect => found == MemberState::Suspect,
        Seen::Dead => found == MemberState::Dead,
        Seen::Doubted => matches!(found, MemberState::Suspect | MemberState::Dead),
        Seen::NotDead => matches!(found, MemberState::Alive | MemberState::Suspect),
        Seen::Left => found == MemberState::Left,
        Seen::Retired => found == MemberState::Retired,
    }
}
