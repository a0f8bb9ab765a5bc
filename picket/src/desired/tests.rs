use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use crux_client::Kind;
use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::name::ServiceName;
use crux_crdt::service::{Config, Fields, Image as ImageOf, SERVICES_MAX};
use crux_protocol::picket::{Accepted, Assigned, Desired, Image, Owner, Version, Wanted};

use super::*;
use crate::assignment::testing::{assigned, batches, order};

fn version(name: &ServiceName, number: u64) -> Arc<Version> {
    let blob = BlobId([7; 32]);
    let descriptor = Descriptor { blob, root: Root([8; 32]), size: 1234 };
    let image = Image { descriptor, path: "/data/blobs/07/07".to_owned() };
    let config: Config = Fields::new(name.clone(), ImageOf::Blob(blob)).try_into().unwrap();
    Arc::new(Version { number, config, image, spec: None })
}

fn desired(generation: u64, services: usize) -> Desired {
    let mut all = Desired { generation, ..Desired::default() };
    for n in 0..services {
        let name: ServiceName = format!("web{n}").parse().unwrap();
        let some = |when: bool| when.then(|| version(&name, generation));
        let wanted = Wanted {
            owner: Owner::Person,
            current: version(&name, 1),
            previous: some(n % 2 == 0),
            on_trial: n % 4 == 0,
            refused: some(n % 3 == 0),
            run: n % 5 != 0,
            done: if n % 4 == 3 { [0].into() } else { BTreeSet::new() },
        };
        all.services.insert(name, wanted);
    }
    all
}

/// The same with what a target placed, and a goal that waits.
fn with_target(generation: u64, services: usize) -> Desired {
    let mut all = desired(generation, services);
    let goal = assigned("api", batches(&[(1, 1), (2, 1)]));
    let version = |goal: &Assigned, number| {
        let (config, image) = (goal.config().clone(), goal.image().clone());
        Some(Arc::new(Version { number, config, image, spec: Some(goal.spec()) }))
    };
    let api = Wanted {
        owner: Owner::Target { spec: goal.spec(), batches: goal.batches().clone() },
        current: version(&goal, 1).unwrap(),
        previous: version(&assigned("api", batches(&[(1, 1)])), 1),
        on_trial: true,
        refused: version(&goal, generation),
        run: true,
        done: BTreeSet::new(),
    };
    all.services.insert("api".parse().unwrap(), api);
    let blocked = [("web0".parse().unwrap(), assigned("web0", batches(&[(3, 1)])))].into();
    all.accepted = Accepted { order: Some(order(4)), blocked };
    all
}

fn file(dir: &Path) -> std::path::PathBuf {
    dir.join("desired.json")
}

/// A directory with a file of generation 3.
fn written() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, none) = Store::open(dir.path()).unwrap();
    assert_eq!(none, Desired::default());
    store.write(&desired(1, 1)).unwrap();
    store.write(&desired(3, 4)).unwrap();
    dir
}

fn refused(dir: &Path) -> DesiredError {
    Store::open(dir).unwrap_err()
}

#[test]
fn what_is_written_is_read() {
    let dir = written();
    let (mut store, read) = Store::open(dir.path()).unwrap();
    assert_eq!((store.generation(), &read), (3, &desired(3, 4)));
    for old in [0, 2, 3] {
        let refused = store.write(&desired(old, 1)).unwrap_err();
        assert!(matches!(refused, DesiredError::OldGeneration { last: 3, .. }), "{refused}");
    }
    store.write(&desired(4, 0)).unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().1, desired(4, 0));
    store.write(&desired(5, SERVICES_MAX)).unwrap();
    let refused = store.write(&desired(6, SERVICES_MAX + 1)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "129 services, and a node runs at most 128: remove some, or use another node"
    );
    assert_eq!(Store::open(dir.path()).unwrap().1, desired(5, SERVICES_MAX));
}

