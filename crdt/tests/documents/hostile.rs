use std::sync::Arc;

use crux_crdt::Digest;
use crux_crdt::canon::{Canonical, DecodeError, Decoder, Encoder};
use crux_crdt::document::{
    Body, CONTENT_MAX, Document, DocumentError, GENERATION_LIMIT, GRANT_SEALED_MAX, Key,
};
use crux_crdt::sign::{Ed25519, Identity, OpenError, Signable, Signed, Terms};

use crate::world::*;

/// Bytes that are signed as a body.
#[derive(Debug, Clone)]
struct Raw(Vec<u8>);

impl Signable for Raw {
    const DOMAIN: &'static str = Body::DOMAIN;
}

impl Canonical for Raw {
    fn encode(&self, out: &mut Encoder) {
        out.fixed(&self.0);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self(input.take(input.remaining(), "all")?.into()))
    }
}

fn sealed<T: Signable>(value: T, flock: &Digest, by: &Identity) -> Vec<u8> {
    let mut out = Encoder::default();
    Signed::sign(value, flock, by).seal(&mut out);
    out.finish()
}

fn open(bytes: &[u8]) -> Result<Document, DocumentError> {
    let mut input = Decoder::new(bytes);
    let document = Document::open(&mut input, &terms())?;
    input.finish().map_err(OpenError::Envelope)?;
    Ok(document)
}

/// Why a body that somebody signed is refused.
fn why(body: &Body, by: &Identity) -> DocumentError {
    open(&sealed(Raw(body.to_canonical()), &FLOCK, by)).unwrap_err()
}

fn body(key: &Key, version: u64, generation: u64, grant: Option<&[u8]>) -> Body {
    let content = Some(b"x".as_slice().into());
    Body { grant: grant.map(Into::into), ..Body::new(key.clone(), version, generation, content) }
}

fn rules() -> Arc<Document> {
    grant(0, 3, 1, &granted(0, 9, &["rules"]))
}

#[test]
fn a_document_opens_to_itself() {
    let documents = [
        own(&key_of(0), 0, 1, Some(b"")),
        own(&key_of(0), 1, GENERATION_LIMIT - 1, None),
        own(&key("later/kind"), GENERATION_LIMIT - 1, 1, Some(&[0; CONTENT_MAX])),
        own(&key("setting/log"), 1, 1, Some(b"info")),
        rules(),
        users(0, &key_of(0), 1, Some(b"x"), &rules()),
        users(0, &key_of(0), 1, None, &rules()),
    ];
    for document in documents {
        let bytes = document.sealed();
        let opened = open(&bytes).unwrap();
        assert_eq!((opened.sealed(), document.bytes()), (bytes.clone(), bytes.len()));
        assert_eq!((opened.id(), opened.marker()), (document.id(), document.marker()));
        assert_eq!(opened.grant(), document.grant());
        assert_eq!(opened.is_deleted(), opened.content().is_none());
        assert_eq!(opened.is_operators(), opened.signer() == operator().principal());
        let mut input = Decoder::new(&bytes);
        assert_eq!(Document::peek(&mut input), Ok((document.key().digest(), document.id())));
        assert_eq!(input.remaining(), 0);
    }
}

