//! The machines of all hosts as the world runs them.

use core::time::Duration;
use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::name::Label;
use crux_crdt::record::{Pass, SlotSet};
use crux_protocol::flock::{Answer, Control, ControlError, ControlId, Event};
use crux_protocol::picket::{self, Found, Record};
use crux_protocol::proctor::planner::Newest;
use crux_protocol::proctor::{Held, enactor, planner};
use crux_protocol::time::Instant;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{Errand, Loops, Machine, Signed};
use crate::host::{Process, derive};
use crate::invariant::{Acted, Planned, check_plan, same_for_all};
use crate::queue::Happening;
use crate::world::World;

/// The requests of loops have numbers from here on, so that no client's is taken for one.
const REQUESTS: u64 = 1 << 40;
/// How long a node takes to see its own replica.
const LOOK: Duration = Duration::from_millis(2);
/// Nothing changed for so long: it rests.
pub(crate) const REST: Duration = Duration::from_secs(4);

/// A statement that is on its way to a node's disk.
#[derive(Debug)]
enum Saying {
    Instances,
    Plan(Box<Planned>),
}

/// Everything about targets beside the hosts.
#[derive(Debug)]
pub(crate) struct Sites {
    /// Apart from that of the world, so that a flock without targets is what it was.
    pub(crate) rng: StdRng,
    pub(crate) signed: Signed,
    pub(crate) acted: Acted,
    /// Every plan that was said.
    plans: BTreeMap<Pass, Newest>,
    saying: BTreeMap<ControlId, (Process, Saying)>,
    requests: u64,
    /// When something was last planned, started or ended.
    pub(crate) changed_at: Instant,
}

impl Sites {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: StdRng::from_seed(derive(seed, "sites", 0)),
            signed: Signed::default(),
            acted: Acted::default(),
            plans: BTreeMap::new(),
            saying: BTreeMap::new(),
            requests: REQUESTS,
            changed_at: Instant::ORIGIN,
        }
    }
}

impl World {
    /// Gives each host a machine on which targets run.
    pub(crate) fn furnish(&mut self) {
        self.hosts.iter_mut().for_each(|host| host.machine = Some(Box::default()));
    }

    pub(crate) fn machine(&mut self, host: usize) -> Option<&mut Machine> {
        self.hosts[host].machine.as_deref_mut()
    }

    /// The process of a host started.
    pub(crate) fn open_site(&mut self, at: Process) {
        let (me, now) = (self.hosts[at.host].principal(), self.hosts[at.host].time(self.now));
        let seed = self.sites.rng.random();
        let Some(machine) = self.machine(at.host) else { return };
        machine.loops = Some(Loops::new(me));
        let is_new = machine.picket.is_none();
        if is_new {
            machine.life += 1;
            machine.handing = None;
            machine.picket = Some(picket::State::new(machine.desired.clone(), seed, now));
        }
        if is_new {
            self.adopt(at.host);
        }
        self.tell_picket(at.host, picket::Event::FulcrumAttached { restarted: !is_new });
        self.look_soon(at);
    }

    /// A supervisor that starts finds what it left.
    fn adopt(&mut self, host: usize) {
        let Some(machine) = self.machine(host) else { return };
        let found = |record: &Record| match machine.keepers.get(&record.instance) {
            None => Found::Gone,
            Some(keeper) => match keeper.exit {
                Some(exit) => Found::Ended { exit },
                None => Found::Running { pid: 1, up: keeper.noted_up },
            },
        };
        let all: Vec<_> = machine.records.values().map(|it| (it.clone(), found(it))).collect();
        for (record, found) in all {
            self.tell_picket(host, picket::Event::Found { record, found });
        }
        self.tell_picket(host, picket::Event::AdoptionOver);
    }

    /// The process of a host ended.
    pub(crate) fn close_site(&mut self, host: usize) {
        self.sites.saying.retain(|_, (at, _)| at.host != host);
        let Some(machine) = self.machine(host) else { return };
        machine.loops = None;
        let id = machine.handing.take();
        if let Some(id) = id {
            self.tell_picket(host, picket::Event::Cancel { id });
        }
        self.tell_picket(host, picket::Event::FulcrumAway);
    }

    /// The process of a host was killed: perhaps because its machine lost its power.
    pub(crate) fn strike(&mut self, host: usize) {
        if self.hosts[host].machine.is_none() {
            return;
        }
        let power = self.sites.rng.random_bool(0.5);
        self.trace.line(self.now, format_args!("n{host} loses its power: {power}"));
        if let Some(machine) = self.machine(host).filter(|_| power) {
            machine.lose_power();
        }
    }

    /// The replica of a node changed.
    pub(crate) fn look_soon(&mut self, at: Process) {
        let machine = self.hosts[at.host].machine.as_mut();
        let Some(loops) = machine.and_then(|machine| machine.loops.as_mut()) else { return };
        if !std::mem::replace(&mut loops.is_looking, true) {
            self.later(at, LOOK, Errand::Look);
        }
    }

