use crux_crdt::strew::Seniority;
use crux_crdt::{Digest, Principal};
use crux_protocol::leader::{Candidate, Claim, Config, Refused, State};
use crux_protocol::liveness::Liveness;
use crux_protocol::time::Instant;

use crate::rules::{Mistake, Rules};

/// How many nodes there are.
pub(crate) const NODES: usize = 3;

/// The key of a node. The most senior has neither the greatest nor the smallest.
pub(crate) fn principal(node: usize) -> Principal {
    Principal([[2, 3, 1][node]; 32])
}

pub(crate) fn claim(n: u64, node: usize) -> Claim {
    Claim { n, principal: principal(node) }
}

/// What a node says of itself, as far as leading goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Record {
    pub(crate) version: usize,
    pub(crate) claim: u64,
}

/// What goes to disk at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Write {
    pub(crate) claim: Option<u64>,
    /// The fence that is forgotten; before the commands.
    pub(crate) forgotten: Option<Claim>,
    /// Commands to be accepted, in their order.
    pub(crate) fences: Vec<Claim>,
}

impl Write {
    fn is_empty(&self) -> bool {
        self.claim.is_none() && self.forgotten.is_none() && self.fences.is_empty()
    }
}

/// One node: the real engine, and what `flock` does around it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) me: usize,
    /// None while it is down.
    pub(crate) engine: Option<State>,
    pub(crate) views: [Liveness; NODES],
    /// Those of whom it knows that they were retired. On disk.
    pub(crate) retired: [bool; NODES],
    /// The records it holds; its own is on disk.
    pub(crate) known: [Record; NODES],
    /// The fence on disk.
    pub(crate) fence: Option<Claim>,
    pub(crate) queue: Write,
    pub(crate) flight: Option<Write>,
    /// The claim of the last command it accepted; nothing of the node's own, it survives crashes.
    pub(crate) accepted: Option<Claim>,
}

impl Node {
    /// A node that never ran.
    pub(crate) fn new(me: usize) -> Self {
        Self {
            me,
            engine: None,
            views: [Liveness::Dead; NODES],
            retired: [false; NODES],
            known: [Record::default(); NODES],
            fence: None,
            queue: Write::default(),
            flight: None,
            accepted: None,
        }
    }

    /// Starts with what is on its disk.
    pub(crate) fn start(&mut self, rules: Rules) {
        match rules.mistake {
            Some(Mistake::FenceForgotten) => self.fence = None,
            Some(Mistake::ClaimForgotten) => self.known[self.me].claim = 0,
            _ => {}
        }
        self.views[self.me] = Liveness::Alive;
        let (me, now) = (principal(self.me), Instant::ORIGIN);
        self.engine = Some(State::new(Config::default(), me, self.fence, true, now));
        self.settle(now);
    }

    /// Stops without a word. What was being written may have landed, or not.
    pub(crate) fn crash(&mut self) {
        self.engine = None;
        self.views = [Liveness::Dead; NODES];
        self.queue = Write::default();
        self.flight = None;
    }

    /// Whether it knows that this one was retired.
    pub(crate) fn retired_is(&self, who: Principal) -> bool {
        (0..NODES).any(|node| self.retired[node] && principal(node) == who)
    }

    /// The leader, from its view.
    pub(crate) fn leader(&self) -> Option<Claim> {
        self.engine.as_ref()?.leader()
    }

    /// Evaluates, as `flock` does whenever anything changed.
    ///
    /// Time stands still at the origin but for deadlines, which come whenever they like: clocks and
    /// pauses of any kind are among what is tried.
    pub(crate) fn settle(&mut self, now: Instant) {
        let shown = (0..NODES).filter(|node| !self.retired[*node]).map(|node| Candidate {
            principal: principal(node),
            claim: self.known[node].claim,
            seniority: Seniority { generation: node as u64, admission: Digest::default() },
            liveness: self.views[node],
            eligible: true,
        });
        let candidates: Vec<_> = shown.collect();
        let Some(engine) = &mut self.engine else { return };
        self.queue.claim = None;
        if let Some(n) = engine.evaluate(&candidates, now)
            && self.flight.as_ref().is_none_or(|flight| flight.claim.is_none())
        {
            self.queue.claim = Some(n);
        }
        self.look_after_fence(now);
        self.start_write();
    }

    /// Forgets the fence of a holder that is gone, as `flock` does.
    fn look_after_fence(&mut self, now: Instant) {
        let Some(engine) = &mut self.engine else { return };
        let holder =
            engine.fence().and_then(|it| (0..NODES).find(|n| principal(*n) == it.principal));
        let Some(holder) = holder else { return };
        let unheard = self.views[holder] == Liveness::Dead;
        if let Some(fence) = engine.on_holder(self.retired[holder], unheard, now)
            && self.flight.as_ref().is_none_or(|flight| flight.forgotten.is_none())
        {
            self.queue.forgotten = Some(fence);
        }
    }

    fn start_write(&mut self) {
        if self.flight.is_none() && !self.queue.is_empty() {
            self.flight = Some(std::mem::take(&mut self.queue));
        }
    }

    /// Whether a command is to be obeyed, as far as the engine goes.
    pub(crate) fn check(&mut self, claim: Claim, rules: Rules) -> Result<(), Refused> {
        let held = |fence| Err(Refused::Held(fence));
        let Some(engine) = &mut self.engine else { return Ok(()) };
        match rules.mistake {
            Some(Mistake::FenceByNumber) => {
                engine.fence().filter(|fence| fence.n > claim.n).map_or(Ok(()), held)
            }
            Some(Mistake::FenceWhenDurable) => {
                engine.fence().filter(|fence| *fence > claim).map_or(Ok(()), held)
            }
            _ => engine.check(claim, Instant::ORIGIN),
        }
    }

    /// Whether a command would be obeyed that is not yet.
    pub(crate) fn would_obey(&self, claim: Claim, rules: Rules) -> bool {
        !self.obeys(claim) && self.clone().check(claim, rules).is_ok()
    }

    /// Writes a command down, to accept it then.
    pub(crate) fn write_fence(&mut self, claim: Claim) {
        self.queue.fences.push(claim);
        self.start_write();
    }

    /// Whether a command is accepted or will be.
    pub(crate) fn obeys(&self, claim: Claim) -> bool {
        let waits = |write: &Write| write.fences.contains(&claim);
        self.fence == Some(claim) || waits(&self.queue) || self.flight.as_ref().is_some_and(waits)
    }

    /// Takes over a write: what is on disk. Returns the claim that was published with it.
    pub(crate) fn land(&mut self, write: &Write) -> Option<u64> {
        self.fence = self.fence.filter(|fence| Some(*fence) != write.forgotten);
        self.fence = self.fence.max(write.fences.iter().max().copied());
        let claim = write.claim?;
        let own = &mut self.known[self.me];
        *own = Record { version: own.version + 1, claim };
        Some(claim)
    }
}
