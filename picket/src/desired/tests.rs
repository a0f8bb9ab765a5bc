use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use crux_client::Kind;
use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::name::ServiceName;
use crux_crdt::service::{Config, Fields, Image as ImageOf, SERVICES_MAX};
use crux_protocol::picket::{Desired, Image, Version, Wanted};

use super::*;

fn version(name: &ServiceName, number: u64) -> Arc<Version> {
    let blob = BlobId([7; 32]);
    let descriptor = Descriptor { blob, root: Root([8; 32]), size: 1234 };
    let image = Image { descriptor, path: "/data/blobs/07/07".to_owned() };
    let config: Config = Fields::new(name.clone(), ImageOf::Blob(blob)).try_into().unwrap();
    Arc::new(Version { number, config, image })
}

fn desired(generation: u64, services: usize) -> Desired {
    let mut all = Desired { generation, ..Desired::default() };
    for n in 0..services {
        let name: ServiceName = format!("web{n}").parse().unwrap();
        let some = |when: bool| when.then(|| version(&name, generation));
        let wanted = Wanted {
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
        ("\"format\": 2", "\"format\": 3"),
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
        "DIR/desired.json has format 3, and this build reads 2 at most: start the newer build again"
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
