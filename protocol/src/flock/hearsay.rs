//! What comes along with roots: a beacon, and how many live.

use crux_crdt::Principal;

use super::state::{Route, State};
use crate::link::{Protocol, ReplyId, Topic};
use crate::liveness::Notice;
use crate::sync::{Aside, BEACONS_MAX, Hearsay, Request, Response};
use crate::time::Instant;

impl State {
    /// How this node fares.
    pub(super) fn aside(&self) -> Aside {
        let live = u32::try_from(self.liveness.live()).unwrap_or(u32::MAX);
        Aside { beacon: self.liveness.beacon().to_vec(), live, runs: Vec::new() }
    }

    /// The same, with what both runs of a peer say that runs twice.
    pub(super) fn aside_for(&self, peer: &Principal, now: Instant) -> Aside {
        Aside { runs: self.liveness.runs_of(peer, now), ..self.aside() }
    }

    pub(super) fn on_aside(&mut self, peer: Principal, aside: Aside, now: Instant) {
        if !aside.beacon.is_empty() {
            self.on_beacon_beside_roots(peer, aside.beacon, now);
        }
        self.on_told_runs(peer, &aside.runs, now);
        if u64::from(aside.live) > self.liveness.live() as u64 {
            self.ask_for_hearsay(peer);
        }
    }

    /// Passes it on if gossip did not bring it: a process that was stopped finds its links closed, and
    /// its beacon has no way but the first link that it gets back.
    fn on_beacon_beside_roots(&mut self, peer: Principal, beacon: Vec<u8>, now: Instant) {
        let Ok(notice) = Notice::decode(&beacon, &self.context) else {
            self.misbehaved(peer, "a malformed beacon".to_owned());
            return;
        };
        let before = self.liveness.marks(&peer);
        let outputs = match &notice {
            Notice::Beacon(beacon) if beacon.author() == peer => {
                self.liveness.on_own_word(beacon, now)
            }
            _ => self.liveness.on_notice(&notice, now).1,
        };
        self.act_on_liveness(outputs, now);
        if self.liveness.marks(&peer) != before {
            self.publish(Topic::Beat, beacon);
        }
    }

    /// Asks one at a time: all would tell the same.
    fn ask_for_hearsay(&mut self, peer: Principal) {
        if self.hearing {
            return;
        }
        let of = self.liveness.unheard(BEACONS_MAX, &mut self.rng);
        if !of.is_empty() {
            self.hearing = true;
            self.send(peer, Protocol::Sync, Request::Beacons(of).encode(), Route::Hearsay);
        }
    }

    pub(super) fn tell(&mut self, id: ReplyId, of: &[Principal], now: Instant) {
        let told = of.iter().filter_map(|member| self.liveness.tell(member, now));
        let told: Vec<_> = told.map(|(age, beacon)| Hearsay { age, beacon }).collect();
        self.reply(id, Response::encode_beacons(&told));
    }

    pub(super) fn on_hearsay(&mut self, peer: Principal, body: &[u8], now: Instant) {
        self.hearing = false;
        let told = Response::decode_wanted(body, &self.context, |_| false);
        let Ok(Response::Beacons(told)) = told else { return };
        let before = self.liveness.live();
        for Hearsay { age, beacon } in told {
            let Ok(Notice::Beacon(beacon)) = Notice::decode(&beacon, &self.context) else {
                self.misbehaved(peer, "a malformed beacon of another".to_owned());
                return;
            };
            let outputs = self.liveness.on_told(&beacon, age, now);
            self.act_on_liveness(outputs, now);
        }
        // There may be more than one answer holds.
        if self.liveness.live() > before {
            self.ask_for_hearsay(peer);
        }
    }
}