    pub(crate) fn later(&mut self, at: Process, wait: Duration, errand: Errand) {
        let life = self.hosts[at.host].machine.as_ref().map_or(0, |machine| machine.life);
        self.queue.push(self.now + wait, Happening::Site(at, life, Box::new(errand)));
    }

    /// Some time up to this.
    pub(crate) fn soon(&mut self, at: Process, most: u64, errand: Errand) {
        let wait = Duration::from_millis(self.sites.rng.random_range(1..=most));
        self.later(at, wait, errand);
    }

    /// Something that a machine was in the middle of is done.
    pub(crate) fn run_errand(&mut self, at: Process, life: u64, errand: Errand) {
        let Some(machine) = &self.hosts[at.host].machine else { return };
        let is_current = self.is_current(at);
        match errand {
            Errand::Enact(event) if is_current => self.tell_enactor(at, *event),
            Errand::Plan(event) if is_current => self.tell_planner(at, *event),
            Errand::Look if is_current => self.look(at),
            Errand::Enact(_) | Errand::Plan(_) | Errand::Look => {}
            Errand::Wake(number) if machine.timer.0 == number => self.wake_site(at.host),
            Errand::Wake(_) => {}
            // The programs outlive their supervisor.
            Errand::End(instance, exit) => self.end_program(at.host, &instance, exit),
            errand if machine.life == life => self.finish(at, errand),
            _ => {}
        }
    }

    fn look(&mut self, at: Process) {
        let host = &mut self.hosts[at.host];
        let (Some(running), Some(machine)) = (&host.running, &mut host.machine) else { return };
        let Some(loops) = &mut machine.loops else { return };
        loops.is_looking = false;
        let seen = loops.look(&running.state);
        let led = loops.lead(&running.state);
        if let Some(seen) = seen {
            self.tell_enactor(at, seen);
        }
        for event in led {
            self.tell_planner(at, event);
        }
    }

    pub(crate) fn tell_picket(&mut self, host: usize, event: picket::Event) {
        let now = self.hosts[host].time(self.now);
        let Some(machine) = self.machine(host) else { return };
        let Some(mut state) = machine.picket.take() else { return };
        let mut out = Vec::new();
        state.handle(event, now, &mut out);
        let is_over = state.deadline() <= now;
        let order = state.accepted().order;
        machine.picket = Some(state);
        self.handled += 1;
        if is_over {
            self.broken(format!("the supervisor of n{host} spins"));
        }
        let law = self.sites.acted.accepts(host, order);
        self.hold(law);
        for command in out {
            self.obey_picket(host, command);
        }
        self.set_site_timer(host);
    }

    pub(crate) fn tell_enactor(&mut self, at: Process, event: enactor::Event) {
        let now = self.hosts[at.host].time(self.now);
        let Some(machine) = self.machine(at.host) else { return };
        let Some(loops) = &mut machine.loops else { return };
        let mut out = Vec::new();
        loops.enactor.handle(event, now, &mut out);
        let is_over = loops.enactor.deadline() <= now;
        self.handled += 1;
        if is_over {
            self.broken(format!("n{} spins, as it enacts", at.host));
        }
        for command in out {
            self.obey_enactor(at, command);
        }
        self.set_site_timer(at.host);
    }

    pub(crate) fn tell_planner(&mut self, at: Process, event: planner::Event) {
        let now = self.hosts[at.host].time(self.now);
        let Some(machine) = self.machine(at.host) else { return };
        let Some(loops) = &mut machine.loops else { return };
        let mut out = Vec::new();
        let before = loops.planner.newest().cloned();
        loops.planner.handle(event, now, &mut out);
        let is_over = loops.planner.deadline() <= now;
        self.handled += 1;
        if is_over {
            self.broken(format!("n{} spins, as it plans", at.host));
        }
        for command in out {
            self.obey_planner(at, command, before.as_ref());
        }
        self.set_site_timer(at.host);
    }

    /// A plan goes out.
    pub(crate) fn say_plan(&mut self, at: Process, slots: SlotSet, before: Option<&Newest>) {
        let view = self.machine(at.host).and_then(|it| it.loops.as_ref()).map(|it| it.view.clone());
        let planned = Planned { view: view.unwrap_or_default(), before: before.cloned() };
        self.say(at, slots, Saying::Plan(Box::new(planned)));
        self.sites.changed_at = self.now;
    }

    pub(crate) fn say_instances(&mut self, at: Process, slots: SlotSet) {
        self.say(at, slots, Saying::Instances);
    }

    fn say(&mut self, at: Process, slots: SlotSet, saying: Saying) {
        let id = self.request(at, Control::Set(slots));
        self.sites.saying.insert(id, (at, saying));
    }

    /// A loop asks its node for something.
    pub(crate) fn request(&mut self, at: Process, request: Control) -> ControlId {
        self.sites.requests += 1;
        let id = ControlId(self.sites.requests);
        let event = Event::Control { id, request };
        self.queue.push(self.now, Happening::Tell(at, event.into()));
        id
    }

