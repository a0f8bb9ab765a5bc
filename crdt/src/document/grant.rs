use std::collections::BTreeSet;

use super::{Key, PERMISSION_BYTES_MAX, Permission};
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::name::Label;

/// How many documents there may be in all, deleted ones included, and so the most that a grant allows.
pub const DOCUMENTS_MAX: usize = 16_384;
/// How many permissions a grant may have.
pub const PERMISSIONS_MAX: usize = 64;
/// How large a grant may be, in bytes.
pub const GRANT_BYTES_MAX: usize = 4 * 1024;

/// How long all permissions of a grant may be together, in bytes: what is left of a grant after its name, and
/// the lengths and the rest.
const PERMISSIONS_BYTES_MAX: usize = GRANT_BYTES_MAX - 512;
/// The version of the encoding.
const VERSION: u8 = 1;

/// The permissions and bounds that the operator gives a user: the content of the document `grant/PRINCIPAL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The user's name, for people.
    pub name: Label,
    /// How many documents the user may have, deleted ones included; at most [`DOCUMENTS_MAX`].
    pub documents: u32,
    /// At most [`PERMISSIONS_MAX`].
    pub permissions: BTreeSet<Permission>,
    /// Whether it is taken back. The rest says what it was.
    pub revoked: bool,
}

impl Grant {
    /// Whether its user may write the document with this key: it is not revoked, and a permission covers the key.
    pub fn covers(&self, key: &Key) -> bool {
        let operators = key.row().is_some_and(|kind| kind.is_operators);
        !self.revoked && !operators && self.permissions.iter().any(|one| one.covers(key))
    }

    /// Whether every bound holds. What is decoded always does; what a person asks for is checked here before it
    /// is signed.
    pub fn is_within_bounds(&self) -> bool {
        Self::from_canonical(&self.to_canonical()).as_ref() == Ok(self)
    }

    /// The memory that it takes beyond its own size, in bytes.
    pub(super) fn heap(&self) -> usize {
        let permission = 2 * (size_of::<Permission>() + 32);
        let text: usize = self.permissions.iter().map(|it| it.to_string().len()).sum();
        2 * Label::MAX + self.permissions.len() * permission + text
    }
}

impl Canonical for Grant {
    fn encode(&self, out: &mut Encoder) {
        out.u8(VERSION).str(self.name.as_str()).u32(self.documents).u8(self.revoked.into());
        // As text, and in its order: that is the same in a version that knows more of them.
        let texts: BTreeSet<_> = self.permissions.iter().map(ToString::to_string).collect();
        out.count(texts.len());
        texts.iter().for_each(|text| _ = out.str(text));
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("grant version", VERSION)?;
        let name = input.parse(Label::MAX, "name of a user")?;
        let documents = match input.u32("number of documents")? {
            number if number as usize <= DOCUMENTS_MAX => number,
            _ => return Err(DecodeError::Invalid("number of documents")),
        };
        let revoked = input.bool("revoked")?;
        Ok(Self { name, documents, permissions: decode_permissions(input)?, revoked })
    }
}

fn decode_permissions(input: &mut Decoder<'_>) -> Result<BTreeSet<Permission>, DecodeError> {
    let count = input.count(PERMISSIONS_MAX, "permissions")?;
    let (mut permissions, mut last, mut room) = (BTreeSet::new(), "", PERMISSIONS_BYTES_MAX);
    for _ in 0..count {
        let text = input.str(room.min(PERMISSION_BYTES_MAX), "permission")?;
        if text <= last {
            return Err(DecodeError::Invalid("order of permissions"));
        }
        let permission = Permission::decoded(text).ok_or(DecodeError::Invalid("permission"))?;
        (last, room) = (text, room - text.len());
        permissions.insert(permission);
    }
    Ok(permissions)
}
