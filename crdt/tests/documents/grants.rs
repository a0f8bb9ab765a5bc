use std::collections::BTreeSet;

use crux_crdt::canon::{Canonical as _, DecodeError, Encoder};
use crux_crdt::document::{
    DOCUMENTS_MAX, GRANT_BYTES_MAX, GRANT_SEALED_MAX, Grant, KEY_BYTES_MAX, Key, KeyError, KeyKind,
    PERMISSION_BYTES_MAX, PERMISSIONS_MAX, Permission, Prefix, Role,
};
use crux_crdt::laws::check_canonical;
use proptest::prelude::*;

use crate::world::*;

/// How many documents a grant may allow.
const MOST: u32 = 16_384;

pub(crate) fn keys() -> impl Strategy<Value = Key> {
    let text = "[a-z][a-z0-9_-]{0,31}(/[A-Za-z0-9@:+-][A-Za-z0-9._@:+-]{0,12}){1,4}";
    text.prop_map(|text| text.parse().unwrap())
}

pub(crate) fn texts() -> impl Strategy<Value = String> {
    let horde = "[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?|[*]";
    prop_oneof![
        "read|hordes|nodes|rules|publish|exec",
        ("horde|deploy|work", horde).prop_map(|(word, of)| format!("{word}:{of}")),
        "secrets:[A-Za-z0-9._@:+/-]{0,20}",
    ]
}

/// With permissions that this build knows, and of later ones.
pub(crate) fn grants() -> impl Strategy<Value = Grant> {
    let later = "[!-~]{1,40}";
    let permissions =
        prop::collection::btree_set(prop_oneof![3 => texts().boxed(), 1 => later.boxed()], 0..9);
    ("[a-z0-9]{1,20}", 0..=MOST, any::<bool>(), permissions).prop_map(
        |(name, documents, revoked, texts)| {
            Grant::from_canonical(&encoded(&name, documents, revoked, texts)).unwrap()
        },
    )
}

fn encoded(
    name: &str,
    documents: u32,
    revoked: bool,
    texts: impl IntoIterator<Item = String>,
) -> Vec<u8> {
    let texts: Vec<_> = texts.into_iter().collect();
    let mut out = Encoder::default();
    out.u8(1).str(name).u32(documents).u8(revoked.into()).count(texts.len());
    texts.iter().for_each(|text| _ = out.str(text));
    out.finish()
}

proptest! {
    #[test]
    fn a_key_is_its_text(key in keys()) {
        prop_assert_eq!(Key::new(key.as_str()), Ok(key.clone()));
        prop_assert_eq!(format!("{}/{}", key.kind(), key.name()), key.to_string());
        check_canonical(&key);
    }

    #[test]
    fn a_permission_is_its_text(text in texts()) {
        let permission: Permission = text.parse().unwrap();
        prop_assert_eq!(permission.to_string(), text);
    }

    #[test]
    fn a_grant_has_one_encoding(grant in grants()) {
        check_canonical(&grant);
        prop_assert!(grant.is_within_bounds());
    }

    /// A later permission covers nothing, and one that is known covers no key of the operator.
    #[test]
    fn nothing_covers_what_is_the_operators(grant in grants(), name in "[a-z0-9]{1,9}") {
        for kind in KeyKind::ALL.iter().filter(|kind| kind.is_operators) {
            let key = key(&format!("{}/{name}", kind.name));
            prop_assert!(!grant.covers(&key));
        }
    }
}

