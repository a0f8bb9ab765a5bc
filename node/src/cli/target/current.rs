//! The target as the node has it, and its earlier generations.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_client::model::{DocumentSigner, DocumentState, ShownDocument};
use crux_client::op::{DocumentBasis, ShowDocument};
use crux_client::{Client, Got};
use crux_crdt::Principal;
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{CONTENT_MAX, Earlier, Grant, Key, Target, TargetError};
use crux_crdt::name::Label;

use crate::error::{Error, Kind};

/// A target that has effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Current {
    /// How often it was written.
    pub(super) generation: u64,
    /// Its signer.
    pub(super) by: DocumentSigner,
    /// Whether another one was written without knowledge of it.
    pub(super) in_conflict: bool,
    /// Its content.
    pub(super) target: Target,
}

/// The target that the node has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// None was written, or it was deleted.
    Absent,
    /// Its signer may not write it, or no longer.
    Void(DocumentSigner),
    /// Its content is not that of a target.
    Invalid(TargetError),
    /// It has effect.
    Current(Box<Current>),
}

impl State {
    /// Asks for the target of a horde.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] when a newer version of Crux wrote it; those of the call.
    pub(super) async fn read(client: &Client, horde: &Label) -> Result<Self, Error> {
        match client.call(&ShowDocument { key: Target::key(horde) }).await {
            Err(err) if err.kind() == Kind::NotFound => Ok(Self::Absent),
            shown => Self::of(shown?, horde),
        }
    }

    fn of(shown: ShownDocument, horde: &Label) -> Result<Self, Error> {
        let ShownDocument { entry, content, .. } = shown;
        let in_conflict = match entry.state {
            DocumentState::Void => return Ok(Self::Void(entry.signer)),
            DocumentState::Deleted => return Ok(Self::Absent),
            DocumentState::Conflict => true,
            DocumentState::Current => false,
        };
        let Some(content) = content else { return Ok(Self::Absent) };
        let read = Target::read(horde, &content);
        let is_before = |it: &Earlier| it.generation < entry.generation;
        let target = match read {
            Ok(target) if target.earlier().first().is_none_or(is_before) => target,
            Ok(_) => return Ok(Self::Invalid(TargetError::Earlier)),
            Err(err) if err.unknown().is_some_and(is_version) => {
                let message = format!("{} is of a newer version of Crux: {err}", entry.key);
                return Err(Error::new(Kind::Unsupported, message)
                    .with_hint("Run the command with the version that wrote it."));
            }
            Err(err) => return Ok(Self::Invalid(err)),
        };
        let (generation, by) = (entry.generation, entry.signer);
        Ok(Self::Current(Box::new(Current { generation, by, in_conflict, target })))
    }

    /// The one that has effect.
    pub(super) fn current(&self) -> Option<&Current> {
        match self {
            Self::Current(current) => Some(current),
            Self::Absent | Self::Void(_) | Self::Invalid(_) => None,
        }
    }

    /// The one that has effect, for a command that needs it.
    ///
    /// # Errors
    /// [`Kind::NotFound`], with the reason.
    pub(super) fn needed(self, horde: &Label) -> Result<Current, Error> {
        let why = match self {
            Self::Current(current) => return Ok(*current),
            Self::Absent => "there is no target".to_owned(),
            Self::Void(signer) => format!("the target is void: {signer} may not write it"),
            Self::Invalid(err) => format!("the document {} is invalid: {err}", Target::key(horde)),
        };
        Err(Error::new(Kind::NotFound, why).with_hint("`apply` makes one."))
    }

    /// A warning for the person who replaces it.
    pub(super) fn warning(&self, horde: &Label) -> Option<String> {
        let key = Target::key(horde);
        match self {
            Self::Absent => None,
            Self::Void(signer) => Some(format!(
                "{key} was void, as {signer} may not write it: its history is left out."
            )),
            Self::Invalid(err) => Some(format!("{key} was invalid, so it has no history: {err}.")),
            Self::Current(current) if current.in_conflict => Some(format!(
                "{key} was in conflict, which this ends: `doc show {key} --rival` shows what both said."
            )),
            Self::Current(_) => None,
        }
    }
}

/// Whether an unknown version is one of a later build, and not the first character of a text.
fn is_version((_, found): (&str, u8)) -> bool {
    found < b' '
}

/// The content of an earlier generation: from the node, or from a member that has it.
///
/// # Errors
/// [`Kind::BlobUnknown`] when nobody has it; those of the call.
pub(super) async fn earlier(
    client: &Client,
    horde: &Label,
    of: &Earlier,
    timeout: Duration,
) -> Result<Target, Error> {
    let doing = |err: Error| err.augment(format!("the content of generation {}", of.generation));
    let content = fetch(client, of, timeout).await.map_err(doing)?;
    Target::read(horde, &content).map_err(|err| doing(Error::new(Kind::Internal, err.to_string())))
}

async fn fetch(client: &Client, of: &Earlier, timeout: Duration) -> Result<Vec<u8>, Error> {
    let mut get = client.get_blob(of.blob, timeout).await?;
    let mut content = Vec::new();
    while let Some(part) = get.next().await? {
        if let Got::Chunk(bytes) = part {
            content.extend_from_slice(&bytes);
        }
        if content.len() > CONTENT_MAX {
            return Err(Error::new(Kind::Internal, "it is larger than a target"));
        }
    }
    Ok(content)
}

/// The names of principals that signed targets, as they are today; those without one are left out.
///
/// # Errors
/// Those of the calls.
pub(super) async fn names(
    client: &Client,
    of: impl Iterator<Item = Principal>,
) -> Result<BTreeMap<Principal, String>, Error> {
    let basis = DocumentBasis { keys: Vec::new(), signer: Principal::default() };
    let operator = client.call(&basis).await?.operator;
    let mut names = BTreeMap::new();
    for principal in of {
        if names.contains_key(&principal) {
            continue;
        }
        let name = match operator == Some(principal) {
            true => DocumentSigner::OPERATOR.to_owned(),
            false => granted(client, principal).await?,
        };
        names.insert(principal, name);
    }
    Ok(names)
}

/// The name in the grant of a user; empty if there is none.
async fn granted(client: &Client, user: Principal) -> Result<String, Error> {
    let shown = match client.call(&ShowDocument { key: Key::grant(&user) }).await {
        Err(err) if err.kind() == Kind::NotFound => return Ok(String::new()),
        shown => shown?,
    };
    let grant = shown.content.and_then(|content| Grant::from_canonical(&content).ok());
    Ok(grant.map(|grant| grant.name.to_string()).unwrap_or_default())
}
