use std::collections::BTreeMap;

use crux_crdt::Principal;
use crux_crdt::record::{Condition, Record, ServiceKey, SlotSet, Unwell};
use crux_protocol::flock::{Control, ControlId};
use rand::RngExt as _;
use rand::rngs::StdRng;

/// How many of its services a node may state as unwell at once.
const UNWELL_MAX: u32 = 4;

/// The statements of one host about its services.
#[derive(Debug, Default)]
struct Said {
    newest: Option<ControlId>,
    /// The statement that everybody has to show, where it is known.
    holds: Option<Option<Unwell>>,
    asked: Option<Unwell>,
}

/// The statements of nodes about services that are not up: the slot `Unwell`. Only scenarios with the line
/// `health` have any.
///
/// **Invariant**: once a statement is acknowledged, everybody shows it, or a later one; over restarts too.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Its own luck: with it everything else happens as it would without statements.
    luck: Option<StdRng>,
    said: BTreeMap<usize, Said>,
}

impl Health {
    pub(crate) const fn new(luck: Option<StdRng>) -> Self {
        Self { luck, said: BTreeMap::new() }
    }

    /// The next statement of a node, if the scenario has any: some services are not up, or all are.
    pub(crate) fn draw(&mut self) -> Option<Option<Unwell>> {
        let luck = self.luck.as_mut()?;
        let mut all = Vec::new();
        for _ in 0..luck.random_range(0..=UNWELL_MAX) {
            let conditions = [Condition::Degraded, Condition::Down, Condition::Unknown];
            let condition = conditions[luck.random_range(0..conditions.len())];
            let key = ServiceKey {
                horde: crux_crdt::name::Label::main_horde(),
                service: format!("svc{}", luck.random_range(1..9)).parse().expect("a name"),
                rev: "v1".parse().expect("a name"),
                ordinal: 0,
            };
            all.push((key.tag(), condition));
        }
        Some(Unwell::new(all).expect("a few"))
    }

    /// The request that makes a statement.
    pub(crate) fn request(unwell: Option<&Unwell>) -> Control {
        Control::Set(SlotSet::new(unwell.cloned()).expect("one slot at most"))
    }

    /// A node is asked to make a statement.
    pub(crate) fn asks(&mut self, host: usize, id: ControlId, unwell: Option<Unwell>) {
        self.said.insert(host, Said { newest: Some(id), holds: None, asked: unwell });
    }

    /// A node answered.
    pub(crate) fn answered(&mut self, id: ControlId, is_done: bool) {
        let said = self.said.values_mut().find(|said| said.newest == Some(id));
        if let Some(said) = said.filter(|_| is_done) {
            said.holds = Some(said.asked.clone());
        }
    }

    /// Whether a node shows of those that have a principal here what they said last.
    ///
    /// # Errors
    /// A statement that it does not show.
    pub(crate) fn shown<'a>(
        &self,
        by: usize,
        principal: impl Fn(usize) -> Option<Principal>,
        record: impl Fn(&Principal) -> Option<&'a Record>,
    ) -> Result<(), String> {
        for (host, said) in &self.said {
            let (Some(holds), Some(who)) = (&said.holds, principal(*host)) else { continue };
            let shown = record(&who).and_then(|record| record.of::<Unwell>().next());
            if shown != holds.as_ref() {
                return Err(format!("n{by} shows of n{host} {shown:?}, and it said {holds:?}"));
            }
        }
        Ok(())
    }
}
