//! What may happen, one step after the other in any order.
//!
//! A step is either *progress* or a fault. The world is *at rest* when no progress is possible.
//! Nothing bounds states or depth, so the checker ends only because progress does: but for claims
//! above the bound, which are not followed, the world comes to rest whatever the order.

use crux_protocol::leader::Claim;
use crux_protocol::liveness::Liveness;
use crux_protocol::time::Instant;
use stateright::{Model, Property};

use crate::laws;
use crate::node::{NODES, principal};
use crate::rules::{Mistake, Rules};
use crate::world::{Faults, World};

/// How the world begins: every one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// All start at once.
    Fresh,
    /// At rest under any leader.
    Led,
    /// The same, then any of them crashed, and the two others came to rest.
    Crashed,
    /// The same, then the leader crashed, and the two others know.
    Vacant,
    /// The same, then any of them was cut off, and both sides came to rest.
    Cut,
}

/// The model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leading {
    pub(crate) faults: Faults,
    pub(crate) begin: Begin,
    /// The greatest claim that is followed.
    pub(crate) claims: u64,
    pub(crate) rules: Rules,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A node's newest record comes from somebody who has it.
    Hear { node: usize, of: usize },
    /// A node comes to think of a member what is true.
    See { node: usize, of: usize },
    /// A write is durable.
    Written { node: usize },
    /// A command arrives.
    Obey { to: usize, under: Claim },
    /// A deadline comes.
    Fire { node: usize },
    /// Nothing is left to do after a return.
    Rest,
    /// A node stops; what it wrote is on disk, or not.
    Crash { node: usize, lands: bool },
    /// It starts again.
    Restart { node: usize },
    /// A node learns that another one, which crashed, was retired.
    Retire { node: usize, of: usize },
    /// A node is cut from both others.
    Cut { node: usize },
    /// It is not any longer.
    Heal,
    /// A node comes to think of a live member what is not true.
    Doubt { node: usize, of: usize, liveness: Liveness },
}

impl Leading {
    /// Whether no node starts again in this model.
    pub(crate) fn returns_nobody(&self) -> bool {
        self.faults.returns == 0 || self.begin == Begin::Cut
    }

    /// Everything that brings the world nearer to rest, but deadlines.
    fn in_progress(&self, world: &World) -> Vec<Step> {
        let mut steps = Vec::new();
        for node in (0..NODES).filter(|node| world.is_up(*node)) {
            if world.nodes[node].flight.is_some() {
                steps.push(Step::Written { node });
            }
            for of in (0..NODES).filter(|of| *of != node) {
                if world.nodes[node].known[of] != world.newest(node, of) {
                    steps.push(Step::Hear { node, of });
                }
                if world.nodes[node].views[of] != world.truth(node, of) {
                    steps.push(Step::See { node, of });
                }
                let told = |by: usize| world.nodes[by].retired[of];
                if !told(node) && world.component(node).any(told) {
                    steps.push(Step::Retire { node, of });
                }
            }
            let news = |under: &Claim| world.may_obey(node, *under, self.rules);
            let now = Self::commands(world, node, true).filter(news);
            steps.extend(now.map(|under| Step::Obey { to: node, under }));
        }
        steps
    }

    /// Under which claims commands may come: of those who lead now and reach the node, or older ones.
    fn commands(world: &World, to: usize, now: bool) -> impl Iterator<Item = Claim> {
        let standing = move |under: &Claim| {
            let from = world.component(to).find(|from| principal(*from) == under.principal);
            let named = from.and_then(|from| world.nodes[from].leader());
            (named == Some(*under)) == now
        };
        world.led.iter().copied().filter(standing)
    }

    fn deadlines(&self, world: &World) -> impl Iterator<Item = Step> {
        let unspoken = self.rules.mistake == Some(Mistake::FenceUnspoken);
        let follows = |node: usize, leader: Claim| leader.principal != principal(node);
        let armed = move |node: &usize| {
            let engine = world.nodes[*node].engine.as_ref();
            engine.is_some_and(|engine| {
                let mute = unspoken && engine.leader().is_some_and(|it| follows(*node, it));
                engine.deadline() != Instant::NEVER && !mute
            })
        };
        (0..NODES).filter(armed).map(|node| Step::Fire { node })
    }

    /// Whether nothing happens any more unless something goes wrong.
    fn is_at_rest(&self, world: &World) -> bool {
        self.in_progress(world).is_empty() && self.deadlines(world).next().is_none()
    }

    fn faults(&self, world: &World) -> Vec<Step> {
        let mut steps = Vec::new();
        for node in 0..NODES {
            if !world.is_up(node) {
                if world.faults.returns > 0 && !world.is_retired(node) {
                    steps.push(Step::Restart { node });
                }
                continue;
            }
            let obeyed = |under: &Claim| world.nodes[node].would_obey(*under, self.rules);
            let late = Self::commands(world, node, false).filter(obeyed);
            steps.extend(late.map(|under| Step::Obey { to: node, under }));
            if world.faults.crashes > 0 {
                steps.push(Step::Crash { node, lands: false });
                if world.nodes[node].flight.is_some() {
                    steps.push(Step::Crash { node, lands: true });
                }
            }
            if world.faults.retirements > 0 {
                let down = (0..NODES).filter(|of| !world.is_up(*of) && !world.is_retired(*of));
                steps.extend(down.map(|of| Step::Retire { node, of }));
            }
            let linked = (0..NODES).filter(|of| *of != node && world.are_linked(node, *of));
            for of in linked.filter(|_| world.faults.doubts > 0) {
                let wrong = [Liveness::Suspect, Liveness::Dead];
                let wrong = wrong.into_iter().filter(|it| world.nodes[node].views[of] != *it);
                steps.extend(wrong.map(|liveness| Step::Doubt { node, of, liveness }));
            }
        }
        match world.apart {
            Some(_) if world.faults.returns > 0 => steps.push(Step::Heal),
            None if world.faults.cuts > 0 => {
                steps.extend((0..NODES).map(|node| Step::Cut { node }));
            }
            _ => {}
        }
        steps
    }

