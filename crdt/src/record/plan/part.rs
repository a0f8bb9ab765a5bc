use std::collections::{BTreeMap, BTreeSet};

use super::pass::{decode_fences, decode_number, encode_fences};
use super::{Amount, First, PlanKey, head, index_of};
use crate::Principal;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::name::ServiceName;
use crate::record::SLOT_BYTES_MAX;
use crate::service::SpecTag;

/// How many versions a part may name: with the shortest names they fill a slot.
const VERSIONS_MAX: usize = SLOT_BYTES_MAX / 13;
/// How many fences a part may name: they fill a slot.
const FENCES_MAX: usize = SLOT_BYTES_MAX / 16;
/// How many nodes a part may have: with one entry each they fill a slot.
const NODES_MAX: usize = SLOT_BYTES_MAX / (32 + 4 + ROW_BYTES);
/// How many entries a node may have in a part: they fill a slot.
const ROWS_MAX: usize = SLOT_BYTES_MAX / ROW_BYTES;
/// The bytes of an entry.
const ROW_BYTES: usize = 16;

/// The memory that a version, a node and an entry take beside their bytes.
const VERSION_COST: usize = 64;
const NODE_COST: usize = 48;
const ROW_COST: usize = 16;

/// The part of a plan that has the entries of some nodes: those whose hash begins with its bits.
///
/// Versions and fences are in tables, because many entries have the same. **Invariants**: tables, nodes and entries
/// ascend; each line of a table is used; each node belongs to this part, and has an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanPart {
    bits: u8,
    index: u8,
    versions: Box<[(ServiceName, SpecTag)]>,
    fences: Box<[(u64, [u8; 8])]>,
    nodes: Box<[(Principal, Box<[Row]>)]>,
}

/// An entry: its lines in both tables, and the rest. Ascending as [`PlanKey`] does, since the tables do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    version: u16,
    fence: u16,
    pass: u64,
    amount: Amount,
}

/// One entry of a plan: so many instances of a version on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanEntry<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// The version.
    pub spec: SpecTag,
    /// The pass that first assigned it to the node.
    pub first: First,
    /// How many.
    pub amount: Amount,
}

impl PlanPart {
    /// The part with the entries of these nodes, which ascend. None: it has more than its tables can number.
    pub(super) fn new(
        bits: u8,
        index: u8,
        nodes: &[(Principal, &BTreeMap<PlanKey, Amount>)],
    ) -> Option<Self> {
        let keys = || nodes.iter().flat_map(|(_, entries)| entries.keys());
        let versions: BTreeSet<_> = keys().map(|key| (&key.service, key.spec)).collect();
        let versions: Vec<_> = versions.into_iter().collect();
        let fences: BTreeSet<_> = keys().map(|key| key.first.fence()).collect();
        let fences: Box<[_]> = fences.into_iter().collect();
        let row = |(key, amount): (&PlanKey, &Amount)| {
            let version = versions.binary_search(&(&key.service, key.spec)).ok()?;
            let fence = fences.binary_search(&key.first.fence()).ok()?;
            let (version, fence) = (version.try_into().ok()?, fence.try_into().ok()?);
            Some(Row { version, fence, pass: key.first.pass, amount: *amount })
        };
        let rows = |entries: &BTreeMap<_, _>| entries.iter().map(row).collect::<Option<_>>();
        let nodes = nodes.iter().map(|(node, entries)| Some((*node, rows(entries)?)));
        let nodes = nodes.collect::<Option<_>>()?;
        let versions = versions.into_iter().map(|(service, spec)| (service.clone(), spec));
        Some(Self { bits, index, versions: versions.collect(), fences, nodes })
    }

    pub(super) const fn bits(&self) -> u8 {
        self.bits
    }

    /// Which part it is.
    pub const fn index(&self) -> u8 {
        self.index
    }

