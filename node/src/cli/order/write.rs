//! An order to a node: what it is now, and the next one.

use crux_client::model::{DocumentState, ShownDocument};
use crux_client::op::ShowDocument;
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{NodeOrder, Usage};
use crux_crdt::record::LaterFields;
use crux_crdt::units;
use serde_json::{Value, json};

use super::{Content, Named, Session, Ui, Wait, Writing, Written};
use crate::error::{Error, Kind};
use crate::secret::Signer;

/// An order that is in force.
#[derive(Debug)]
pub(super) struct Given {
    /// The node.
    pub(super) node: Named,
    usage: Usage,
    /// The generation of the document; none: it was in force before.
    generation: Option<u64>,
}

impl Given {
    /// The order in a word.
    pub(super) const fn word(&self) -> &'static str {
        match self.usage {
            Usage::Open => "open",
            Usage::Cordoned => "cordoned",
            Usage::Draining { .. } => "draining",
        }
    }

    /// The answer for scripts, which says that the node is in this use.
    pub(super) fn value(&self, node_use: &str) -> Value {
        json!({
            "node": self.node.name.as_ref().map(ToString::to_string),
            "principal": self.node.principal.to_string(),
            "use": node_use,
            "generation": self.generation,
            "changed": self.generation.is_some(),
        })
    }

    /// The answer for people: what was done, or that the node is in this use already.
    pub(super) fn words(&self, done: &str, node_use: &str) -> String {
        match self.generation {
            Some(_) => format!("{done} {}", self.node),
            None => format!("Unchanged: {} is {node_use} already", self.node),
        }
    }
}

/// An order in words.
pub(in crate::cli) fn words(order: &NodeOrder) -> String {
    match order.usage {
        Usage::Open => "open".to_owned(),
        Usage::Cordoned => "cordoned".to_owned(),
        Usage::Draining { deadline: None } => "draining".to_owned(),
        Usage::Draining { deadline: Some(deadline) } => {
            format!("draining, for at most {}", units::duration_text(deadline))
        }
    }
}

/// Has a node be used like that: signs the order, unless it is in force. None: with `--dry-run` it was printed.
///
/// # Errors
/// [`Kind::NotGranted`], [`Kind::Conflict`] and others of a write; [`Kind::Unsupported`] when a newer version of Crux
/// wrote the order that there is.
pub(super) fn write(
    node: Named,
    usage: Usage,
    (signer, how): (Signer, Writing),
    ui: &mut Ui,
) -> Result<Option<Given>, Error> {
    let key = NodeOrder::key(&node.principal);
    let (session, basis) = Session::begin_one(signer, &key, how.wait, ui)?;
    session.check(&key)?;
    let held = Held::read(&node, how.wait, ui)?;
    if held.usage == Some(usage) {
        return Ok(Some(Given { node, usage, generation: None }));
    }
    let draft = session.draft(basis, held.next(usage));
    let Written::Put(written) = session.write(vec![draft], how, ui)? else { return Ok(None) };
    let none = || Error::new(Kind::Internal, "the node's answer has no document");
    let generation = Some(written.first().ok_or_else(none)?.generation);
    Ok(Some(Given { node, usage, generation }))
}

/// The order to a node as there is one.
struct Held {
    /// The use that is in force without a rival; none: whatever is written next ends the trouble.
    usage: Option<Usage>,
    /// Its fields of a newer version.
    later: LaterFields,
}

impl Held {
    fn read(node: &Named, wait: Wait, ui: &Ui) -> Result<Self, Error> {
        let open = || Self { usage: Some(Usage::Open), later: LaterFields::default() };
        match ui.call(&ShowDocument { key: NodeOrder::key(&node.principal) }, wait) {
            Err(err) if err.kind() == Kind::NotFound => Ok(open()),
            shown => match shown? {
                ShownDocument { content: None, entry, .. } => match entry.state {
                    DocumentState::Conflict => Ok(Self { usage: None, ..open() }),
                    _ => Ok(open()),
                },
                ShownDocument { content: Some(content), entry, .. } => {
                    Self::of(&content, entry.state, node)
                }
            },
        }
    }

    fn of(content: &[u8], state: DocumentState, node: &Named) -> Result<Self, Error> {
        match NodeOrder::from_canonical(content) {
            // Nobody who may say so said it.
            Ok(_) if state == DocumentState::Void => {
                Ok(Self { usage: Some(Usage::Open), later: LaterFields::default() })
            }
            Ok(NodeOrder { usage, later }) => {
                let usage = Some(usage).filter(|_| state == DocumentState::Current);
                Ok(Self { usage, later })
            }
            Err(err) if err.unknown().is_some_and(|(_, found)| found < b' ') => {
                let message = format!("the order to {node} is of a newer version of Crux: {err}");
                Err(Error::new(Kind::Unsupported, message)
                    .with_hint("Run the command with the version that wrote it, or `doc rm`."))
            }
            Err(_) => Ok(Self { usage: None, later: LaterFields::default() }),
        }
    }

    /// The document that has a node be used like that: none where it says nothing.
    fn next(self, usage: Usage) -> Content {
        let order = NodeOrder { usage, later: self.later };
        if order == NodeOrder::default() {
            return Content::Deleted;
        }
        Content::Bytes(order.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use crux_crdt::canon::Encoder;

    use super::*;

    fn node() -> Named {
        Named { name: None, principal: crux_crdt::Principal([7; 32]) }
    }

    #[test]
    fn what_a_newer_version_says_stays() {
        let order = NodeOrder { usage: Usage::Cordoned, ..NodeOrder::default() };
        let mut bytes = order.to_canonical();
        // The list of tagged fields was empty, and has one now.
        bytes.truncate(bytes.len() - size_of::<u32>());
        let mut out = Encoder::default();
        out.count(1).u8(200).bytes(b"hm");
        bytes.extend(out.finish());
        let held = Held::of(&bytes, DocumentState::Current, &node()).unwrap();
        assert_eq!(held.usage, Some(Usage::Cordoned));
        let Content::Bytes(next) = held.next(Usage::Open) else { panic!("it was deleted") };
        let next = NodeOrder::from_canonical(&next).unwrap();
        assert_eq!((next.usage, next.later.tags().collect::<Vec<_>>()), (Usage::Open, vec![200]));
    }

    #[test]
    fn what_is_not_an_order_is_replaced_and_a_newer_one_refused() {
        let read = |bytes: &[u8]| Held::of(bytes, DocumentState::Current, &node());
        assert_eq!(read(&[1, 9]).err().map(|err| err.kind()), Some(Kind::Unsupported));
        assert_eq!(read(&[2]).err().map(|err| err.kind()), Some(Kind::Unsupported));
        for text in [&b"drained"[..], &[1]] {
            assert_eq!(read(text).unwrap().usage, None, "{text:?}");
        }
        let order = NodeOrder { usage: Usage::Cordoned, ..NodeOrder::default() }.to_canonical();
        let usage = |state| Held::of(&order, state, &node()).unwrap().usage;
        assert_eq!(usage(DocumentState::Current), Some(Usage::Cordoned));
        assert_eq!(usage(DocumentState::Conflict), None, "the next write ends it");
        assert_eq!(usage(DocumentState::Void), Some(Usage::Open));
    }
}