    /// What is left to happen happens, in one order of many.
    fn rest(&self, mut world: World) -> World {
        loop {
            let mut steps = self.in_progress(&world);
            steps.extend(self.deadlines(&world));
            let Some(step) = steps.first() else { return world };
            world = self.next_state(&world, *step).unwrap();
        }
    }

    fn led(&self) -> Vec<World> {
        let elected = |leader| self.next_state(&World::new(), Step::Fire { node: leader }).unwrap();
        (0..NODES).map(|leader| self.rest(elected(leader))).collect()
    }

    /// After one of these steps, by any node, from rest under any leader.
    fn after(&self, step: impl Fn(usize) -> Step) -> Vec<World> {
        let mut worlds = Vec::new();
        for mut world in self.led() {
            world.faults = Faults { crashes: 1, cuts: 1, ..Faults::default() };
            let after = (0..NODES).map(|node| self.next_state(&world, step(node)).unwrap());
            worlds.extend(after.map(|world| self.rest(world)));
        }
        worlds
    }

    fn vacant(&self) -> Vec<World> {
        let mut worlds = self.led();
        for (leader, world) in worlds.iter_mut().enumerate() {
            world.nodes[leader].crash();
            for node in (0..NODES).filter(|node| *node != leader) {
                *world = self.next_state(world, Step::See { node, of: leader }).unwrap();
            }
        }
        worlds
    }

    fn restart(&self, world: &mut World, node: usize) {
        world.faults.returns -= 1;
        let at_rest = world.at_rest;
        world.nodes[node].start(self.rules);
        let other = world.component(node).find(|other| *other != node);
        let Some(leader) = other.filter(|_| at_rest) else { return };
        world.back = laws::leader_before(world, leader, node).map(|leader| (node, leader));
    }
}

impl Model for Leading {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let worlds = match self.begin {
            Begin::Fresh => vec![World::new()],
            Begin::Led => self.led(),
            Begin::Crashed => self.after(|node| Step::Crash { node, lands: false }),
            Begin::Vacant => self.vacant(),
            Begin::Cut => self.after(|node| Step::Cut { node }),
        };
        worlds.into_iter().map(|world| World { faults: self.faults, ..world }).collect()
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        *steps = self.in_progress(world);
        // A node that comes back waits before it claims until it heard those who are there. That is
        // a matter of time, hence not of the model; anywhere else deadlines come when they like.
        if world.back.is_none() || steps.is_empty() {
            steps.extend(self.deadlines(world));
        }
        match world.back {
            None => steps.extend(self.faults(world)),
            Some(_) if steps.is_empty() => steps.push(Step::Rest),
            Some(_) => {}
        }
    }

    fn next_state(&self, last: &World, step: Step) -> Option<World> {
        let mut world = last.clone();
        let now = Instant::ORIGIN;
        match step {
            Step::Hear { node, of } => {
                world.nodes[node].known[of] = world.newest(node, of);
                world.nodes[node].settle(now);
            }
            Step::See { node, of } => {
                world.nodes[node].views[of] = world.truth(node, of);
                world.nodes[node].settle(now);
            }
            Step::Written { node } => world.written(node),
            Step::Obey { to, under } => world.obey(to, under, self.rules),
            Step::Fire { node } => {
                let deadline = world.nodes[node].engine.as_ref()?.deadline();
                world.nodes[node].settle(deadline);
            }
            Step::Rest => world.back = None,
            Step::Crash { node, lands } => {
                world.faults.crashes -= 1;
                if lands {
                    world.land(node);
                }
                world.nodes[node].crash();
            }
            Step::Restart { node } => self.restart(&mut world, node),
            Step::Retire { node, of } => {
                if !world.is_retired(of) {
                    world.faults.retirements -= 1;
                }
                world.nodes[node].retired[of] = true;
                world.nodes[node].settle(now);
            }
            Step::Cut { node } => {
                world.faults.cuts -= 1;
                world.apart = Some(node);
            }
            Step::Heal => {
                world.faults.returns -= 1;
                world.apart = None;
            }
            Step::Doubt { node, of, liveness } => {
                world.faults.doubts -= 1;
                world.nodes[node].views[of] = liveness;
                world.nodes[node].settle(now);
            }
        }
        world.note_leaders();
        world.at_rest = self.is_at_rest(&world);
        Some(world)
    }

    fn within_boundary(&self, world: &World) -> bool {
        world.made.iter().all(|claim| *claim <= self.claims)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        laws::all()
    }
}
