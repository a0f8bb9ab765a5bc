use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crux_crdt::Principal;
use crux_crdt::act::{Act, Statement};
use crux_crdt::sign::Signed;
use crux_crdt::strew::Strew;

/// The longest chain of admissions that is presented. A longer one takes a handshake instead.
pub const PATH_MAX: usize = 256;
/// How many bytes its acts have at most, without their envelopes: with 256 of these, half of what a message of
/// a join takes.
const PATH_BYTES_MAX: usize = 96 * 1024;

/// The shortest chain of admissions that leads from one principal to another, in order; empty when
/// there is none, or it is longer than [`PATH_MAX`] or too large for a message.
pub fn path(strew: &Strew, from: Principal, to: Principal) -> Vec<Arc<Signed<Act>>> {
    let mut edges = BTreeMap::<Principal, Vec<_>>::new();
    for act in strew.acts() {
        if let Statement::Admit { subject, .. } = act.value().statement {
            edges.entry(act.author()).or_default().push((subject, act));
        }
    }
    let mut reached_by: BTreeMap<Principal, &Arc<Signed<Act>>> = BTreeMap::new();
    let mut work = VecDeque::from([from]);
    while let Some(author) = work.pop_front() {
        for (subject, act) in edges.get(&author).into_iter().flatten() {
            if *subject != from && !reached_by.contains_key(subject) {
                reached_by.insert(*subject, act);
                work.push_back(*subject);
            }
        }
    }
    let mut chain = Vec::new();
    let mut at = to;
    while at != from {
        let Some(act) = reached_by.get(&at) else { return Vec::new() };
        chain.push(Arc::clone(act));
        at = act.author();
    }
    chain.reverse();
    let bytes: usize = chain.iter().map(|act| act.value().bytes()).sum();
    let fits = chain.len() <= PATH_MAX && bytes <= PATH_BYTES_MAX;
    if fits { chain } else { Vec::new() }
}
