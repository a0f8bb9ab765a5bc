use core::ops::RangeInclusive;
use core::time::Duration;
use std::collections::BTreeMap;

use super::{Document, Documents, Key, KeyKind, Shelf};
use crate::Principal;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::record::LaterFields;

/// How long a drain may wait for replacements. Guess: a week covers a slow repair.
const DEADLINE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(7 * 24 * 3600);
/// The version of the encoding.
const VERSION: u8 = 1;

/// The use that targets make of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Usage {
    /// It runs what it is given.
    #[default]
    Open,
    /// It keeps what it has, and gets nothing new.
    Cordoned,
    /// Its instances move elsewhere.
    Draining {
        /// How long an instance waits for its replacement, from when a leader first sees the document; at most 7 days,
        /// in whole milliseconds. None: however long it takes.
        deadline: Option<Duration>,
    },
}

/// The order of a user to a node: the content of the document `node/PRINCIPAL`.
///
/// Tagged fields that came after this version are kept, so that an older build honours what it knows, and a command
/// that writes the document again drops nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeOrder {
    /// The use that targets make of the node.
    pub usage: Usage,
    /// Tagged fields that came after this version.
    pub later: LaterFields,
}

impl NodeOrder {
    /// Whether every bound holds, as of everything that is decoded. A person's order is checked here before it is
    /// signed.
    pub fn is_within_bounds(&self) -> bool {
        Self::from_canonical(&self.to_canonical()).as_ref() == Ok(self)
    }

    /// The key of the order to a node.
    pub fn key(node: &Principal) -> Key {
        Key::of_principal(KeyKind::NODE, node)
    }

    /// The node whose order has this key; none: it is not the key of one.
    pub fn node(key: &Key) -> Option<Principal> {
        if key.kind() == KeyKind::NODE { key.name().parse().ok() } else { None }
    }

    /// The order that a document has; an open node's if it is deleted.
    ///
    /// # Errors
    /// [`NodeOrderError`].
    pub fn of(document: &Document) -> Result<(Principal, Self), NodeOrderError> {
        let node = Self::node(document.key()).ok_or(NodeOrderError::Key)?;
        let order = document.content().map(Self::from_canonical).transpose()?;
        Ok((node, order.unwrap_or_default()))
    }
}

impl Documents {
    /// The orders to nodes that have effect: their documents count, are not deleted, and can be read. Any other node
    /// is open.
    pub fn node_orders(&self) -> BTreeMap<Principal, NodeOrder> {
        let winners = self.shelves().map(Shelf::winner);
        let orders = winners.filter(|it| it.key().kind() == KeyKind::NODE && !it.is_deleted());
        orders.filter(|it| self.counts(it)).filter_map(|it| NodeOrder::of(it).ok()).collect()
    }

    /// The use that targets make of a node.
    pub fn usage(&self, node: &Principal) -> Usage {
        let winner = self.get(&NodeOrder::key(node)).map(Shelf::winner);
        let order = winner.filter(|it| self.counts(it)).map(|it| NodeOrder::of(it));
        order.and_then(Result::ok).map(|(_, order)| order.usage).unwrap_or_default()
    }
}

impl Canonical for NodeOrder {
    fn encode(&self, out: &mut Encoder) {
        out.u8(VERSION);
        match self.usage {
            Usage::Open => _ = out.u8(1),
            Usage::Cordoned => _ = out.u8(2),
            Usage::Draining { deadline: None } => _ = out.u8(3),
            Usage::Draining { deadline: Some(deadline) } => {
                let millis = u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX);
                out.u8(4).u32(millis);
            }
        }
        self.later.encode_with(&[], out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("version of an order to a node", VERSION)?;
        let usage = match input.u8("use of a node")? {
            1 => Usage::Open,
            2 => Usage::Cordoned,
            3 => Usage::Draining { deadline: None },
            4 => Usage::Draining { deadline: Some(decode_deadline(input)?) },
            found => return Err(DecodeError::Unknown { what: "use of a node", found }),
        };
        Ok(Self { usage, later: LaterFields::decode_without(input, |_, _| Ok(false))? })
    }
}

fn decode_deadline(input: &mut Decoder<'_>) -> Result<Duration, DecodeError> {
    let deadline = Duration::from_millis(input.u32("deadline of a drain")?.into());
    let is_allowed = DEADLINE.contains(&deadline);
    if is_allowed { Ok(deadline) } else { Err(DecodeError::Invalid("deadline of a drain")) }
}

/// Why a document is not the order to a node. Nothing was changed; the signer is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeOrderError {
    /// The name is not that of a node.
    #[error(
        "the order to a node is the document node/PRINCIPAL: expected 64 lower-case hex digits"
    )]
    Key,
    /// The bytes are not those of an order that this build knows.
    #[error("its content is not an order to a node: {0}")]
    Content(#[from] DecodeError),
}
