use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use redb::{Database, TableDefinition};
use tempfile::TempDir;

use super::fixture::*;
use crate::store::{OpenError, Store};

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    (directory, path)
}

fn error(path: &std::path::Path) -> OpenError {
    let before = fs::read(path).ok();
    let error = Store::open(path, TERMS).unwrap_err();
    assert_eq!(fs::read(path).ok(), before, "a refused database was changed");
    error
}

#[test]
fn another_flock() {
    let (_directory, path) = place();
    Store::open(&path, terms(OTHER)).unwrap().0.close().unwrap();
    let refused = Store::open(&path, TERMS).unwrap_err();
    assert!(matches!(refused, OpenError::OtherFlock { found: OTHER, expected: FLOCK, .. }));
    assert!(refused.to_string().contains("0808"), "{refused}");
    // It is still theirs.
    assert!(Store::open(&path, terms(OTHER)).is_ok());
}

/// Says of a database that it has this format.
fn set_format(path: &std::path::Path, format: u32) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = TableDefinition::<&str, &[u8]>::new("meta-1");
    let format = format.to_be_bytes();
    transaction.open_table(meta).unwrap().insert("format", format.as_slice()).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn a_newer_format() {
    let (_directory, path) = place();
    Store::open(&path, TERMS).unwrap().0.close().unwrap();
    set_format(&path, 5);
    let refused = Store::open(&path, TERMS).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 5, known: 4, .. }));
    assert!(refused.to_string().contains("made by a newer Crux"), "{refused}");
}

/// Both formats are named, and what to do; the database stays what it is, for the build that made it.
#[test]
fn an_older_format() {
    for older in [1, 2] {
        let (_directory, path) = place();
        let (mut store, _) = Store::open(&path, TERMS).unwrap();
        store.commit(&mixed(3)).unwrap();
        store.close().unwrap();
        set_format(&path, older);
        for _ in 0..2 {
            let refused = Store::open(&path, TERMS).unwrap_err();
            assert!(matches!(refused, OpenError::Older { known: 3, .. }), "{refused:?}");
            let says = format!("it has format {older}, this build reads 3");
            assert!(refused.to_string().contains(&says), "{refused}");
            assert!(refused.hint().contains("run the version of Crux that made it"));
        }
        let hint = Store::open(&path, TERMS).unwrap_err().hint();
        set_format(&path, 4);
        let (store, snapshot) = Store::open(&path, TERMS).unwrap();
        assert_eq!(Content::of(&snapshot), Content::after([&mixed(3)]));
        store.close().unwrap();
        // Set aside as the hint says, the node starts with an empty one.
        let command = hint.split('`').nth(1).unwrap();
        let moved = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
        assert!(moved.success());
        let (_, empty) = Store::open(&path, TERMS).unwrap();
        assert_eq!(Content::of(&empty), Content::default());
    }
}

#[test]
fn a_second_owner() {
    let (_directory, path) = place();
    let (store, _) = Store::open(&path, TERMS).unwrap();
    assert!(matches!(Store::open(&path, TERMS).unwrap_err(), OpenError::InUse { .. }));
    store.close().unwrap();
    let (store, _) = Store::open(&path, TERMS).unwrap();
    drop(store);
    assert!(Store::open(&path, TERMS).is_ok());
}

#[test]
fn what_is_no_database() {
    let (_directory, path) = place();
    for bytes in [&b""[..], b"x", b"#!/bin/sh\n", &[0; 100_000]] {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(error(&path), OpenError::Damaged { .. }), "{} bytes", bytes.len());
    }
}

#[test]
fn a_database_of_another_program() {
    let (_directory, path) = place();
    drop(Database::create(&path).unwrap());
    assert!(matches!(Store::open(&path, TERMS).unwrap_err(), OpenError::Damaged { .. }));
}

#[test]
fn a_directory_that_is_not_there() {
    let (_directory, path) = place();
    let path = path.with_file_name("missing").join("store.redb");
    let OpenError::Io { source, .. } = error(&path) else { panic!("another error") };
    assert_eq!(source.kind(), ErrorKind::NotFound);
}

#[test]
fn damage_says_how_to_set_the_file_aside() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it's a store.redb");
    fs::write(&path, "x").unwrap();
    let hint = error(&path).hint();
    let command = hint.split('`').nth(1).unwrap();
    // The command does what it says, and the node starts.
    let shell = |command| std::process::Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(shell(command).success());
    assert!(Store::open(&path, TERMS).is_ok());
    // Another time does not overwrite the first.
    fs::write(&path, "y").unwrap();
    assert_ne!(error(&path).hint(), hint);
}