#[test]
fn a_key_says_what_is_wrong_and_where() {
    let err = |text: &str| Key::new(text).unwrap_err();
    assert_eq!(err(""), KeyError::NoName);
    assert_eq!(err("rule"), KeyError::NoName);
    assert_eq!(err("rule/"), KeyError::NoName);
    assert_eq!(err("/a"), KeyError::KindStart);
    assert_eq!(err("1a/a"), KeyError::KindStart);
    assert_eq!(err("-/a"), KeyError::KindStart);
    assert_eq!(err("rUle/a"), KeyError::KindChar { found: 'U', at: 1 });
    assert_eq!(err("ru.le/a"), KeyError::KindChar { found: '.', at: 2 });
    assert_eq!(err("rule/a b"), KeyError::Char { found: ' ', at: 6 });
    assert_eq!(err("rule/ä"), KeyError::Char { found: 'ä', at: 5 });
    assert_eq!(err("rule/a\n"), KeyError::Char { found: '\n', at: 6 });
    assert_eq!(err("rule//a"), KeyError::EmptySegment);
    assert_eq!(err("rule/a/"), KeyError::EmptySegment);
    assert_eq!(err("rule/."), KeyError::Dots);
    assert_eq!(err("rule/a/../b"), KeyError::Dots);
    assert_eq!(err(&format!("{}/a", "k".repeat(33))), KeyError::KindTooLong { len: 33, max: 32 });
    let longest = format!("{}/{}", "k".repeat(32), "x".repeat(KEY_BYTES_MAX - 33));
    assert!(Key::new(&longest).is_ok());
    assert_eq!(err(&format!("{longest}x")), KeyError::TooLong { len: KEY_BYTES_MAX + 1 });
    for good in ["rule/...", "a/b", "seat/H/x_y@z:1+2-3.4", "k-_0/A"] {
        assert!(Key::new(good).is_ok(), "{good}");
    }
}

#[test]
fn a_permission_covers_its_key_space() {
    let all = [
        "horde/h",
        "horde/hh",
        "seat/h/x",
        "seat/h",
        "seat/hh/x",
        "node/n",
        "target/h",
        "target/h/x",
        "target/hh",
        "secret/db",
        "secret/db/pw",
        "secret/dbx",
        "secret/x/db",
        "rule/r",
        "publish/p",
        "grant/g",
        "setting/s",
        "later/h",
    ];
    let covered = |text: &str| -> Vec<&str> {
        let permission: Permission = text.parse().unwrap();
        all.into_iter().filter(|it| permission.covers(&key(it))).collect()
    };
    for none in ["read", "exec", "work:h", "work:*", "secrets:nothing"] {
        assert!(covered(none).is_empty(), "{none}");
    }
    assert_eq!(covered("horde:h"), ["horde/h", "seat/h/x"]);
    assert_eq!(covered("horde:*"), ["horde/h", "horde/hh", "seat/h/x", "seat/hh/x"]);
    assert_eq!(covered("hordes"), ["horde/h", "horde/hh"]);
    assert_eq!(covered("nodes"), ["node/n"]);
    assert_eq!(covered("deploy:h"), ["target/h"]);
    assert_eq!(covered("deploy:*"), ["target/h", "target/h/x", "target/hh"]);
    assert_eq!(covered("secrets:db"), ["secret/db", "secret/db/pw", "secret/dbx"]);
    assert_eq!(covered("secrets:db/"), ["secret/db/pw"]);
    assert_eq!(covered("secrets:"), ["secret/db", "secret/db/pw", "secret/dbx", "secret/x/db"]);
    assert_eq!(covered("rules"), ["rule/r"]);
    assert_eq!(covered("publish"), ["publish/p"]);
}

#[test]
fn what_is_mistyped_is_not_a_permission_of_a_person() {
    for text in [
        "",
        "reed",
        "read:",
        "rules:h",
        "horde",
        "horde:",
        "horde:H",
        "deploy:a b",
        "secrets",
        "secrets:a b",
    ] {
        let error = text.parse::<Permission>().unwrap_err();
        assert!(error.to_string().contains("invalid permission"), "{error}");
    }
    for text in ["", "viewer:h", "deployer", "deployer:", "deployer:H", "root"] {
        assert!(text.parse::<Role>().is_err(), "{text}");
    }
}

