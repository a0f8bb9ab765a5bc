use std::collections::BTreeSet;

use super::{Registration, SlotKind as _};
use crate::Digest;
use crate::canon::{DecodeError, Decoder, Encoder};

/// The last word of a run that stops because its identity runs elsewhere: what the other run may take over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yields {
    /// The boot nonce of the run that goes on.
    pub to: [u8; 16],
    /// The registrations that this run added since its start, by the first eight bytes of their ids: the rest
    /// was on its disk, which may be older than the other's.
    pub since: BTreeSet<[u8; 8]>,
}

impl Yields {
    /// Whether a slot was added since the start of the run.
    pub fn added(&self, slot: &Digest) -> bool {
        slot.0.first_chunk().is_some_and(|head| self.since.contains(head))
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        out.fixed(&self.to);
        self.since.iter().for_each(|head| _ = out.fixed(head));
        out.finish()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new(bytes);
        let (to, mut since) = (input.array("continuing run")?, BTreeSet::new());
        while input.remaining() > 0 {
            let head: [u8; 8] = input.array("slot added since the start")?;
            if since.last().is_some_and(|last| *last >= head)
                || since.len() == Registration::ROW.most
            {
                return Err(DecodeError::Invalid("slots added since the start"));
            }
            since.insert(head);
        }
        Ok(Self { to, since })
    }
}