/// Every byte counts, those of the grant as well.
#[test]
fn no_cut_and_no_flip_opens() {
    let bytes = users(0, &key_of(0), 1, Some(b"x"), &rules()).sealed();
    for at in 0..bytes.len() {
        assert!(open(&bytes[..at]).is_err(), "{at} bytes open");
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(open(&flipped).is_err(), "a flip at byte {at} opens");
    }
    assert!(open(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn a_flock_without_an_operator_has_no_documents() {
    let document = own(&key_of(0), 1, 1, Some(b"x")).sealed();
    let terms = Terms { flock: FLOCK, operator: None, verifier: &Ed25519 };
    let refused = Document::open(&mut Decoder::new(&document), &terms);
    assert_eq!(refused, Err(DocumentError::NoOperator));
}

#[test]
fn another_flocks_documents_are_refused() {
    let signature = DocumentError::Open(OpenError::Signature);
    let other = Digest([8; 32]);
    let of_operator = Raw(body(&key_of(0), 3, 1, None).to_canonical());
    assert_eq!(open(&sealed(of_operator, &other, operator())), Err(signature.clone()));
    let grant = rules().sealed();
    let of_user = Raw(body(&key_of(0), 3, 1, Some(&grant)).to_canonical());
    assert_eq!(open(&sealed(of_user, &other, user(0))), Err(signature));
    // A grant for another flock in a document for this one.
    let content = granted(0, 9, &["rules"]).to_canonical();
    let there = Body::new(Key::grant(&principal(0)), 3, 1, Some(content.into()));
    let there = Arc::new(Document::sign(there, &other, operator(), None).unwrap());
    let refused = why(&body(&key_of(0), 3, 1, Some(&there.sealed())), user(0));
    assert_eq!(refused, DocumentError::Grant(OpenError::Signature));
    let draft = Body::new(key_of(0), 3, 1, None);
    let refused = Document::sign(draft, &FLOCK, user(0), Some(there)).unwrap_err();
    assert_eq!(refused, DocumentError::Grant(OpenError::Signature));
}

#[test]
fn a_mistyped_body_is_refused() {
    let good = body(&key_of(0), 1, 1, None);
    let bytes = good.to_canonical();
    let refuse = |bytes: Vec<u8>| match open(&sealed(Raw(bytes), &FLOCK, operator())) {
        Err(DocumentError::Open(OpenError::Body(error))) => error,
        other => panic!("{other:?}"),
    };
    for at in 0..bytes.len() {
        refuse(bytes[..at].to_vec());
    }
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        bytes
    };
    let unknown = refuse(with(0, 2));
    assert_eq!(unknown.unknown(), Some(("document version", 2)));
    // Version and length come before the key, and the rest is one byte of content.
    let at = 1 + 4 + good.key.as_str().len();
    for (name, value) in [(b'/', b'!'), (b'r', b'R'), (b'0', b'/')] {
        let place = 5 + good.key.as_str().bytes().position(|byte| byte == name).unwrap();
        assert_eq!(refuse(with(place, value)), DecodeError::Invalid("key"));
    }
    assert_eq!(refuse(with(at + 1, 1)), DecodeError::Invalid("grants version"), "2^48");
    assert_eq!(refuse(with(at + 8 + 1, 1)), DecodeError::Invalid("generation"), "2^48");
    assert_eq!(refuse(with(at + 8 + 7, 0)), DecodeError::Invalid("generation"), "0");
    assert_eq!(refuse(with(at + 16, 2)), DecodeError::Invalid("content"));
    assert_eq!(refuse(with(at + 16 + 1 + 4 + 1, 2)), DecodeError::Invalid("grant"));
    let trailing = refuse([&bytes[..], &[0]].concat());
    assert_eq!(trailing, DecodeError::Trailing(1));
}

#[test]
fn nothing_is_larger_than_its_bound() {
    let largest = body(&key_of(0), 1, 1, Some(&[0; GRANT_SEALED_MAX]));
    let largest = Body { content: Some(vec![0; CONTENT_MAX].into()), ..largest };
    let long = key(&format!("rule/{}", "x".repeat(123)));
    let fits = Body { key: long, ..largest.clone() };
    assert_eq!(fits.to_canonical().len(), Body::BODY_MAX);
    assert_eq!(Body::from_canonical(&fits.to_canonical()), Ok(fits));
    let content = Body { content: Some(vec![0; CONTENT_MAX + 1].into()), ..largest.clone() };
    let refused = Body::from_canonical(&content.to_canonical()).unwrap_err();
    assert!(matches!(refused, DecodeError::TooLarge { what: "content", .. }), "{refused}");
    let grant = Body { grant: Some(vec![0; GRANT_SEALED_MAX + 1].into()), ..largest };
    let refused = Body::from_canonical(&grant.to_canonical()).unwrap_err();
    assert!(matches!(refused, DecodeError::TooLarge { what: "grant", .. }), "{refused}");
    let draft = Body::new(key_of(0), 1, 1, Some(vec![0; CONTENT_MAX + 1].into()));
    let refused = Document::sign(draft, &FLOCK, operator(), None).unwrap_err();
    assert_eq!(refused, DocumentError::TooLarge(CONTENT_MAX + 1));
    for (version, generation) in [(GENERATION_LIMIT, 1), (0, GENERATION_LIMIT), (0, 0)] {
        let draft = Body::new(key_of(0), version, generation, None);
        let refused = Document::sign(draft, &FLOCK, operator(), None).unwrap_err();
        assert!(matches!(refused, DocumentError::Open(OpenError::Body(_))), "{refused}");
    }
}

#[test]
fn a_user_needs_its_own_grant_for_the_key() {
    let grant = rules().sealed();
    let rule = key_of(0);
    let refused = |body: &Body| why(body, user(0));
    assert_eq!(refused(&body(&rule, 3, 1, None)), DocumentError::GrantMissing);
    let another = why(&body(&rule, 3, 1, Some(&grant)), user(1));
    assert_eq!(another, DocumentError::GrantKey(Key::grant(&principal(0))));
    let not_a_grant = own(&rule, 3, 1, Some(b"x"));
    let other = refused(&body(&rule, 3, 1, Some(&not_a_grant.sealed())));
    assert_eq!(other, DocumentError::GrantKey(rule.clone()));
    for found in [2, 4] {
        let version = DocumentError::GrantVersion { found, grant: 3 };
        assert_eq!(refused(&body(&rule, found, 1, Some(&grant))), version);
    }
    for text in ["horde/h", "target/rule", "secret/rule/r0", "ruled/r0", "later/kind"] {
        let space = refused(&body(&key(text), 3, 1, Some(&grant)));
        assert_eq!(space, DocumentError::NotCovered(key(text)));
    }
    let deleted = own(&Key::grant(&principal(0)), 3, 1, None);
    let deleted = refused(&body(&rule, 3, 1, Some(&deleted.sealed())));
    assert_eq!(deleted, DocumentError::GrantDeleted);
    let mut revoked = granted(0, 9, &["rules"]);
    revoked.revoked = true;
    let revoked = crate::world::grant(0, 3, 1, &revoked);
    let revoked = refused(&body(&rule, 3, 1, Some(&revoked.sealed())));
    assert_eq!(revoked, DocumentError::GrantRevoked);
}

#[test]
fn what_is_enclosed_is_the_operators_and_nothing_else() {
    let rule = key_of(0);
    let refused = |grant: &[u8]| why(&body(&rule, 3, 1, Some(grant)), user(0));
    // A grant that a user signed, for itself and for another.
    let content = granted(0, 9, &["rules"]).to_canonical();
    let draft = Body::new(Key::grant(&principal(0)), 3, 1, Some(content.clone().into()));
    for by in [user(0), user(1)] {
        let grant = sealed(Raw(draft.to_canonical()), &FLOCK, by);
        assert_eq!(refused(&grant), DocumentError::GrantSigner);
    }
    // One that claims to be the operator's.
    let mut claimed = sealed(Raw(draft.to_canonical()), &FLOCK, user(0));
    claimed[..32].copy_from_slice(&operator().principal().0);
    assert_eq!(refused(&claimed), DocumentError::Grant(OpenError::Signature));
    // Grants in grants.
    let nested = Body { grant: Some(rules().sealed().into()), ..draft };
    let nested = sealed(Raw(nested.to_canonical()), &FLOCK, operator());
    assert_eq!(refused(&nested), DocumentError::GrantOfOperator);
    let of_user = users(0, &rule, 1, Some(b"x"), &rules()).sealed();
    assert_eq!(refused(&of_user), DocumentError::GrantSigner);
    // Cut, too long, and nothing.
    let good = rules().sealed();
    for bytes in [&good[..good.len() - 1], &good[..31], &[], &[&good[..], &[0]].concat()] {
        let error = refused(bytes);
        assert!(matches!(error, DocumentError::Grant(OpenError::Envelope(_))), "{error}");
    }
    let of_operator = why(&body(&rule, 3, 1, Some(&good)), operator());
    assert_eq!(of_operator, DocumentError::GrantOfOperator);
}

#[test]
fn grants_and_settings_are_the_operators() {
    let admin = grant(0, 3, 1, &{
        let mut all = granted(0, 9, &[]);
        all.permissions = "admin".parse::<crux_crdt::document::Role>().unwrap().permissions();
        all
    });
    for text in
        [Key::grant(&principal(1)).as_str(), Key::grant(&principal(0)).as_str(), "setting/log"]
    {
        let refused = why(&body(&key(text), 3, 1, Some(&admin.sealed())), user(0));
        assert_eq!(refused, DocumentError::OperatorsOnly(key(text)));
        let draft = Body::new(key(text), 3, 1, None);
        let refused = Document::sign(draft, &FLOCK, user(0), Some(admin.clone())).unwrap_err();
        assert_eq!(refused, DocumentError::OperatorsOnly(key(text)));
    }
    for text in ["rule/a", "horde/h", "seat/h/x", "node/n", "target/h", "secret/a/b", "publish/p"] {
        users(0, &key(text), 1, Some(b"x"), &admin);
    }
}

#[test]
fn a_grant_names_a_key_that_is_not_the_operators() {
    let content = granted(0, 9, &["rules"]).to_canonical();
    let hex = principal(0).to_string();
    let wrong = [
        hex[..63].to_owned(),
        format!("{hex}0"),
        hex.to_uppercase(),
        "alice".into(),
        format!("{hex}/a"),
    ];
    for name in wrong {
        let key = key(&format!("grant/{name}"));
        for content in [Some(content.clone().into()), None] {
            let draft = Body::new(key.clone(), 1, 1, content);
            assert_eq!(why(&draft, operator()), DocumentError::Grantee(key.clone()));
            let refused = Document::sign(draft, &FLOCK, operator(), None).unwrap_err();
            assert_eq!(refused, DocumentError::Grantee(key.clone()));
        }
    }
    let own = Body::new(Key::grant(&operator().principal()), 1, 1, Some(content.into()));
    assert_eq!(why(&own, operator()), DocumentError::GranteeIsOperator);
    let key = Key::grant(&principal(0));
    for content in [&b""[..], b"\x01", b"hello"] {
        let draft = Body::new(key.clone(), 1, 1, Some(content.into()));
        assert!(matches!(why(&draft, operator()), DocumentError::Content(_)));
    }
    let later = Body::new(key, 1, 1, Some(b"\x02".as_slice().into()));
    assert_eq!(why(&later, operator()).unknown(), Some(("grant version", 2)));
}

/// An envelope of another kind of statement, with the same bytes.
#[test]
fn a_body_under_another_domain_is_refused() {
    #[derive(Debug)]
    struct Stranger(Body);
    impl Signable for Stranger {
        const DOMAIN: &'static str = "crux/stranger/1";
    }
    impl Canonical for Stranger {
        fn encode(&self, out: &mut Encoder) {
            self.0.encode(out);
        }
        fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
            Body::decode(input).map(Self)
        }
    }
    let stranger = sealed(Stranger(body(&key_of(0), 1, 1, None)), &FLOCK, operator());
    assert_eq!(open(&stranger), Err(DocumentError::Open(OpenError::Signature)));
}
