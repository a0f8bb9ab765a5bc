//! The grants that a node has.

use crux_client::Client;
use crux_client::model::{DocumentEntry, ShownDocument};
use crux_client::op::{DocumentBasis, ListDocuments, ShowDocument};
use crux_client::{order, socket::Door};
use crux_crdt::Principal;
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Grant, Key, KeyKind};
use serde_json::{Value, json};

use super::{Ui, Wait, permissions};
use crate::cli::output::block_on;
use crate::error::{Error, Kind};

/// The grants that a node has, deleted ones left out.
#[derive(Debug)]
pub(super) struct Grants {
    /// By name, n2 before n10, then by key.
    pub(super) users: Vec<User>,
}

/// A key to which the operator granted something.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) key: Principal,
    pub(super) grant: Grant,
    pub(super) grants_version: u64,
    pub(super) state: UserState,
}

/// Whether a grant counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UserState {
    Active,
    Revoked,
    /// It was not signed again when the operator raised the version of the grants, as when `user rm` was interrupted,
    /// or ran where this grant was not known yet.
    Void,
}

impl UserState {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Void => "void",
        }
    }
}

impl Grants {
    /// Asks a node for all of them. It takes a call for each, over one connection.
    ///
    /// # Errors
    /// Those of the calls.
    pub(super) fn read(wait: Wait, ui: &Ui) -> Result<Self, Error> {
        block_on(async {
            let client = ui.connect_at(Door::Control, wait.timeout).await?;
            // In this order: a version that rises meanwhile makes grants void that are not, and the next run is right.
            let list = ListDocuments { prefix: KeyKind::GRANT.to_owned() };
            let entries = client.call(&list).await?;
            let mut shown = Vec::with_capacity(entries.len());
            for entry in entries {
                shown.extend(show(&client, entry).await?);
            }
            let basis = DocumentBasis { keys: Vec::new(), signer: Principal::default() };
            let version = client.call(&basis).await?.grants_version;
            Ok(Self::of(&shown, version))
        })
    }

    fn of(shown: &[ShownDocument], version: u64) -> Self {
        let mut users: Vec<_> = shown.iter().filter_map(|shown| user(shown, version)).collect();
        users.sort_by(|a, b| {
            let names = order::by_name(a.grant.name.as_str(), b.grant.name.as_str());
            names.then_with(|| a.key.cmp(&b.key))
        });
        Self { users }
    }

    /// The user with a key.
    pub(super) fn of_key(&self, key: &Principal) -> Option<&User> {
        self.users.iter().find(|user| user.key == *key)
    }

    /// The users with a name, those that are not revoked first.
    pub(super) fn named(&self, name: &str) -> Vec<&User> {
        let mut users: Vec<_> =
            self.users.iter().filter(|user| user.grant.name.as_str() == name).collect();
        users.sort_by_key(|user| user.grant.revoked);
        users
    }
}

/// A grant with its content; none where it was removed meanwhile.
async fn show(client: &Client, entry: DocumentEntry) -> Result<Option<ShownDocument>, Error> {
    match client.call(&ShowDocument { key: entry.key }).await {
        Err(err) if err.kind() == Kind::NotFound => Ok(None),
        shown => shown.map(Some),
    }
}

fn user(shown: &ShownDocument, version: u64) -> Option<User> {
    let key = shown.entry.key.grantee()?;
    let grant = Grant::from_canonical(shown.content.as_deref()?).ok()?;
    let grants_version = shown.entry.grants_version;
    let state = match grant.revoked {
        true => UserState::Revoked,
        false if grants_version < version => UserState::Void,
        false => UserState::Active,
    };
    Some(User { key, grant, grants_version, state })
}

impl User {
    /// As JSON.
    pub(super) fn value(&self) -> Value {
        json!({
            "name": self.grant.name.as_str(),
            "key": self.key.to_string(),
            "grants": permissions(&self.grant),
            "documents": self.grant.documents,
            "state": self.state.as_str(),
        })
    }

    /// The key of its grant.
    pub(super) fn document(&self) -> Key {
        Key::grant(&self.key)
    }
}
