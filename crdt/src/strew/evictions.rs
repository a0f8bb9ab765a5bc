use std::collections::BTreeMap;
use std::sync::Arc;

use crate::act::{Act, After, Known, Prefix, Statement, prefix};
use crate::sign::Signed;
use crate::{Digest, Principal};

const WORD_BITS: usize = u64::BITS as usize;

/// The evictions by the operator, and by them which admissions count.
///
/// `L(X)`, the list for an evicted `X`, is the union of `known` over all statements against `X`, and over all whose
/// `after` names `X`. An admission of `B` by `A` stands for `X` if both are in `L(X)`, or if its own `after` names `X`
/// and neither `A` nor `B` is evicted. It counts if it stands for every evicted principal.
///
/// ```text
///              X₀ X₁ X₂ …        a column for each evicted principal, a row for each listed one
///   A's prefix  1  1  0          A ∧ B: for whom both are listed
///   B's prefix  1  0  0          all ones: the admission counts
/// ```
///
/// **Invariant**: a function of the set of statements.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Evictions {
    /// By subject, number in the operator's chain, and id.
    statements: BTreeMap<(Principal, u64, Digest), Arc<Signed<Act>>>,
    /// Ascending.
    evicted: Vec<Principal>,
    /// The principals that are in any list, by their prefixes as numbers, ascending.
    listed: Vec<u64>,
    /// A row for each of them: bit `x` says that it is in the list for the evicted one at `x`.
    rows: Vec<u64>,
}

/// What an eviction says of others than its subject.
fn parts(act: &Act) -> Option<(Principal, &Known, &After)> {
    match &act.statement {
        Statement::Evict { subject, known, after, .. } => Some((*subject, known, after)),
        _ => None,
    }
}

/// A prefix as a number of the same order.
const fn number(prefix: &Prefix) -> u64 {
    u64::from_be_bytes(*prefix)
}

impl Evictions {
    /// Takes in a statement by the operator. Whether it is an eviction.
    pub(super) fn insert(&mut self, act: &Arc<Signed<Act>>) -> bool {
        let Some((subject, known, _)) = parts(act.value()) else { return false };
        let key = (subject, act.value().number, act.id());
        self.statements.insert(key, Arc::clone(act));
        self.listed.extend(known.prefixes().iter().map(number));
        // Two ascending runs, which a stable sort merges.
        self.listed.sort();
        self.listed.dedup();
        self.unite();
        true
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.evicted.is_empty()
    }

    pub(super) fn contains(&self, principal: &Principal) -> bool {
        self.evicted.binary_search(principal).is_ok()
    }

    /// The evicted, ascending.
    pub(super) fn evicted(&self) -> &[Principal] {
        &self.evicted
    }

    /// The statements, by subject; of one subject, in the order of the operator's chain.
    pub(super) fn statements(&self) -> impl Iterator<Item = (Principal, &Arc<Signed<Act>>)> {
        self.statements.iter().map(|((subject, ..), act)| (*subject, act))
    }

    /// Whether an admission counts.
    pub(super) fn stands(&self, author: &Principal, subject: &Principal, after: &After) -> bool {
        if self.is_empty() {
            return true;
        }
        let (one, other) = (self.row(author), self.row(subject));
        let is_fresh = || {
            let is_evicted = self.contains(author) || self.contains(subject);
            !is_evicted || crate::planted!(AfterOfEvicted)
        };
        self.evicted.chunks(WORD_BITS).enumerate().all(|(at, evicted)| {
            let word = |row: Option<&[u64]>| row.map_or(0, |row| row[at]);
            let both = if crate::planted!(OneListedEnd) {
                word(one) | word(other)
            } else {
                word(one) & word(other)
            };
            let lacks = |bit: usize| both >> bit & 1 == 0;
            let all = u64::MAX >> (WORD_BITS - evicted.len());
            both & all == all
                || is_fresh()
                    && (0..evicted.len()).all(|bit| !lacks(bit) || after.names(&evicted[bit]))
        })
    }

    fn words(&self) -> usize {
        self.evicted.len().div_ceil(WORD_BITS)
    }

    fn row(&self, of: &Principal) -> Option<&[u64]> {
        let at = self.listed.binary_search(&number(&prefix(of))).ok()?;
        self.rows.chunks(self.words()).nth(at)
    }

    /// Unites the lists.
    fn unite(&mut self) {
        self.evicted = self.statements.keys().map(|(subject, ..)| *subject).collect();
        self.evicted.dedup();
        let said: Vec<_> = self.statements.values().filter_map(|act| parts(act.value())).collect();
        let words = self.words();
        let mut rows = vec![0; self.listed.len() * words];
        let mut before = vec![0; words];
        for (subject, known, after) in said {
            let counts_for = self.counts_for(&subject, after);
            let again: Vec<_> =
                before.iter().zip(&counts_for).map(|(one, two)| one & two).collect();
            before.iter_mut().zip(&counts_for).for_each(|(all, new)| *all |= new);
            let mut named = known.prefixes().iter().map(number).peekable();
            for (prefix, row) in self.listed.iter().zip(rows.chunks_mut(words)) {
                if named.next_if_eq(prefix).is_some() {
                    let new = counts_for.iter().zip(&again);
                    let skip = crate::planted!(ListsIntersected);
                    row.iter_mut().zip(new).for_each(|(bits, (counts, again))| {
                        *bits |= if skip { counts & !again } else { *counts };
                    });
                } else if crate::planted!(ListsIntersected) {
                    row.iter_mut().zip(&again).for_each(|(bits, again)| *bits &= !again);
                }
            }
        }
        self.rows = rows;
    }

    /// The columns of the evicted ones for which the list of a statement counts.
    fn counts_for(&self, subject: &Principal, after: &After) -> Vec<u64> {
        let mut columns = vec![0; self.words()];
        for (at, evicted) in self.evicted.iter().enumerate() {
            let is_known = after.names(evicted) && !crate::planted!(ListOfSubjectAlone);
            if evicted == subject || is_known {
                columns[at / WORD_BITS] |= 1 << (at % WORD_BITS);
            }
        }
        columns
    }
}