    pub(super) fn entries_of<'a>(
        &'a self,
        node: &Principal,
    ) -> impl Iterator<Item = PlanEntry<'a>> + use<'a> {
        let at = self.nodes.binary_search_by_key(node, |(node, _)| *node).ok();
        let rows = at.map(|at| &*self.nodes[at].1).unwrap_or_default();
        rows.iter().filter_map(|row| self.entry(row))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (Principal, PlanEntry<'_>)> {
        self.nodes
            .iter()
            .flat_map(|(node, rows)| rows.iter().filter_map(|row| Some((*node, self.entry(row)?))))
    }

    fn entry(&self, row: &Row) -> Option<PlanEntry<'_>> {
        let (service, spec) = self.versions.get(usize::from(row.version))?;
        let (term, leader) = *self.fences.get(usize::from(row.fence))?;
        let first = First { term, leader, pass: row.pass };
        Some(PlanEntry { service, spec: *spec, first, amount: row.amount })
    }

    pub(in crate::record) fn overhead(&self) -> usize {
        let rows: usize = self.nodes.iter().map(|(_, rows)| rows.len()).sum();
        self.versions.len() * VERSION_COST + self.nodes.len() * NODE_COST + rows * ROW_COST
    }

    /// Whether each line of a table is used.
    fn is_used(&self) -> bool {
        let rows = || self.nodes.iter().flat_map(|(_, rows)| rows);
        let versions: BTreeSet<_> = rows().map(|row| row.version).collect();
        let fences: BTreeSet<_> = rows().map(|row| row.fence).collect();
        versions.len() == self.versions.len() && fences.len() == self.fences.len()
    }
}

impl Canonical for PlanPart {
    fn encode(&self, out: &mut Encoder) {
        out.u8(self.bits).u8(self.index).count(self.versions.len());
        self.versions.iter().for_each(|(name, spec)| _ = out.str(name.as_str()).fixed(&spec.0));
        encode_fences(&self.fences, out);
        out.count(self.nodes.len());
        for (node, rows) in &self.nodes {
            out.principal(node).count(rows.len());
            rows.iter().for_each(|row| row.encode(out));
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (bits, index) = (head::decode_bits(input)?, input.u8("part of a plan")?);
        let mut part = Self {
            bits,
            index,
            versions: decode_versions(input)?.into(),
            fences: decode_fences(input, FENCES_MAX)?.into(),
            nodes: Box::default(),
        };
        part.nodes = part.decode_nodes(input)?.into();
        if part.nodes.is_empty() || !part.is_used() {
            return Err(DecodeError::Invalid("part of a plan"));
        }
        Ok(part)
    }
}

type Nodes = Vec<(Principal, Box<[Row]>)>;

impl PlanPart {
    fn decode_nodes(&self, input: &mut Decoder<'_>) -> Result<Nodes, DecodeError> {
        let count = input.count(NODES_MAX, "nodes of a plan")?;
        let mut nodes: Nodes = Vec::new();
        for _ in 0..count {
            let node = input.principal("node of a plan")?;
            let is_next = nodes.last().is_none_or(|(last, _)| *last < node);
            if !is_next || index_of(&node, self.bits) != self.index {
                return Err(DecodeError::Invalid("order of a plan's nodes"));
            }
            nodes.push((node, self.decode_rows(input)?.into()));
        }
        Ok(nodes)
    }

    fn decode_rows(&self, input: &mut Decoder<'_>) -> Result<Vec<Row>, DecodeError> {
        let count = input.count(ROWS_MAX, "entries of a plan")?;
        let mut rows: Vec<Row> = Vec::new();
        for _ in 0..count {
            let row = Row::decode(input)?;
            let is_next = rows.last().is_none_or(|last| last.place() < row.place());
            if !is_next || self.entry(&row).is_none() {
                return Err(DecodeError::Invalid("entries of a plan"));
            }
            rows.push(row);
        }
        if rows.is_empty() { Err(DecodeError::Invalid("entries of a plan")) } else { Ok(rows) }
    }
}

impl Row {
    const fn place(&self) -> (u16, u16, u64) {
        (self.version, self.fence, self.pass)
    }
}

impl Canonical for Row {
    fn encode(&self, out: &mut Encoder) {
        out.fixed(&self.version.to_be_bytes()).fixed(&self.fence.to_be_bytes()).u64(self.pass);
        self.amount.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            version: u16::from_be_bytes(input.array("version in a plan")?),
            fence: u16::from_be_bytes(input.array("fence in a plan")?),
            pass: decode_number(input, "pass in a plan")?,
            amount: Amount::decode(input)?,
        })
    }
}

fn decode_versions(input: &mut Decoder<'_>) -> Result<Vec<(ServiceName, SpecTag)>, DecodeError> {
    let count = input.count(VERSIONS_MAX, "versions of a plan")?;
    let mut versions: Vec<(ServiceName, SpecTag)> = Vec::new();
    for _ in 0..count {
        let name = input.parse(ServiceName::MAX, "service of a plan")?;
        let version = (name, SpecTag(input.array("version of a service")?));
        if versions.last().is_some_and(|last| *last >= version) {
            return Err(DecodeError::Invalid("order of a plan's versions"));
        }
        versions.push(version);
    }
    Ok(versions)
}