#[test]
fn a_file_that_ends_early_is_never_taken_for_no_services() {
    let dir = written();
    let whole = fs::read(file(dir.path())).unwrap();
    for len in 0..whole.len() - 1 {
        fs::write(file(dir.path()), &whole[..len]).unwrap();
        let error = refused(dir.path());
        assert!(matches!(error, DesiredError::Short { .. }) && error.is_damage(), "{len}: {error}");
        assert_eq!(fs::read(file(dir.path())).unwrap(), &whole[..len], "it is left as it is");
    }
    fs::remove_file(file(dir.path())).unwrap();
    assert!(matches!(refused(dir.path()), DesiredError::Missing(_)));
    fs::remove_file(dir.path().join("desired.mark")).unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().1, Desired::default());
}

/// A crash while the next generation is written leaves any part of it beside the file.
#[test]
fn a_crash_at_each_byte_of_a_write_leaves_the_old_content() {
    let dir = written();
    let next = serde_json::to_vec_pretty(&written::File::from(&desired(4, 2))).unwrap();
    for len in 0..=next.len() {
        fs::write(dir.path().join(".desired.json.new"), &next[..len]).unwrap();
        fs::write(dir.path().join(".desired.mark.new"), "4").unwrap();
        assert_eq!(Store::open(dir.path()).unwrap().1, desired(3, 4));
    }
    // Nor does it hinder the next write.
    let (mut store, _) = Store::open(dir.path()).unwrap();
    store.write(&desired(4, 2)).unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().1, desired(4, 2));
}

#[test]
fn an_older_copy_is_refused() {
    let dir = written();
    let old = fs::read(file(dir.path())).unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    store.write(&desired(9, 1)).unwrap();
    fs::write(file(dir.path()), old).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, DesiredError::OldFile { found: 3, last: 9, .. }), "{error}");
    assert_eq!(error.kind(), Kind::Generation);
    // A loss of power may empty the mark: then it only says that there were services.
    fs::write(dir.path().join("desired.mark"), "").unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().0.generation(), 3);
    fs::write(dir.path().join("desired.mark"), b"\xff\0").unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().0.generation(), 3);
}

#[test]
fn what_this_build_does_not_know_is_a_clear_error() {
    let dir = written();
    let text = fs::read_to_string(file(dir.path())).unwrap();
    let mut seen = Vec::new();
    for (from, to) in [
        ("\"format\": 2", "\"format\": 4"),
        ("\"run\": true", "\"runs\": true"),
        ("\"generation\"", "\"generations\""),
        ("\"size\": 1234", "\"size\": -1"),
        ("\"count\": 1", "\"count\": 1, \"pass\": 3"),
        ("\"name\": \"web0\"", "\"name\": \"other\""),
        ("\"generation\": 3", "\"generation\": 0"),
        ("/data/blobs", "data/blobs"),
        ("\"done\": [\n        0\n      ]", "\"done\": [1]"),
        ("{", "["),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        fs::write(file(dir.path()), text.replacen(from, to, 1)).unwrap();
        let error = refused(dir.path());
        let kind = if seen.is_empty() { Kind::Refused } else { Kind::InvalidConfig };
        assert_eq!(error.kind(), kind, "{error}");
        let error = error.to_string();
        seen.push(error.replace(&*dir.path().to_string_lossy(), "DIR"));
    }
    assert_eq!(
        seen[0],
        "DIR/desired.json has format 4, and this build reads 3 at most: start the newer build again"
    );
    let line = 1 + text.split("\"run\": true").next().unwrap().matches('\n').count();
    let place = format!("DIR/desired.json, line {line}, column 12: unknown field `runs`");
    assert!(seen[1].starts_with(&place), "{}", seen[1]);
    assert!(seen[2].contains("unknown field `generations`"), "{}", seen[2]);
    assert!(seen[3].contains("invalid value: integer `-1`"), "{}", seen[3]);
    assert!(seen[4].contains("pass"), "{}", seen[4]);
    assert!(seen[5].contains("service web0: its config has another name"), "{}", seen[5]);
    assert!(seen[6].contains("number is greater"), "{}", seen[6]);
    assert!(seen[7].contains("not absolute"), "{}", seen[7]);
    assert!(seen[8].contains("service web3: an instance is done"), "{}", seen[8]);
}

