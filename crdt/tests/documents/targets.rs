//! Targets, and orders to nodes: what is written is what is read, every bound, and which documents have effect.

use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::blob::{BlobHasher, BlobId};
use crux_crdt::canon::{Canonical as _, DecodeError, Encoder};
use crux_crdt::document::{
    CONTENT_MAX, Document, EARLIER_MAX, Earlier, GENERATION_MAX, Key, NOTE_BYTES_MAX, NodeOrder,
    NodeOrderError, TARGET_SERVICES_MAX, Target, TargetError, Usage,
};
use crux_crdt::laws::check_canonical;
use crux_crdt::name::{Label, ServiceName};
use crux_crdt::service::{Config, Fields, Image, SpecTag, arbitrary};
use crux_crdt::text::is_plain;
use proptest::prelude::*;

use crate::world::*;

const PROGRAM: &str = "pick(web, 2, ALL) # köln\n\tpick(db, 1, web)\n";

fn horde(name: &str) -> Label {
    name.parse().unwrap()
}

fn main() -> Label {
    Label::main_horde()
}

pub(crate) fn service(name: &str, set: impl FnOnce(&mut Fields<Image>)) -> Config {
    let mut fields = Fields::new(name.parse().unwrap(), Image::Blob(BlobId([7; 32])));
    set(&mut fields);
    fields.try_into().unwrap()
}

fn earlier(generation: u64, note: &str) -> Earlier {
    let (by, blob) = (user(0).principal(), BlobId([9; 32]));
    Earlier { generation, by, note: note.to_owned(), blob }
}

fn target_of(services: Vec<Config>, earlier: Vec<Earlier>) -> Result<Target, TargetError> {
    Target::new(&main(), PROGRAM.to_owned(), services, "a note".to_owned(), earlier)
}

pub(crate) fn target() -> Target {
    let web = service("web", |it| it.priority = 3);
    target_of(vec![web, service("db", |_| ())], vec![earlier(6, "six"), earlier(2, "")]).unwrap()
}

fn document(horde: &str, generation: u64, content: Option<&[u8]>) -> std::sync::Arc<Document> {
    own(&key(&format!("target/{horde}")), 1, generation, content)
}

fn plain(max: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(any::<char>().prop_filter("plain", |c| is_plain(*c)), 0..max)
        .prop_map(String::from_iter)
}

fn earliers() -> impl Strategy<Value = Vec<Earlier>> {
    let one = (any::<[u8; 32]>(), plain(9), any::<[u8; 32]>());
    let all = prop::collection::btree_map(1..=GENERATION_MAX, one, 0..5);
    all.prop_map(|all| {
        let of = |(generation, (by, note, blob))| Earlier {
            generation,
            by: Principal(by),
            note,
            blob: BlobId(blob),
        };
        all.into_iter().rev().map(of).collect()
    })
}

pub(crate) fn targets() -> impl Strategy<Value = (Label, Target)> {
    let services = prop::collection::vec(arbitrary::configs(), 0..4);
    let parts = ("[a-z0-9]{1,9}", "[a-z:=(),\n\té]{0,40}", services, plain(20), earliers());
    parts.prop_map(|(name, program, services, note, earlier)| {
        let horde = horde(&name);
        let mut seen = std::collections::BTreeSet::new();
        let services = services.into_iter().filter(|config| seen.insert(config.name.clone()));
        let services = services.map(|config| {
            let horde = horde.clone();
            Config::try_from(Fields { count: 1, horde, ..config.into_fields() }).unwrap()
        });
        let target = Target::new(&horde, program, services, note, earlier).unwrap();
        (horde, target)
    })
}

