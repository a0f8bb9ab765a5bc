//! Documents as messages, and back.

use crux_proto::v1;

use super::Message;
use super::field::{parse, present};
use crate::error::Error;
use crate::model::{
    Basis, DocumentEntry, DocumentSigner, KeyBasis, RivalDocument, ShownDocument, WrittenDocument,
};

impl Message for WrittenDocument {
    type Wire = v1::WrittenDocument;

    fn to_wire(&self) -> v1::WrittenDocument {
        v1::WrittenDocument {
            key: self.key.to_string(),
            generation: self.generation,
            grants_version: self.grants_version,
            id: self.id.to_string(),
        }
    }

    fn from_wire(wire: &v1::WrittenDocument) -> Result<Self, Error> {
        Ok(Self {
            key: parse("key", &wire.key)?,
            generation: wire.generation,
            grants_version: wire.grants_version,
            id: parse("id", &wire.id)?,
        })
    }
}

impl Message for DocumentEntry {
    type Wire = v1::DocumentEntry;

    fn to_wire(&self) -> v1::DocumentEntry {
        v1::DocumentEntry {
            key: self.key.to_string(),
            grants_version: self.grants_version,
            generation: self.generation,
            signer: self.signer.principal.to_string(),
            signer_name: self.signer.name.clone(),
            state: self.state.to_string(),
            bytes: self.bytes,
            known_kind: self.known_kind,
        }
    }

    fn from_wire(wire: &v1::DocumentEntry) -> Result<Self, Error> {
        Ok(Self {
            key: parse("key", &wire.key)?,
            grants_version: wire.grants_version,
            generation: wire.generation,
            signer: DocumentSigner {
                principal: parse("signer", &wire.signer)?,
                name: wire.signer_name.clone(),
            },
            state: parse("state", &wire.state)?,
            bytes: wire.bytes,
            known_kind: wire.known_kind,
        })
    }
}

impl Message for RivalDocument {
    type Wire = v1::RivalDocument;

    fn to_wire(&self) -> v1::RivalDocument {
        v1::RivalDocument {
            entry: Some(self.entry.to_wire()),
            content: self.content.clone(),
            counts: self.counts,
        }
    }

    fn from_wire(wire: &v1::RivalDocument) -> Result<Self, Error> {
        Ok(Self {
            entry: Message::from_wire(present("entry", wire.entry.as_ref())?)?,
            content: wire.content.clone(),
            counts: wire.counts,
        })
    }
}

impl Message for ShownDocument {
    type Wire = v1::ShowDocumentResponse;

    fn to_wire(&self) -> v1::ShowDocumentResponse {
        v1::ShowDocumentResponse {
            entry: Some(self.entry.to_wire()),
            content: self.content.clone(),
            rival: self.rival.as_ref().map(Message::to_wire),
        }
    }

    fn from_wire(wire: &v1::ShowDocumentResponse) -> Result<Self, Error> {
        Ok(Self {
            entry: Message::from_wire(present("entry", wire.entry.as_ref())?)?,
            content: wire.content.clone(),
            rival: wire.rival.as_ref().map(Message::from_wire).transpose()?,
        })
    }
}

impl Message for Basis {
    type Wire = v1::DocumentBasisResponse;

    fn to_wire(&self) -> v1::DocumentBasisResponse {
        v1::DocumentBasisResponse {
            flock_id: self.flock_id.to_string(),
            operator: self.operator.map(|operator| operator.to_string()),
            grants_version: self.grants_version,
            grant: self.grant.clone(),
            keys: self.keys.iter().map(Message::to_wire).collect(),
        }
    }

    fn from_wire(wire: &v1::DocumentBasisResponse) -> Result<Self, Error> {
        let operator = wire.operator.as_deref().map(|operator| parse("operator", operator));
        Ok(Self {
            flock_id: parse("flock_id", &wire.flock_id)?,
            operator: operator.transpose()?,
            grants_version: wire.grants_version,
            grant: wire.grant.clone(),
            keys: wire.keys.iter().map(Message::from_wire).collect::<Result<_, _>>()?,
        })
    }
}

impl Message for KeyBasis {
    type Wire = v1::DocumentKeyBasis;

    fn to_wire(&self) -> v1::DocumentKeyBasis {
        v1::DocumentKeyBasis {
            key: self.key.to_string(),
            next_generation: self.next_generation,
            present: self.present,
        }
    }

    fn from_wire(wire: &v1::DocumentKeyBasis) -> Result<Self, Error> {
        Ok(Self {
            key: parse("key", &wire.key)?,
            next_generation: wire.next_generation,
            present: wire.present,
        })
    }
}
