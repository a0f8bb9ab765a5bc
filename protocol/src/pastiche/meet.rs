//! The peers that a fetch asks.

use std::collections::BTreeMap;

use crux_crdt::Principal;

use super::claims::Tree;
use super::config::Config;
use super::fetch::Fetch;
use super::peer::Peer;
use super::state::Facts;
use crate::time::Instant;

/// Those who state one tree keep one place in so many when others wait that were not asked yet.
const TREE_SHARE: usize = 4;
/// How many of them make place within [`Config::ask_period`]: each costs a question.
const SWAPS_MAX: usize = 4;
/// How many trees are remembered that nobody serves any more.
const TRIALS_MAX: usize = 256;

impl Fetch {
    /// Finds out whom to ask: those that offer it first, then those that the flock's index named,
    /// then whoever is there. Returns whether the index is to be asked.
    pub(super) fn meet(&mut self, now: Instant, facts: &Facts<'_>, config: &Config) -> bool {
        self.peers.retain(|peer, state| facts.linked.contains(peer) || state.in_flight > 0);
        let all_have_places = (1..=config.peers_max).contains(&facts.linked.len());
        let first = if all_have_places { now + config.seek_after } else { now };
        let next_seek = *self.next_seek.get_or_insert(first);
        if now < self.next_round.min(next_seek) {
            return false;
        }
        self.next_round = now + config.ask_period;
        let offers = (facts.holders)(&self.blob).into_iter();
        let offers = offers.filter(|(by, _)| (facts.is_member)(by));
        let offers: Vec<_> = offers.inspect(|(by, it)| self.claims.offer(*by, it)).collect();
        let offers = offers.into_iter().map(|(by, _)| by);
        let offers: Vec<_> = offers.filter(|by| facts.linked.contains(by)).collect();
        let due = next_seek <= now;
        // A member that offers it may lie, and those that the index knows may not.
        let idle = now >= self.moved + config.seek_idle;
        let seeks = due && (idle || (offers.is_empty() && !self.is_supplied()));
        if due {
            self.next_seek = Some(if seeks { Instant::NEVER } else { now + config.seek_idle });
        }
        self.sources = offers.iter().chain(&self.providers).copied().collect();
        let providers = self.providers.clone();
        if seeks {
            // Each search names them again: false names do not take the places for good.
            self.providers.clear();
        }
        let (mut is_news, mut is_kept_out) = (false, false);
        for peer in offers.into_iter().chain(providers).chain(facts.linked.iter().copied()) {
            let known = self.peers.contains_key(&peer) || self.is_banned(&peer);
            if known || !facts.linked.contains(&peer) {
                continue;
            }
            if self.has_place(&peer, now, config) {
                self.peers.insert(peer, Peer::new(now, config));
                is_news |= self.met.insert(peer);
            } else if !self.met.contains(&peer) {
                // It waits for the answers of others, and before those that had a place.
                is_kept_out = true;
                if self.sources.contains(&peer) {
                    self.next_round = now + config.settle;
                }
            }
        }
        if !is_news && !is_kept_out {
            self.met.clear();
        }
        self.forget_trials();
        self.recount();
        seeks
    }

    /// Whether one more may be asked. A member that was not asked yet takes the place of one that
    /// sent no piece that it was asked for, or of one that has nothing, unless that one offers it; and
    /// now and then of one of many that state one tree: a liar with many keys does not keep others out.
    fn has_place(&mut self, peer: &Principal, now: Instant, config: &Config) -> bool {
        if self.peers.len() < config.peers_max {
            return true;
        }
        let offers = |who| self.sources.contains(who) && !self.providers.contains(who);
        let is_idle =
            |who, state: &Peer| state.is_barren(now) || (state.has_nothing() && !offers(who));
        if self.met.contains(peer) {
            return false;
        }
        let mut idle = self.peers.iter().filter(|(who, state)| is_idle(*who, state));
        let idle = idle.next().map(|(who, _)| *who).or_else(|| self.one_of_many(now, config));
        idle.is_some_and(|who| self.peers.remove(&who).is_some())
    }

    /// Of those that state the tree that most do, one that sends nothing now, if they take more places than
    /// they may keep.
    fn one_of_many(&mut self, now: Instant, config: &Config) -> Option<Principal> {
        let (next, left) = &mut self.swaps;
        if now >= *next {
            (*next, *left) = (now + config.ask_period, SWAPS_MAX);
        }
        let mut places = BTreeMap::<Tree, usize>::new();
        let trees = self.peers.values().filter_map(Peer::tree);
        trees.for_each(|tree| *places.entry(tree).or_default() += 1);
        let (many, count) = places.into_iter().max_by_key(|(_, count)| *count)?;
        let of = self.peers.iter().filter(|(_, peer)| peer.tree() == Some(many));
        let free = of.filter(|(_, peer)| peer.in_flight == 0 && !peer.asking).map(|(who, _)| *who);
        let free = free.min_by_key(|who| self.sources.contains(who));
        let free = free.filter(|_| count > config.peers_max / TREE_SHARE && *left > 0)?;
        *left -= 1;
        Some(free)
    }

    fn forget_trials(&mut self) {
        if self.trials.len() > TRIALS_MAX {
            let served = self.served();
            let followed = self.tree;
            self.trials.retain(|tree, trial| {
                trial.refused.is_some() || served.contains_key(tree) || Some(*tree) == followed
            });
        }
    }

    /// The flock's index named holders.
    pub(super) fn on_providers(
        &mut self,
        peers: impl Iterator<Item = Principal>,
        last: bool,
        now: Instant,
        config: &Config,
    ) {
        let room = config.peers_max.saturating_sub(self.providers.len());
        let before = self.providers.len();
        self.providers.extend(peers.take(room));
        if self.providers.len() > before {
            // They are asked at once.
            self.next_round = Instant::ORIGIN;
        }
        if last {
            self.is_sought = true;
            self.next_seek = Some(now + config.seek_period);
        }
    }

    /// Whether there is nobody to ask who was not heard yet.
    pub(super) fn has_heard_all(&self) -> bool {
        let heard = |source: &Principal| {
            self.is_banned(source) || self.peers.get(source).is_some_and(|peer| peer.heard)
        };
        self.is_sought
            && self.sources.iter().chain(&self.providers).all(heard)
            && self.peers.values().all(|peer| peer.heard)
    }
}