/// Of a build that knew nothing of what is done; and it reads what has nothing of that.
#[test]
fn the_older_format_is_read_and_written_while_nothing_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    store.write(&desired(1, 3)).unwrap();
    let text = fs::read_to_string(file(dir.path())).unwrap();
    assert!(text.contains("\"format\": 1,") && !text.contains("done"), "{text}");
    let (mut store, read) = Store::open(dir.path()).unwrap();
    assert_eq!(read, desired(1, 3));
    store.write(&desired(2, 4)).unwrap();
    let text = fs::read_to_string(file(dir.path())).unwrap();
    assert!(text.contains("\"format\": 2,") && text.contains("done"), "{text}");
    assert_eq!(Store::open(dir.path()).unwrap().1, desired(2, 4));
}

#[test]
fn what_a_target_wants_is_read_back_and_only_then_older_builds_do_not_read_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    store.write(&desired(1, 4)).unwrap();
    let text = || fs::read_to_string(file(dir.path())).unwrap();
    let is_older = |text: &str| {
        ["order", "blocked", "target", "spec"]
            .iter()
            .all(|key| !text.contains(&format!("\"{key}\"")))
    };
    assert!(text().contains("\"format\": 2,") && is_older(&text()), "{}", text());
    store.write(&with_target(2, 4)).unwrap();
    assert!(text().contains("\"format\": 3,"), "{}", text());
    assert_eq!(Store::open(dir.path()).unwrap().1, with_target(2, 4));
    // A target that wants nothing here any more: its order must not be forgotten.
    let empty = Accepted { order: Some(order(4)), ..Accepted::default() };
    store.write(&Desired { accepted: empty, ..desired(3, 1) }).unwrap();
    assert!(text().contains("\"format\": 3,"));
    assert_eq!(Store::open(dir.path()).unwrap().1.accepted.order, Some(order(4)));
}

#[test]
fn a_target_that_contradicts_itself_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    store.write(&with_target(3, 1)).unwrap();
    let whole: serde_json::Value =
        serde_json::from_slice(&fs::read(file(dir.path())).unwrap()).unwrap();
    let order = whole["order"].clone();
    assert!(order["target"]["generation"] == 4, "{order}");
    for (at, wrong, found) in [
        (
            "/order",
            serde_json::Value::Null,
            "service api: the target placed it, and there is no order",
        ),
        ("/services/api/run", false.into(), "service api: the target placed it, and it is stopped"),
        ("/services/api/target/batches", serde_json::json!([]), "impossible batches"),
        ("/services/api/target/spec", "1".into(), "line"),
        (
            "/blocked/web0/config/name",
            "x".into(),
            "service web0: its goal has the config of another service",
        ),
        (
            "/blocked/web0/config/count",
            3.into(),
            "service web0: its goal is not one that a node can have",
        ),
        ("/order/pass/leader", "?".into(), "line"),
    ] {
        let mut value = whole.clone();
        *value.pointer_mut(at).unwrap() = wrong;
        fs::write(file(dir.path()), serde_json::to_vec(&value).unwrap()).unwrap();
        let error = refused(dir.path());
        assert!(error.is_damage() && error.to_string().contains(found), "{at}: {error}");
    }
    let mut value = whole;
    value.as_object_mut().unwrap().remove("order");
    value["services"].as_object_mut().unwrap().remove("api");
    fs::write(file(dir.path()), serde_json::to_vec(&value).unwrap()).unwrap();
    let error = refused(dir.path());
    assert!(error.to_string().contains("its goal waits, and there is no order"), "{error}");
}

#[test]
fn a_write_that_the_disk_refuses_changes_nothing_and_can_be_repeated() {
    let dir = written();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let aside = dir.path().join(".desired.json.new");
    fs::create_dir(&aside).unwrap();
    let error = store.write(&desired(4, 1)).unwrap_err();
    assert!(matches!(error, DesiredError::Io { .. }) && !error.is_damage());
    assert_eq!(error.kind(), Kind::Io);
    let source = std::io::ErrorKind::StorageFull.into();
    assert_eq!(DesiredError::Io { path: aside.clone(), source }.kind(), Kind::DiskFull);
    assert_eq!((store.generation(), Store::open(dir.path()).unwrap().1), (3, desired(3, 4)));
    fs::remove_dir(&aside).unwrap();
    store.write(&desired(4, 1)).unwrap();
}