pub(crate) fn node_orders() -> impl Strategy<Value = NodeOrder> {
    let later =
        prop::collection::btree_map(1..=u8::MAX, prop::collection::vec(any::<u8>(), 0..9), 0..3);
    (1..=4_u8, 0..=7 * 24 * 3_600_000_u32, later).prop_map(|(usage, millis, later)| {
        let mut out = Encoder::default();
        out.u8(1).u8(usage);
        if usage == 4 {
            out.u32(millis);
        }
        out.count(later.len());
        later.iter().for_each(|(tag, body)| _ = out.u8(*tag).bytes(body));
        NodeOrder::from_canonical(&out.finish()).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_target_has_one_encoding((horde, target) in targets()) {
        check_canonical(&target);
        prop_assert_eq!(Target::read(&horde, &target.to_canonical()), Ok(target.clone()));
        let services = target.services().values().cloned();
        let (program, note) = (target.program().to_owned(), target.note().to_owned());
        let again = Target::new(&horde, program, services, note, target.earlier().to_vec());
        prop_assert_eq!(again, Ok(target.clone()));
        for config in target.services().values() {
            prop_assert_eq!(target.config(config.spec_tag()), Some(config));
        }
    }

    #[test]
    fn an_order_to_a_node_has_one_encoding(order in node_orders()) {
        check_canonical(&order);
        prop_assert!(order.is_within_bounds());
    }
}

#[test]
fn a_target_is_what_its_document_says() {
    let target = target();
    let content = target.to_canonical();
    assert_eq!(Target::of(&document("main", 7, Some(&content))), Ok(Some(target.clone())));
    assert_eq!(Target::of(&document("main", 8, None)), Ok(None));
    assert_eq!((target.program(), target.note()), (PROGRAM, "a note"));
    let names: Vec<_> = target.services().keys().map(ServiceName::as_str).collect();
    assert_eq!(names, ["db", "web"]);
    let web = &target.services()[&"web".parse().unwrap()];
    assert_eq!(web.priority, 3);
    assert_eq!(target.config(web.spec_tag()), Some(web));
    assert_eq!(target.config(SpecTag([0; 8])), None);
    for key in ["target/main/x", "target/Main", "setting/main", "rule/main"] {
        let other = own(&self::key(key), 1, 7, Some(&content));
        assert_eq!(Target::of(&other), Err(TargetError::Key), "{key}");
    }
    let err = Target::of(&document("shop", 7, Some(&content))).unwrap_err();
    let said = "the config of db has the horde main, and this is the target of shop";
    assert_eq!(err.to_string(), said);
    // A generation that is not before the document's own.
    assert_eq!(Target::of(&document("main", 6, Some(&content))), Err(TargetError::Earlier));
}

#[test]
fn the_target_says_the_horde_and_the_program_how_many() {
    let shop = horde("shop");
    let of = |config| Target::new(&shop, String::new(), [config], String::new(), vec![]);
    let target = of(service("web", |_| ())).unwrap();
    assert_eq!(target.services()[&"web".parse().unwrap()].horde, shop);
    assert_eq!(of(service("web", |it| it.horde = horde("shop"))), Ok(target));
    let err = of(service("web", |it| it.horde = horde("bank"))).unwrap_err();
    let said = "the config of web has the horde bank, and this is the target of shop";
    assert_eq!(err.to_string(), said);
    let err = of(service("web", |it| it.count = 2)).unwrap_err();
    assert_eq!(err, TargetError::Count("web".parse().unwrap()));
    let twice =
        vec![service("web", |_| ()), service("db", |_| ()), service("web", |it| it.nofile = 99)];
    assert_eq!(target_of(twice, vec![]), Err(TargetError::Twice("web".parse().unwrap())));
}

#[test]
fn a_target_fits_a_document_to_the_byte() {
    let with = |len: usize, earlier: Vec<Earlier>| {
        let program = "#".repeat(len);
        Target::new(&main(), program, [service("web", |_| ())], String::new(), earlier)
    };
    let bare = with(0, vec![]).unwrap().to_canonical().len();
    let most = CONTENT_MAX - bare;
    let full = with(most, vec![]).unwrap();
    assert_eq!(full.to_canonical().len(), CONTENT_MAX);
    assert_eq!(Target::read(&main(), &full.to_canonical()), Ok(full));
    let err = with(most + 1, vec![]).unwrap_err();
    assert_eq!(err, TargetError::TooLarge { bytes: CONTENT_MAX + 1 });
    assert!(
        err.to_string().starts_with("the target has 65537 bytes, 1 more than the 65536"),
        "{err}"
    );
    // The bytes of such a target, wherever they come from.
    let mut bytes = with(most, vec![]).unwrap().to_canonical();
    bytes.push(b'#');
    bytes[1..5].copy_from_slice(&u32::try_from(most + 1).unwrap().to_be_bytes());
    bytes[5 + most..].rotate_right(1);
    assert_eq!(
        Target::read(&main(), &bytes),
        Err(TargetError::TooLarge { bytes: CONTENT_MAX + 1 })
    );
    assert!(matches!(Target::from_canonical(&bytes), Err(DecodeError::TooLarge { .. })));
    // Earlier generations make way, the oldest first; the last one stays.
    let history: Vec<_> = (1..=9).rev().map(|generation| earlier(generation, "")).collect();
    let each = history[0].to_canonical().len();
    let kept = |len: usize| {
        with(len, history.clone()).map(|target| {
            assert!(target.to_canonical().len() <= CONTENT_MAX);
            target.earlier().iter().map(|it| it.generation).collect::<Vec<_>>()
        })
    };
    assert_eq!(kept(most - 9 * each), Ok((1..=9).rev().collect()));
    assert_eq!(kept(most - 9 * each + 1), Ok((2..=9).rev().collect()));
    assert_eq!(kept(most - each), Ok(vec![9]));
    assert_eq!(kept(most - each + 1), Err(TargetError::TooLarge { bytes: CONTENT_MAX + 1 }));
}

#[test]
fn numbers_and_lengths_are_bounded() {
    let many = |len: usize| {
        let services = (0..len).map(|at| service(&format!("s{at}"), |_| ()));
        Target::new(&main(), String::new(), services, String::new(), vec![])
    };
    let full = many(TARGET_SERVICES_MAX).unwrap();
    assert_eq!(Target::read(&main(), &full.to_canonical()).as_ref(), Ok(&full));
    let err = many(TARGET_SERVICES_MAX + 1).unwrap_err();
    assert_eq!(err, TargetError::Services(TARGET_SERVICES_MAX + 1));
    let note = |note: String| Target::new(&main(), String::new(), [], note, vec![]);
    assert!(note("é".repeat(NOTE_BYTES_MAX / 2)).is_ok());
    let long = "x".repeat(NOTE_BYTES_MAX + 1);
    assert_eq!(note(long.clone()), Err(TargetError::Note { len: NOTE_BYTES_MAX + 1 }));
    for hidden in ["two\nlines", "\u{1b}[2J", "\u{202e}x"] {
        assert!(matches!(note(hidden.to_owned()), Err(TargetError::Note { .. })), "{hidden:?}");
    }
    let history = |all: Vec<Earlier>| target_of(vec![], all);
    let all: Vec<_> = (1..=40).rev().map(|it| earlier(it, "n")).collect();
    let target = history(all.clone()).unwrap();
    assert_eq!(target.earlier(), &all[..EARLIER_MAX]);
    for wrong in [
        vec![earlier(2, ""), earlier(2, "")],
        vec![earlier(1, ""), earlier(2, "")],
        vec![earlier(0, "")],
        vec![earlier(GENERATION_MAX + 1, "")],
        vec![earlier(1, &long)],
        vec![earlier(1, "a\nb")],
    ] {
        assert_eq!(history(wrong.clone()), Err(TargetError::Earlier), "{wrong:?}");
    }
}

#[test]
fn a_program_shows_what_it_says() {
    let of = |program: &str| Target::new(&main(), program.to_owned(), [], String::new(), vec![]);
    assert!(of("a\n\tb # größer ≥ 3\n").is_ok());
    let err = of("a\nbé\u{200b}c").unwrap_err();
    let said =
        "the program has a character that nobody sees, '\\u{200b}' in line 2, column 3: remove it";
    assert_eq!(err.to_string(), said);
    for hidden in ["a\r\n", "\u{1b}[2J", "\0", "\u{2028}"] {
        assert!(matches!(of(hidden), Err(TargetError::Program(_))), "{hidden:?}");
        let mut out = Encoder::default();
        out.u8(1).str(hidden).count(0).str("").count(0);
        let err = Target::read(&main(), &out.finish()).unwrap_err();
        assert_eq!(err, TargetError::Content(DecodeError::Invalid("program of a target")));
    }
}

/// Bytes that no build writes, each with its error.
#[test]
fn what_is_not_a_target_is_refused() {
    let encoded = |version: u8, configs: &[Config], all: &[Earlier]| {
        let mut out = Encoder::default();
        out.u8(version).str("").count(configs.len());
        configs.iter().for_each(|config| config.encode(&mut out));
        out.str("").count(all.len());
        all.iter().for_each(|it| it.encode(&mut out));
        out.finish()
    };
    let read = |bytes: &[u8]| Target::read(&main(), bytes).unwrap_err();
    let (a, b) = (service("a", |_| ()), service("b", |_| ()));
    assert!(Target::read(&main(), &encoded(1, &[a.clone(), b.clone()], &[])).is_ok());
    let later = read(&encoded(2, &[], &[]));
    assert_eq!(later.unknown(), Some(("version of a target", 2)));
    assert_eq!(
        later.to_string(),
        "its content is not a target: unknown version of a target 2; another version of Crux made it"
    );
    let mut inner = encoded(1, core::slice::from_ref(&a), &[]);
    inner[9] = 2;
    assert_eq!(read(&inner).unknown(), Some(("version of a service config", 2)));
    let invalid = |what| TargetError::Content(DecodeError::Invalid(what));
    let order = invalid("order of a target's services");
    assert_eq!(read(&encoded(1, &[b.clone(), a.clone()], &[])), order);
    assert_eq!(read(&encoded(1, &[a.clone(), a.clone()], &[])), order);
    let two = service("b", |it| it.count = 2);
    assert_eq!(
        read(&encoded(1, &[two], &[])),
        invalid("count in the config of a target's service")
    );
    let other = service("b", |it| it.horde = horde("x"));
    assert_eq!(
        read(&encoded(1, &[a.clone(), other.clone()], &[])),
        invalid("horde of a target's service")
    );
    assert!(matches!(read(&encoded(1, &[other], &[])), TargetError::Horde { .. }));
    let disorder = encoded(1, &[], &[earlier(1, ""), earlier(2, "")]);
    assert_eq!(read(&disorder), invalid("order of earlier generations"));
    let many: Vec<_> = (1..=EARLIER_MAX as u64 + 1).rev().map(|it| earlier(it, "")).collect();
    assert!(Target::read(&main(), &encoded(1, &[], &many[1..])).is_ok());
    assert!(matches!(
        read(&encoded(1, &[], &many)),
        TargetError::Content(DecodeError::TooLarge { .. })
    ));
    assert!(matches!(read(b""), TargetError::Content(DecodeError::Truncated(_))));
    let trailing = [encoded(1, &[], &[]), vec![0]].concat();
    assert_eq!(read(&trailing), TargetError::Content(DecodeError::Trailing(1)));
}

#[test]
fn each_generation_is_named_by_the_blob_of_its_content() {
    let mut contents: Vec<Vec<u8>> = Vec::new();
    let mut current: Option<Target> = None;
    for generation in 1..=40_u64 {
        let earlier =
            current.as_ref().map_or(vec![], |it| it.history(generation - 1, user(1).principal()));
        let note = format!("generation {generation}");
        let web = service("web", |it| it.rev = format!("v{generation}").parse().unwrap());
        let target = Target::new(&main(), PROGRAM.to_owned(), [web], note, earlier).unwrap();
        let signed = document("main", generation, Some(&target.to_canonical()));
        assert_eq!(Target::of(&signed), Ok(Some(target.clone())));
        contents.push(target.to_canonical());
        current = Some(target);
    }
    let current = current.unwrap();
    assert_eq!(current.earlier().len(), EARLIER_MAX);
    for (at, earlier) in current.earlier().iter().enumerate() {
        let generation = 39 - at;
        assert_eq!((earlier.generation, earlier.by), (generation as u64, user(1).principal()));
        assert_eq!(earlier.note, format!("generation {generation}"));
        let content = &contents[generation - 1];
        let mut hasher = BlobHasher::default();
        hasher.update(content);
        assert_eq!(earlier.blob, hasher.finish());
        let old = Target::read(&main(), content).unwrap();
        assert_eq!((old.note(), old.blob()), (&*earlier.note, earlier.blob));
    }
}

#[test]
fn a_target_has_effect_while_its_signer_may_deploy() {
    let content = target().to_canonical();
    let (main_key, shop) = (key("target/main"), key("target/shop"));
    assert_eq!(
        (Target::key(&main()), Target::key(&horde("shop"))),
        (main_key.clone(), shop.clone())
    );
    let deploys = grant(0, 2, 1, &granted(0, 9, &["deploy:main"]));
    let written = users(0, &main_key, 7, Some(&content), &deploys);
    let mut set = set([&written]);
    assert_eq!(set.target(&main()), Some(&*written));
    assert_eq!(set.target(&horde("shop")), None);
    let body = crux_crdt::document::Body::new(shop, 2, 7, Some(content.clone().into()));
    assert!(
        Document::sign(body, &FLOCK, user(0), Some(deploys.clone())).is_err(),
        "another horde's"
    );
    let body = crux_crdt::document::Body::new(key("node/x"), 2, 7, Some(content.into()));
    assert!(
        Document::sign(body, &FLOCK, user(0), Some(deploys)).is_err(),
        "a permission to deploy"
    );
    // A deletion counts as well, and has a greater marker.
    let deleted = own(&main_key, 2, 8, None);
    set.merge(deleted.clone());
    assert_eq!(set.target(&main()), Some(&*deleted));
    assert!(deleted.marker() > written.marker());
    // Once the user is revoked, what it wrote has no effect.
    let revoked = crux_crdt::document::Grant { revoked: true, ..granted(0, 9, &["deploy:main"]) };
    let set = self::set([&written, &grant(0, 3, 2, &revoked)]);
    assert_eq!(set.target(&main()), None);
}

#[test]
fn orders_to_nodes_have_effect_while_their_documents_count() {
    let nodes = grant(0, 2, 1, &granted(0, 9, &["nodes"]));
    let of = |n: u8| Principal([n; 32]);
    let order = |usage| NodeOrder { usage, ..NodeOrder::default() }.to_canonical();
    let write = |n, usage| users(0, &NodeOrder::key(&of(n)), 1, Some(&order(usage)), &nodes);
    let draining = Usage::Draining { deadline: Some(Duration::from_secs(300)) };
    let all = [
        write(1, Usage::Cordoned),
        write(2, draining),
        write(3, Usage::Draining { deadline: None }),
        write(4, Usage::Open),
        users(0, &NodeOrder::key(&of(5)), 1, None, &nodes),
        users(0, &NodeOrder::key(&of(6)), 1, Some(b"x"), &nodes),
        users(0, &key("node/n7"), 1, Some(&order(Usage::Cordoned)), &nodes),
    ];
    let set = set(&all);
    let usages: Vec<_> = (0..=6).map(|n| set.usage(&of(n))).collect();
    let wait = Usage::Draining { deadline: None };
    let open = Usage::Open;
    assert_eq!(usages, [open, Usage::Cordoned, draining, wait, open, open, open]);
    let orders: Vec<_> = set.node_orders().into_iter().map(|(node, it)| (node, it.usage)).collect();
    assert_eq!(orders, [(of(1), Usage::Cordoned), (of(2), draining), (of(3), wait), (of(4), open)]);
    assert_eq!(NodeOrder::of(&all[6]), Err(NodeOrderError::Key));
    assert_eq!(NodeOrder::node(&Key::grant(&of(1))), None);
    assert_eq!(NodeOrder::node(&NodeOrder::key(&of(1))), Some(of(1)));
    let revoked = crux_crdt::document::Grant { revoked: true, ..granted(0, 9, &["nodes"]) };
    let void = self::set(all.iter().chain([&grant(0, 3, 2, &revoked)]));
    assert!(void.node_orders().is_empty());
    assert_eq!(void.usage(&of(1)), Usage::Open);
}

#[test]
fn an_order_to_a_node_is_strict_and_keeps_what_comes_later() {
    let read = NodeOrder::from_canonical;
    let with = |deadline| {
        let usage = Usage::Draining { deadline: Some(deadline) };
        NodeOrder { usage, ..NodeOrder::default() }.is_within_bounds()
    };
    let week = Duration::from_secs(7 * 24 * 3600);
    assert!(with(Duration::ZERO) && with(week));
    assert!(!with(week + Duration::from_millis(1)) && !with(Duration::from_micros(1500)));
    assert!(!with(Duration::MAX));
    assert_eq!(
        read(&[2]),
        Err(DecodeError::Unknown { what: "version of an order to a node", found: 2 })
    );
    for use_of in [0, 5] {
        let unknown = DecodeError::Unknown { what: "use of a node", found: use_of };
        assert_eq!(read(&[1, use_of, 0, 0, 0, 0]), Err(unknown));
    }
    let later = b"\x01\x02\0\0\0\x01\x09\0\0\0\x05later";
    let order = read(later).unwrap();
    assert_eq!((order.usage, order.later.tags().collect()), (Usage::Cordoned, vec![9]));
    assert_eq!(order.to_canonical(), later);
}
