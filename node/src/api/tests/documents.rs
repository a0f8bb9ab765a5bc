//! Documents that a node takes, and those that it refuses from any caller.

use crux_client::model::DocumentState;
use crux_client::op::{
    BASIS_KEYS_MAX, DocumentBasis, ListDocuments, PUT_DOCUMENTS_MAX, PutDocuments, ShowDocument,
};
use crux_crdt::canon::Canonical as _;
use crux_crdt::document::{Body, CONTENT_MAX, Document, Grant, Key, Role};
use crux_crdt::sign::{Identity, Signed};
use crux_crdt::{Digest, Principal};

use super::*;

fn identity(seed: u8) -> Identity {
    Identity::from_seed(&[seed; 32])
}

const OPERATOR: u8 = 1;
const ALICE: u8 = 2;

fn node() -> FakeNode {
    FakeNode::start(View { operator: Some(identity(OPERATOR).principal()), ..view() })
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn body(key: &Key, at: (u64, u64), content: &[u8]) -> Body {
    Body::new(key.clone(), at.0, at.1, Some(content.into()))
}

/// A document of the operator.
fn of_operator(key: &Key, at: (u64, u64), content: &[u8]) -> Arc<Document> {
    let signed =
        Document::sign(body(key, at, content), &view().flock_id, &identity(OPERATOR), None);
    Arc::new(signed.unwrap())
}

fn grant(role: &str, at: (u64, u64), revoked: bool) -> Arc<Document> {
    let role: Role = role.parse().unwrap();
    let name = "alice".parse().unwrap();
    let grant = Grant { name, documents: 8, permissions: role.permissions(), revoked };
    of_operator(&Key::grant(&identity(ALICE).principal()), at, &grant.to_canonical())
}

/// A document of Alice under a grant.
fn of_alice(key: &Key, at: (u64, u64), content: &[u8], grant: &Arc<Document>) -> Arc<Document> {
    let signed = Document::sign(
        body(key, at, content),
        &view().flock_id,
        &identity(ALICE),
        Some(grant.clone()),
    );
    Arc::new(signed.unwrap())
}

fn put(documents: &[&Arc<Document>]) -> PutDocuments {
    raw(documents.iter().map(|document| document.sealed()).collect())
}

fn raw(documents: Vec<Vec<u8>>) -> PutDocuments {
    PutDocuments { documents, sync: 0, sync_within: None }
}

async fn refusal(node: &FakeNode, put: PutDocuments) -> (Kind, String) {
    let err = node.client().await.call(&put).await.unwrap_err();
    assert_eq!(err.state_changed(), StateChanged::No, "{err}");
    (err.kind(), err.to_string())
}

#[tokio::test]
async fn what_is_put_is_listed_shown_and_the_basis_of_the_next() {
    let node = node();
    let client = node.client().await;
    let target = key("target/main");
    let basis = DocumentBasis { keys: vec![target.clone()], signer: identity(ALICE).principal() };
    let before = client.call(&basis).await.unwrap();
    assert_eq!((before.operator, before.grants_version), (node.views.borrow().operator, 0));
    assert_eq!((before.grant, before.keys[0].next_generation), (None, 1));
    let grant = grant("deployer:main", (1, 1), false);
    let document = of_alice(&target, (1, 1), b"x", &grant);
    let written = client.call(&put(&[&grant, &document])).await.unwrap();
    assert_eq!((written[1].id, written[1].generation), (document.id(), 1));
    let after = client.call(&basis).await.unwrap();
    assert_eq!((after.flock_id, after.grants_version), (view().flock_id, 1));
    assert_eq!(after.grant, Some(grant.sealed()));
    assert_eq!((after.keys[0].next_generation, after.keys[0].present), (2, true));
    let list = client.call(&ListDocuments::default()).await.unwrap();
    let shown: Vec<_> = list.iter().map(|it| (it.key.as_str(), it.signer.name.as_str())).collect();
    assert_eq!(shown[1], ("target/main", "alice"));
    assert_eq!(list[1].state, DocumentState::Current);
    let shown = client.call(&ShowDocument { key: target.clone() }).await.unwrap();
    assert_eq!((shown.content.as_deref(), &shown.entry), (Some(b"x".as_slice()), &list[1]));
    let absent = client.call(&ShowDocument { key: key("target/none") }).await.unwrap_err();
    assert_eq!(absent.kind(), Kind::NotFound);
    // It is all the same when it is put again, and a conflict when it is another one.
    let other = of_alice(&target, (1, 1), b"y", &grant);
    assert_eq!(refusal(&node, put(&[&other])).await.0, Kind::Conflict);
}

#[tokio::test]
async fn what_a_peer_could_not_send_a_caller_cannot_either() {
    let node = node();
    let rule = key("rule/a");
    let good = of_operator(&rule, (1, 1), b"x");
    let other_flock =
        Document::sign(body(&rule, (1, 1), b"x"), &Digest([9; 32]), &identity(OPERATOR), None);
    let mut forged = good.sealed();
    forged[40] ^= 1;
    let mut long = good.sealed();
    long.push(0);
    for bytes in [vec![], good.sealed()[..50].to_vec(), forged, long, other_flock.unwrap().sealed()]
    {
        let (kind, said) = refusal(&node, raw(vec![good.sealed(), bytes])).await;
        assert_eq!(kind, Kind::InvalidArgument, "{said}");
        assert!(said.contains("document 2 of the request"), "{said}");
    }
    let (kind, said) = refusal(&node, put(&[&good, &good])).await;
    assert_eq!(kind, Kind::InvalidArgument);
    assert!(said.contains("twice"), "{said}");
    assert!(node.views.borrow().documents.is_empty(), "all of them or none");
}

/// Signed without the checks that `Document::sign` makes.
fn unchecked(body: Body) -> Vec<u8> {
    let mut out = crux_crdt::canon::Encoder::default();
    Signed::sign(body, &view().flock_id, &identity(ALICE)).seal(&mut out);
    out.finish()
}

#[tokio::test]
async fn what_is_not_granted_is_refused() {
    let node = node();
    let (target, other) = (key("target/main"), key("target/edge"));
    let fits = grant("deployer:main", (1, 1), false);
    let under = |grant: &Arc<Document>, key: &Key, at| {
        let sealed = Some(grant.sealed().into());
        unchecked(Body { grant: sealed, ..body(key, at, b"x") })
    };
    let revoked = grant("deployer:main", (1, 2), true);
    for bytes in [
        unchecked(body(&target, (1, 1), b"x")),
        under(&fits, &other, (1, 1)),
        under(&fits, &target, (2, 1)),
        under(&revoked, &target, (1, 1)),
        under(&fits, &key("setting/log"), (1, 1)),
        under(&fits, &key("grant/x"), (1, 1)),
        under(&of_operator(&target, (1, 1), b"x"), &target, (1, 1)),
    ] {
        let (kind, said) = refusal(&node, raw(vec![bytes])).await;
        assert_eq!(kind, Kind::NotGranted, "{said}");
    }
    // Valid in itself, and no longer granted.
    let client = node.client().await;
    client.call(&put(&[&grant("deployer:main", (2, 3), true)])).await.unwrap();
    let (kind, said) = refusal(&node, put(&[&of_alice(&target, (1, 1), b"x", &fits)])).await;
    assert_eq!(kind, Kind::NotGranted, "{said}");
}

#[tokio::test]
async fn without_an_operator_nothing_is_taken() {
    let node = FakeNode::start(view());
    let put = put(&[&of_operator(&key("rule/a"), (1, 1), b"x")]);
    assert_eq!(refusal(&node, put).await.0, Kind::NoOperator);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_requests_are_taken_up_to_their_bound() {
    let node = node();
    let content = vec![7; CONTENT_MAX];
    let large: Vec<_> = (0..127)
        .map(|n| of_operator(&key(&format!("rule/{n}")), (1, 1), &content).sealed())
        .collect();
    let client = node.client().await;
    assert_eq!(client.call(&raw(large.clone())).await.map(|all| all.len()), Ok(127));
    let err = client.call(&raw(vec![vec![0; 10 << 20]])).await.unwrap_err();
    assert_eq!(err.kind(), Kind::InvalidArgument, "{err}");
    let err = client.call(&raw(vec![vec![]; PUT_DOCUMENTS_MAX + 1])).await.unwrap_err();
    assert_eq!(err.kind(), Kind::InvalidArgument, "{err}");
    // The longest question fits into a short request.
    let long = key(&format!("rule/{}", "x".repeat(123)));
    let basis = DocumentBasis { keys: vec![long; BASIS_KEYS_MAX], signer: Principal([7; 32]) };
    assert_eq!(client.call(&basis).await.map(|basis| basis.keys.len()), Ok(BASIS_KEYS_MAX));
}
