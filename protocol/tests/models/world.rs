use crux_protocol::leader::{Claim, Refused};
use crux_protocol::liveness::Liveness;
use crux_protocol::time::Instant;

use crate::node::{NODES, Node, Record, Write, claim, principal};
use crate::rules::{Mistake, Rules};

/// What may still go wrong. Everything else that may happen is not bounded but by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Faults {
    /// Crashes.
    pub(crate) crashes: u8,
    /// Cuts of one node from the two others.
    pub(crate) cuts: u8,
    /// Retirements of one that crashed and does not come back.
    pub(crate) retirements: u8,
    /// Restarts and heals.
    pub(crate) returns: u8,
    /// Verdicts on a live member that are wrong.
    pub(crate) doubts: u8,
}

/// How a law was broken by a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Broken {
    /// A node accepted a command under a lower claim than it had accepted before.
    FenceDecreased,
    /// A node led twice under one number.
    NumberUsedTwice,
}

/// All nodes, and what is on its way between them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) nodes: [Node; NODES],
    /// The node that is partitioned from the others.
    pub(crate) apart: Option<usize>,
    /// The greatest claim that each ever published.
    pub(crate) made: [u64; NODES],
    /// Every claim that anyone ever led under. A command under any of them may come at any time.
    pub(crate) led: Vec<Claim>,
    pub(crate) faults: Faults,
    /// The node that came back to a flock at rest, and who led there.
    pub(crate) back: Option<(usize, usize)>,
    pub(crate) broken: Option<Broken>,
    /// Whether no progress is possible; follows from the rest.
    pub(crate) at_rest: bool,
}

impl World {
    /// Three nodes that know each other and start together.
    pub(crate) fn new() -> Self {
        let mut world = Self {
            nodes: [0, 1, 2].map(Node::new),
            apart: None,
            made: [0; NODES],
            led: Vec::new(),
            faults: Faults::default(),
            back: None,
            broken: None,
            at_rest: false,
        };
        for node in 0..NODES {
            world.nodes[node].start(Rules::default());
        }
        for node in 0..NODES {
            world.nodes[node].views = [Liveness::Alive; NODES];
            world.nodes[node].settle(Instant::ORIGIN);
        }
        world
    }

    pub(crate) fn is_up(&self, node: usize) -> bool {
        self.nodes[node].engine.is_some()
    }

    /// Whether anybody retired this node.
    pub(crate) fn is_retired(&self, who: usize) -> bool {
        self.nodes.iter().any(|node| node.retired[who])
    }

    /// Whether two nodes run and reach each other.
    pub(crate) fn are_linked(&self, a: usize, b: usize) -> bool {
        let whole = a == b || self.apart.is_none_or(|apart| apart != a && apart != b);
        whole && self.is_up(a) && self.is_up(b)
    }

    /// Everyone that a node reaches, itself too.
    pub(crate) fn component(&self, node: usize) -> impl Iterator<Item = usize> {
        (0..NODES).filter(move |other| self.are_linked(node, *other))
    }

    /// What a node will think of another in the end.
    pub(crate) fn truth(&self, node: usize, of: usize) -> Liveness {
        if self.are_linked(node, of) { Liveness::Alive } else { Liveness::Dead }
    }

    /// The newest record of a node that another can get.
    pub(crate) fn newest(&self, to: usize, of: usize) -> Record {
        let held = self.component(to).map(|holder| self.nodes[holder].known[of]);
        held.max_by_key(|record| record.version).unwrap_or_default()
    }

    /// Notes who leads now.
    pub(crate) fn note_leaders(&mut self) {
        for node in 0..NODES {
            let leader = self.nodes[node].leader();
            let leads = leader.filter(|leader| leader.principal == principal(node));
            self.led.extend(leads.filter(|leader| !self.led.contains(leader)));
        }
        self.led.sort_unstable();
    }

    /// Whether a command would change anything: it is not accepted yet, or refused and its sender
    /// does not know why.
    pub(crate) fn may_obey(&self, to: usize, under: Claim, rules: Rules) -> bool {
        let mut receiver = self.nodes[to].clone();
        if receiver.obeys(under) {
            return false;
        }
        let Err(Refused::Held(held)) = receiver.check(under, rules) else { return true };
        let sender = self.sender_of(to, under).and_then(|it| self.nodes[it].engine.as_ref());
        sender.is_some_and(|knows| {
            let mut told = knows.clone();
            told.on_greater(held, Instant::ORIGIN);
            rules.mistake != Some(Mistake::FenceUnspoken) && told != *knows
        })
    }

    /// The node that made a claim, if a refusal gets back to it.
    fn sender_of(&self, to: usize, under: Claim) -> Option<usize> {
        self.component(to).find(|node| principal(*node) == under.principal)
    }

    /// A command arrives; a refusal goes back if there is a way.
    pub(crate) fn obey(&mut self, to: usize, under: Claim, rules: Rules) {
        match self.nodes[to].check(under, rules) {
            Ok(()) if rules.slow_fences => self.nodes[to].write_fence(under),
            Ok(()) => {
                self.nodes[to].fence = self.nodes[to].fence.max(Some(under));
                self.accept(to, under);
                self.nodes[to].settle(Instant::ORIGIN);
            }
            Err(Refused::Beyond) => {}
            Err(Refused::Held(held)) => {
                let Some(sender) = self.sender_of(to, under) else { return };
                if let Some(engine) = &mut self.nodes[sender].engine {
                    engine.on_greater(held, Instant::ORIGIN);
                }
                self.nodes[sender].settle(Instant::ORIGIN);
            }
        }
    }

    /// What is on disk is accepted.
    fn accept(&mut self, by: usize, under: Claim) {
        let node = &mut self.nodes[by];
        if let Some(engine) = &mut node.engine {
            engine.set_fence(under);
        }
        let counts = |held: &Claim| !node.retired_is(held.principal);
        if node.accepted.filter(counts).is_some_and(|accepted| accepted > under) {
            self.broken = Some(Broken::FenceDecreased);
        }
        node.accepted = Some(under);
    }

    /// The disk has it.
    pub(crate) fn written(&mut self, by: usize) {
        let Some(write) = self.land(by) else { return };
        if let (Some(fence), Some(engine)) = (write.forgotten, &mut self.nodes[by].engine) {
            engine.forget_fence(fence);
        }
        for fence in write.fences {
            self.accept(by, fence);
        }
        self.nodes[by].settle(Instant::ORIGIN);
    }

    /// A write under way reaches the disk, whether the node lives to hear of it or not.
    pub(crate) fn land(&mut self, by: usize) -> Option<Write> {
        let write = self.nodes[by].flight.take()?;
        if let Some(n) = self.nodes[by].land(&write) {
            if n > 0 && n <= self.made[by] {
                self.broken = Some(Broken::NumberUsedTwice);
            }
            self.made[by] = self.made[by].max(n);
        }
        Some(write)
    }

    /// The leader of a component, if all there name one, itself among them, that all obey.
    pub(crate) fn leader_of(&self, node: usize) -> Option<usize> {
        let leader = self.nodes[node].leader()?;
        let obeys = |node: usize| {
            let node = &self.nodes[node];
            node.leader() == Some(leader) && node.fence <= Some(leader)
        };
        let everyone = self.component(node).all(obeys);
        let who = self.component(node).find(|member| claim(leader.n, *member) == leader);
        who.filter(|_| everyone)
    }
}
