use std::collections::BTreeSet;

use crux_crdt::Principal;
use crux_crdt::document::{Document, Marker};
use crux_crdt::name::{Label, ServiceName};
use crux_crdt::record::Record;
use crux_crdt::service::Machine;
use crux_protocol::flock;
use crux_protocol::proctor::planner::{self, Member, Newest, View};
use crux_protocol::proctor::{Assignment, Held, Reach, enactor};

/// Everything from which a leader plans.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Leads {
    term: u64,
    view: View,
    newest: Option<Newest>,
}

/// The loops of a node around its two engines.
#[derive(Debug)]
pub(crate) struct Loops {
    pub(crate) enactor: enactor::State,
    pub(crate) planner: planner::State,
    /// The view that the engine which plans has.
    pub(crate) view: View,
    term: Option<u64>,
    seen: Option<(Option<Marker>, Vec<Assignment>)>,
    led: Option<(Leads, Option<Marker>)>,
    /// Both are going to look.
    pub(crate) is_looking: bool,
    /// The places that this leader ended, and what it planned under this term.
    pub(crate) ended: BTreeSet<(ServiceName, Principal)>,
}

impl Loops {
    pub(crate) fn new(me: Principal) -> Self {
        let horde = Label::main_horde();
        Self {
            enactor: enactor::State::new(horde.clone(), Machine::X86_64),
            planner: planner::State::new(me, horde),
            view: View::default(),
            term: None,
            seen: None,
            led: None,
            is_looking: false,
            ended: BTreeSet::new(),
        }
    }

    /// What is new for the engine that enacts.
    pub(crate) fn look(&mut self, state: &flock::State) -> Option<enactor::Event> {
        let document = state.strew().documents().target(&Label::main_horde());
        let records = state.strew().shown().map(|record| &**record);
        let plans = Assignment::all(records, &Label::main_horde(), &state.me(), reach(state));
        let seen = (document.map(Document::marker), plans.clone());
        if self.seen.as_ref() == Some(&seen) {
            return None;
        }
        self.seen = Some(seen);
        Some(enactor::Event::Seen { target: document.map(Held::of), plans })
    }

    /// What is new for the engine that plans: first what it plans from, then that it leads.
    pub(crate) fn lead(&mut self, state: &flock::State) -> Vec<planner::Event> {
        let leads = leads(state);
        let term = leads.as_ref().map(|leads| leads.term);
        let mut events = Vec::new();
        if let Some(leads) = leads {
            let document = state.strew().documents().target(&Label::main_horde());
            let led = (leads, document.map(Document::marker));
            if self.led.as_ref() != Some(&led) {
                let (view, newest) = (led.0.view.clone(), led.0.newest.clone());
                self.view = view.clone();
                self.led = Some(led);
                let target = document.map(Held::of);
                events.push(planner::Event::Seen { view, target, newest });
            }
        }
        if self.term != term {
            self.term = term;
            self.ended.clear();
            events.push(planner::Event::Led(term));
        }
        events
    }
}

/// The terms of which plans count.
fn reach(state: &flock::State) -> Reach {
    Reach::up_to(state.greatest_term())
}

/// As the node's own loop does it.
fn leads(state: &flock::State) -> Option<Leads> {
    let claim = state.leader().filter(|claim| claim.principal == state.me())?;
    let term = claim.n;
    let horde = Label::main_horde();
    let documents = state.strew().documents();
    let records = || state.strew().shown().map(|record| &**record);
    let Some(held) = documents.target(&horde).map(Document::marker) else {
        return Some(Leads { term, view: View::default(), newest: None });
    };
    let member = |record| {
        let principal = Record::author(record);
        let is_member = state.strew().membership().contains(&principal);
        let member = state.member_state(&principal);
        let name = state.names().of(&principal).to_string();
        let is_alive = member.is_live();
        (is_member && !member.has_departed()).then_some(Member { name, is_alive, record })
    };
    let view = View::of(records().filter_map(member), documents);
    Some(Leads { term, view, newest: Newest::among(records(), &horde, reach(state), held) })
}