    /// A node answered a loop. Whether it did.
    pub(crate) fn is_answered(
        &mut self,
        id: ControlId,
        result: &Result<Answer, ControlError>,
    ) -> bool {
        let is_durable = result.is_ok();
        match self.sites.saying.remove(&id) {
            Some((at, Saying::Instances)) => {
                let event = enactor::Event::Said(is_durable);
                self.later(at, Duration::ZERO, Errand::Enact(event.into()));
            }
            Some((at, Saying::Plan(planned))) => {
                self.tell_planner(at, planner::Event::Planned(is_durable));
                if is_durable {
                    self.judge_plan(at, *planned);
                }
            }
            None => {}
        }
        id.0 > REQUESTS
    }

    /// A plan is in force: may it be?
    fn judge_plan(&mut self, at: Process, mut planned: Planned) {
        let documents = self.state(at.host).map(|state| state.strew().documents().clone());
        let target = documents.as_ref().and_then(|it| it.target(&Label::main_horde()));
        let held = target.map(Held::of);
        let Some(loops) = self.hosts[at.host].machine.as_mut().and_then(|it| it.loops.as_mut())
        else {
            return;
        };
        let Some(next) = loops.planner.newest().cloned() else { return };
        self.trace.line(self.now, format_args!("n{} plans {}", at.host, self.sites.text(&next)));
        // What was said, not what this leader read of it.
        let said = planned.before.as_ref().and_then(|it| self.sites.plans.get(&it.pass));
        planned.before = said.cloned().or(planned.before);
        let law = check_plan(&self.sites.signed, &planned, &next, &mut loops.ended);
        let equal = same_for_all(&planned, &next, held.as_ref());
        self.hold(law.and(equal));
        self.sites.plans.insert(next.pass, next);
    }

    pub(crate) fn hold(&mut self, law: Result<(), String>) {
        if let Err(why) = law {
            self.broken(why);
        }
    }

    fn wake_site(&mut self, host: usize) {
        let now = self.hosts[host].time(self.now);
        let at = Process { host, boot: self.hosts[host].boot };
        let Some(machine) = self.machine(host) else { return };
        machine.timer.1 = Instant::NEVER;
        let is_due = |deadline: Instant| deadline <= now;
        let picket = machine.picket.as_ref().is_some_and(|it| is_due(it.deadline()));
        let loops = machine.loops.as_ref();
        let enactor = loops.is_some_and(|it| is_due(it.enactor.deadline()));
        let planner = loops.is_some_and(|it| is_due(it.planner.deadline()));
        if picket {
            self.tell_picket(host, picket::Event::Wake);
        }
        if enactor {
            self.tell_enactor(at, enactor::Event::Wake);
        }
        if planner {
            self.tell_planner(at, planner::Event::Wake);
        }
        self.set_site_timer(host);
    }

    /// One timer for all three engines, by the clock of the host.
    fn set_site_timer(&mut self, host: usize) {
        let (clock, world_now) = (self.hosts[host].clock, self.now);
        let at = Process { host, boot: self.hosts[host].boot };
        let Some(machine) = self.machine(host) else { return };
        let picket = machine.picket.as_ref().map_or(Instant::NEVER, picket::State::deadline);
        let loops = machine.loops.as_ref();
        let loops =
            loops.map_or(Instant::NEVER, |it| it.enactor.deadline().min(it.planner.deadline()));
        let deadline = picket.min(loops);
        let when = if deadline == Instant::NEVER {
            Instant::NEVER
        } else {
            Instant::after_origin(deadline.since_origin().saturating_sub(clock)).max(world_now)
        };
        if machine.timer.1 == when {
            return;
        }
        machine.timer = (machine.timer.0 + 1, when);
        let (number, life) = (machine.timer.0, machine.life);
        if when != Instant::NEVER {
            let wake = Box::new(Errand::Wake(number));
            self.queue.push(when, Happening::Site(at, life, wake));
        }
    }

    /// The host of a principal.
    pub(crate) fn host_of(&self, principal: &Principal) -> Option<usize> {
        self.hosts.iter().position(|host| host.principal() == *principal)
    }
}

impl Sites {
    /// A plan in a line, for the history.
    fn text(&self, plan: &Newest) -> String {
        let mut text =
            format!("{}.{} of {}:", plan.pass.term, plan.pass.pass, plan.target.generation);
        for (node, entries) in &plan.entries {
            text += &format!(" {}", node.short());
            for (key, amount) in entries {
                let rev = self.signed.service(key.spec).map_or(0, |it| it.image.0[1]);
                let (count, released) = (amount.count(), amount.released());
                text += &format!(" {}/v{rev}×{count}/{released}", key.service);
            }
        }
        let failed: Vec<_> = plan.failed.keys().map(ToString::to_string).collect();
        let holds = plan.holds.first().iter().map(|it| format!("{} {:?}", it.service, it.why));
        let problems =
            plan.problems.first().iter().map(|it| format!("{} {:?}", it.service, it.kind));
        let notes: Vec<_> = holds.chain(problems).collect();
        text + &format!("; failed {failed:?}; {notes:?}")
    }
}
