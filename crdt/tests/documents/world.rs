//! One operator, three users, six keys, and the documents they may write.

use std::sync::{Arc, LazyLock};

use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{
    Body, Document, Documents, GENERATION_MAX, Grant, Key, Outcome, Permission, State,
};
use crux_crdt::fact::Fact;
use crux_crdt::sign::{Ed25519, Identity, Terms};
use crux_crdt::strew::Strew;
use crux_crdt::{Digest, Principal};
use proptest::prelude::*;

pub(crate) const FLOCK: Digest = Digest([7; 32]);
pub(crate) const USERS: usize = 3;
pub(crate) const KEYS: usize = 6;
/// As many documents as a user needs for all keys.
const MOST: u32 = 6;

static OPERATOR: LazyLock<Identity> = LazyLock::new(|| Identity::from_seed(&[100; 32]));
static USERS_OF: LazyLock<Vec<Identity>> =
    LazyLock::new(|| (1..=9).map(|seed| Identity::from_seed(&[seed; 32])).collect());

pub(crate) fn operator() -> &'static Identity {
    &OPERATOR
}

pub(crate) fn user(n: usize) -> &'static Identity {
    &USERS_OF[n]
}

pub(crate) fn terms() -> Terms<'static> {
    Terms { flock: FLOCK, operator: Some(operator().principal()), verifier: &Ed25519 }
}

pub(crate) fn key(text: &str) -> Key {
    text.parse().unwrap()
}

/// The `n`-th of the keys that users write.
pub(crate) fn key_of(n: usize) -> Key {
    key(&format!("rule/r{n}"))
}

pub(crate) fn permissions(texts: &[&str]) -> std::collections::BTreeSet<Permission> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub(crate) fn granted(user: usize, documents: u32, texts: &[&str]) -> Grant {
    let name = format!("user-{user}").parse().unwrap();
    Grant { name, documents, permissions: permissions(texts), revoked: false }
}

/// A document of the operator.
pub(crate) fn own(
    key: &Key,
    version: u64,
    generation: u64,
    content: Option<&[u8]>,
) -> Arc<Document> {
    let body = Body::new(key.clone(), version, generation, content.map(Into::into));
    Arc::new(Document::sign(body, &FLOCK, operator(), None).unwrap())
}

pub(crate) fn grant(user_of: usize, version: u64, generation: u64, grant: &Grant) -> Arc<Document> {
    let key = Key::grant(&user(user_of).principal());
    own(&key, version, generation, Some(&grant.to_canonical()))
}

/// A document of a user, under this grant.
pub(crate) fn users(
    by: usize,
    key: &Key,
    generation: u64,
    content: Option<&[u8]>,
    grant: &Arc<Document>,
) -> Arc<Document> {
    let body = Body::new(key.clone(), grant.grants_version(), generation, content.map(Into::into));
    Arc::new(Document::sign(body, &FLOCK, user(by), Some(grant.clone())).unwrap())
}

/// How to make a document.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Draft {
    /// The operator grants a user something, takes it back, or deletes its grant.
    Grant { user: usize, version: u64, generation: u64, says: Says, documents: u32 },
    /// The operator writes.
    Own { key: usize, version: u64, generation: u64, content: Option<u8> },
    /// A user writes under a grant with that number of documents.
    User {
        user: usize,
        key: usize,
        version: u64,
        generation: u64,
        content: Option<u8>,
        documents: u32,
    },
}

/// The content of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    Rules,
    Other,
    Revoked,
    Deleted,
}

impl Draft {
    /// The same with another number of documents.
    pub(crate) fn allowing(mut self, of: impl Fn(usize) -> u32) -> Self {
        match &mut self {
            Self::Grant { user, documents, .. } | Self::User { user, documents, .. } => {
                *documents = of(*user);
            }
            Self::Own { .. } => {}
        }
        self
    }

    /// Whether it deletes a grant, after which its user may have none.
    pub(crate) fn deletes_grant(&self) -> bool {
        matches!(self, Self::Grant { says: Says::Deleted, .. })
    }

    pub(crate) fn sign(self) -> Arc<Document> {
        match self {
            Self::Grant { user: of, version, generation, says, documents } => {
                let texts: &[_] = if says == Says::Other { &["hordes"] } else { &["rules"] };
                let mut granted = granted(of, documents, texts);
                granted.revoked = says == Says::Revoked;
                let content = granted.to_canonical();
                let content = (says != Says::Deleted).then_some(&*content);
                own(&Key::grant(&user(of).principal()), version, generation, content)
            }
            Self::Own { key, version, generation, content } => own(
                &key_of(key),
                version,
                generation,
                content.map(|it| [it]).as_ref().map(|it| &it[..]),
            ),
            Self::User { user, key, version, generation, content, documents } => {
                let grant = grant(user, version, 1, &granted(user, documents, &["rules"]));
                let content = content.map(|it| [it]);
                users(user, &key_of(key), generation, content.as_ref().map(|it| &it[..]), &grant)
            }
        }
    }
}

