//! What speaks for a member's life.

use core::time::Duration;

use crux_crdt::Principal;
use crux_crdt::sign::Signed;

use super::message::{Beacon, Evidence, Notice};
use super::state::{Output, State};
use super::subject::{Liveness, News};
use super::twins::Sighting;
use super::vote::BEACON_REST;
use crate::link::Verdict;
use crate::time::Instant;

impl State {
    /// A member was linked: it lives.
    pub fn on_connected(&mut self, peer: Principal, now: Instant) -> Vec<Output> {
        if self.linked.is_empty() || now < self.grace_until {
            // What it said while it had no link, or slept and lost them, was heard by few.
            self.next_beacon = self.next_beacon.min(now.max(self.beacon_at + BEACON_REST));
        }
        self.linked.insert(peer);
        if self.woke_at.is_some() {
            self.met.insert(peer);
        }
        let Some(mut subject) = self.subjects.get_mut(&peer) else { return Vec::new() };
        subject.votes.clear();
        subject.my_vote = None;
        subject.beat_at = now;
        drop(subject);
        let out = self.hear(peer, now);
        self.doubtful.remove(&peer);
        out
    }

    /// The last link to a member closed.
    pub fn on_disconnected(&mut self, peer: Principal) -> Vec<Output> {
        self.linked.remove(&peer);
        let watched = self.observed.contains(&peer)
            && self.subjects.get(&peer).is_some_and(|s| s.liveness != Liveness::Dead);
        if watched { vec![Output::Probe(peer)] } else { Vec::new() }
    }

    /// Nobody listens where a member was: it is gone, unless it is linked again.
    pub fn on_refused(&mut self, peer: Principal, now: Instant) -> Vec<Output> {
        let watched = self.observed.contains(&peer) && !self.linked.contains(&peer);
        if watched && !self.excuses(peer, Evidence::Gone, now) {
            self.vote(peer, Evidence::Gone, now)
        } else {
            Vec::new()
        }
    }

    /// A beat of a member that this node observes.
    pub fn on_beat(&mut self, peer: Principal, about: (u64, u64), now: Instant) -> Vec<Output> {
        let me = self.context.me;
        let Some(mut subject) = self.subjects.get_mut(&peer) else { return Vec::new() };
        let was_away = subject.is_away(now);
        subject.beat_at = now;
        subject.freshest = subject.freshest.max(about);
        let back = was_away && !subject.is_away(now);
        // A beat is first-hand: this node no longer finds the sender silent.
        if !crux_crdt::planted!(NoRefutation) {
            subject.my_vote = None;
            subject.votes.remove(&me);
        }
        // And it tells of a beacon that others' suspicions may be older than.
        subject.refute(&me, about);
        subject.heard_at = now;
        let liveness = subject.liveness;
        drop(subject);
        let mut out = match liveness {
            Liveness::Alive => Vec::new(),
            Liveness::Suspect => self.weigh(peer, now),
            Liveness::Dead => self.hear(peer, now),
        };
        out.extend(back.then_some(Output::Away(peer)));
        out
    }

    /// A notice came in, by gossip or along with roots. Its signature held.
    pub fn on_notice(&mut self, notice: &Notice, now: Instant) -> (Verdict, Vec<Output>) {
        match notice {
            Notice::Beacon(beacon) => self.on_beacon(beacon, false, now),
            Notice::Suspicion(suspicion) => self.on_suspicion(suspicion, now),
        }
    }

    /// A member told its own last beacon, just now: however old that is, it lives.
    pub fn on_own_word(&mut self, beacon: &Signed<Beacon>, now: Instant) -> Vec<Output> {
        self.on_beacon(beacon, true, now).1
    }

    fn on_beacon(
        &mut self,
        beacon: &Signed<Beacon>,
        first_hand: bool,
        now: Instant,
    ) -> (Verdict, Vec<Output>) {
        let author = beacon.author();
        let me = self.context.me;
        let Some(mut subject) = self.subjects.get_mut(&author) else {
            return (Verdict::Ignore, Vec::new());
        };
        let tells = match subject.sight(beacon, now) {
            Sighting::Stale => return (Verdict::Ignore, Vec::new()),
            // It came by another way first, and not everyone has that way: pass it on.
            Sighting::Known => return (Verdict::Accept, Vec::new()),
            Sighting::Twin => return (Verdict::Accept, vec![Output::Twin(author)]),
            Sighting::Fresh { tells } => tells,
        };
        let was_away = subject.is_away(now);
        let news = subject.keep(beacon, first_hand, &me, now);
        let leaves_or_is_back = was_away != subject.is_away(now);
        drop(subject);
        if news.refutes {
            self.closely_due = None;
        }
        let mut out = self.on_news(beacon, news, now);
        out.extend(leaves_or_is_back.then_some(Output::Away(author)));
        out.extend(tells.then_some(Output::Twin(author)));
        (Verdict::Accept, out)
    }

    /// A beacon came that was not heard before.
    fn on_news(&mut self, beacon: &Signed<Beacon>, news: News, now: Instant) -> Vec<Output> {
        let author = beacon.author();
        if let Some(late) = news.late {
            self.on_late(author, late, now);
            return Vec::new();
        }
        if news.refutes {
            self.worsen_health(now);
        }
        if self.liveness(&author) == Liveness::Dead && self.is_outvoted(&author, now) {
            // What it was found dead by is about this beacon, too, which only comes late.
            return Vec::new();
        }
        // A heartbeat may have named this beacon before: then there is nothing new to hear from it.
        let mut out = if news.fresh { self.hear(author, now) } else { Vec::new() };
        if beacon.value().state_digest != self.state_digest {
            out.push(Output::Doubt(author));
        }
        out
    }

    /// It lived when it sent this. Whether it does now is asked, unless it says so itself.
    fn on_late(&mut self, author: Principal, late: Duration, now: Instant) {
        let Some(mut subject) = self.subjects.get_mut(&author) else { return };
        subject.heard_at = subject.heard_at.max(now - late);
        let alive = subject.liveness == Liveness::Alive;
        drop(subject);
        if !alive || !self.linked.contains(&author) {
            self.ask_at = if self.doubtful.is_empty() { Instant::NEVER } else { self.ask_at };
            self.doubtful.insert(author);
        }
    }

    pub(super) fn hear(&mut self, peer: Principal, now: Instant) -> Vec<Output> {
        self.hear_as_of(peer, now, now)
    }

    /// Members heard at that time are alive.
    pub(super) fn hear_as_of(
        &mut self,
        peer: Principal,
        heard_at: Instant,
        now: Instant,
    ) -> Vec<Output> {
        let Some(mut subject) = self.subjects.get_mut(&peer) else { return Vec::new() };
        subject.heard_at = heard_at;
        let before = subject.liveness;
        if before == Liveness::Dead {
            // Beats are expected from now on, not since it died.
            subject.beat_at = now;
            self.observed_stale = true;
            if self.woke_at.is_some() {
                self.doubtful.insert(peer);
            }
        }
        subject.liveness = Liveness::Alive;
        if before == Liveness::Alive {
            return Vec::new();
        }
        vec![Output::Changed { member: peer, liveness: Liveness::Alive }]
    }
}