#[test]
fn a_role_is_short_for_permissions() {
    let of = |text: &str| {
        let role: Role = text.parse().unwrap();
        assert_eq!(role.to_string(), text);
        role.permissions().iter().map(ToString::to_string).collect::<BTreeSet<_>>()
    };
    let texts = |texts: &[&str]| texts.iter().map(|it| (*it).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(of("viewer"), texts(&["read"]));
    assert_eq!(of("deployer:h"), texts(&["read", "deploy:h", "secrets:h/"]));
    assert_eq!(of("deployer:*"), texts(&["read", "deploy:*", "secrets:"]));
    let admin = Grant { permissions: Role::Admin.permissions(), ..granted(0, 1, &[]) };
    for kind in KeyKind::ALL {
        let name = if kind.name == "seat" { "h/x" } else { "h" };
        let covers = admin.covers(&key(&format!("{}/{name}", kind.name)));
        assert_eq!(covers, !kind.is_operators, "{}", kind.name);
    }
}

#[test]
fn a_grant_is_bounded() {
    let decode = |bytes: &[u8]| Grant::from_canonical(bytes);
    let many = |count: usize, len: usize| (0..count).map(move |n| format!("secrets:{n:0>len$}"));
    let most = encoded("alice", MOST, false, many(PERMISSIONS_MAX, 40));
    assert!(decode(&most).is_ok_and(|grant| grant.permissions.len() == PERMISSIONS_MAX));
    let over = decode(&encoded("alice", 1, false, many(PERMISSIONS_MAX + 1, 40)));
    assert!(matches!(over, Err(DecodeError::TooLarge { what: "permissions", .. })), "{over:?}");
    let large = decode(&encoded("alice", 1, false, many(PERMISSIONS_MAX, 128)));
    assert!(matches!(large, Err(DecodeError::TooLarge { what: "permission", .. })), "{large:?}");
    let long = decode(&encoded("alice", 1, false, ["x".repeat(PERMISSION_BYTES_MAX + 1)]));
    assert!(matches!(long, Err(DecodeError::TooLarge { what: "permission", .. })), "{long:?}");
    let documents = decode(&encoded("alice", MOST + 1, false, []));
    assert_eq!(documents, Err(DecodeError::Invalid("number of documents")));
    let name = decode(&encoded("Alice", 1, false, []));
    assert_eq!(name, Err(DecodeError::Invalid("name of a user")));
    for wrong in ["", "a b", "read\n", "ä"] {
        let text = decode(&encoded("alice", 1, false, [wrong.to_owned()]));
        assert!(matches!(text, Err(DecodeError::Invalid(_))), "{wrong:?}");
    }
    for order in [["rules", "read"], ["read", "read"]] {
        let order = decode(&encoded("alice", 1, false, order.map(str::to_owned)));
        assert_eq!(order, Err(DecodeError::Invalid("order of permissions")));
    }
    assert_eq!(usize::try_from(MOST), Ok(DOCUMENTS_MAX));
    let over = Grant { documents: MOST + 1, ..granted(0, 1, &[]) };
    assert!(!over.is_within_bounds());
}

/// The largest grant fits where it is enclosed.
#[test]
fn the_largest_grant_fits_in_a_document() {
    let name = "n".repeat(63).parse().unwrap();
    // As many bytes as fit: 56 for each of 64 permissions.
    let texts = (0..PERMISSIONS_MAX).map(|n| format!("secrets:{n:0>48}").parse().unwrap());
    let largest = Grant { name, permissions: texts.collect(), ..granted(0, 9, &[]) };
    assert!(largest.is_within_bounds());
    let bytes = largest.to_canonical().len();
    assert!((GRANT_BYTES_MAX - 200..=GRANT_BYTES_MAX).contains(&bytes), "{bytes} bytes");
    assert!(grant(0, 1, 1, &largest).bytes() <= GRANT_SEALED_MAX);
}

/// The encoding does not depend on how this build orders what it knows.
#[test]
fn permissions_are_encoded_in_the_order_of_their_texts() {
    let texts = ["deploy:h", "exec", "hordes", "later:x", "read", "zoo"].map(str::to_owned);
    let bytes = encoded("alice", 1, false, texts);
    let grant = Grant::from_canonical(&bytes).unwrap();
    assert_eq!(grant.to_canonical(), bytes);
    let later = grant.permissions.iter().filter(|it| matches!(it, Permission::Later(_)));
    assert_eq!(later.count(), 2);
    assert!(Prefix::default().begins("anything"));
}