pub(crate) fn generations() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 1..4_u64, 1 => Just(GENERATION_MAX - 1), 2 => Just(GENERATION_MAX)]
}

/// Drafts of one history; all numbers of documents are arbitrary.
pub(crate) fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let versions = || 1..4_u64;
    let contents = || prop::option::weighted(0.8, 0..3_u8);
    let says = prop_oneof![
        4 => Just(Says::Rules),
        1 => Just(Says::Other),
        2 => Just(Says::Revoked),
        1 => Just(Says::Deleted),
    ];
    let documents = || 0..=MOST;
    let grants = (0..USERS, versions(), generations(), says, documents()).prop_map(
        |(user, version, generation, says, documents)| Draft::Grant {
            user,
            version,
            generation,
            says,
            documents,
        },
    );
    // Some keys are written often.
    let keys = || prop_oneof![3 => 0..2_usize, 1 => 0..KEYS];
    let own = (keys(), versions(), generations(), contents()).prop_map(
        |(key, version, generation, content)| Draft::Own { key, version, generation, content },
    );
    let of_users = (0..USERS, keys(), versions(), generations(), contents(), documents());
    let of_users = of_users.prop_map(|(user, key, version, generation, content, documents)| {
        Draft::User { user, key, version, generation, content, documents }
    });
    prop::collection::vec(prop_oneof![2 => grants, 2 => own, 6 => of_users], 0..18)
}

/// Documents of one history in which each user may always have the same number of documents, by its grants.
pub(crate) fn constant() -> impl Strategy<Value = Vec<Arc<Document>>> {
    (drafts(), prop::array::uniform3(0..=MOST)).prop_map(|(drafts, documents)| {
        let kept = drafts.into_iter().filter(|draft| !draft.deletes_grant());
        kept.map(|draft| draft.allowing(|user| documents[user]).sign()).collect()
    })
}

/// Documents of the operator and a user under one key, so many that most of them are not kept.
pub(crate) fn crowded() -> impl Strategy<Value = Vec<Arc<Document>>> {
    let one = (any::<bool>(), 1..5_u64, generations(), prop::option::weighted(0.8, 0..2_u8));
    let one = one.prop_map(|(own, version, generation, content)| {
        let draft = if own {
            Draft::Own { key: 0, version, generation, content }
        } else {
            Draft::User { user: 0, key: 0, version, generation, content, documents: 1 }
        };
        draft.sign()
    });
    prop::collection::vec(one, 3..12)
}

pub(crate) fn set<'a>(documents: impl IntoIterator<Item = &'a Arc<Document>>) -> Documents {
    let mut set = Documents::default();
    documents.into_iter().for_each(|document| _ = set.merge(document.clone()));
    set
}

/// What a node that starts makes of the documents on its disk.
pub(crate) fn restored(documents: impl IntoIterator<Item = Arc<Document>>) -> Strew {
    let documents = documents.into_iter().map(Fact::from);
    Strew::restore(Principal([0; 32]), Some(operator().principal()), documents)
}

pub(crate) fn merge(set: &mut Documents, document: &Arc<Document>) -> Outcome {
    set.merge(document.clone())
}

/// The parts of a set that replicas compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) index: Vec<(Digest, Digest)>,
    pub(crate) shown: Vec<(Key, Digest, Option<Digest>, State)>,
    pub(crate) grants_version: u64,
    pub(crate) counting: Vec<Digest>,
    pub(crate) bytes: usize,
}

pub(crate) fn view(set: &Documents) -> View {
    let shown = set.shelves().map(|shelf| {
        let rival = shelf.rival().map(|rival| rival.id());
        (shelf.key().clone(), shelf.winner().id(), rival, set.state(shelf))
    });
    let mut shown: Vec<_> = shown.collect();
    shown.sort_by(|one, other| one.0.cmp(&other.0));
    let counting = set.documents().filter(|it| set.counts(it)).map(|it| it.id());
    let mut counting: Vec<_> = counting.collect();
    counting.sort_unstable();
    View {
        index: set.index().items(crux_crdt::strew::Bounds::ALL).collect(),
        shown,
        grants_version: set.grants_version(),
        counting,
        bytes: set.bytes(),
    }
}

pub(crate) fn principal(n: usize) -> Principal {
    user(n).principal()
}
