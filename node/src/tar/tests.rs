use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::header::Header;
use super::*;

fn packed(dir: &Path) -> Result<Vec<u8>, TarError> {
    let mut out = Vec::new();
    pack(dir, &mut out).map(|()| out)
}

/// Unpacks into a directory of its own; what else is beside it is checked to be nothing.
fn unpacked(bytes: &[u8]) -> Result<TempDir, TarError> {
    let dir = tempfile::tempdir().unwrap();
    let done = unpack(bytes, &dir.path().join("out"));
    let beside = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(beside, usize::from(done.is_ok()), "all of it or nothing");
    done.map(|()| dir)
}

fn tree() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir_all(at("b/empty")).unwrap();
    fs::create_dir_all(at("a/very").join("d".repeat(90))).unwrap();
    fs::write(at("b/file"), "hello").unwrap();
    fs::write(at("b.txt"), vec![7; 512]).unwrap();
    fs::write(at("run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(at("run"), fs::Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(at("a/very").join("d".repeat(90)).join("long\u{fc}"), vec![1; 1300]).unwrap();
    symlink("../b/file", at("a/link")).unwrap();
    symlink(format!("{}/x", "y".repeat(120)), at("dangling")).unwrap();
    dir
}

/// Kind, name, link, bytes.
type Forged<'a> = (u8, &'a [u8], &'a [u8], &'a [u8]);

/// An archive of one's own making.
fn forged(entries: &[Forged<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, name, link, bytes) in entries {
        let (name, link) = (name.to_vec(), link.to_vec());
        let header = Header { kind: *kind, name, link, size: bytes.len() as u64, mode: 0o644 };
        out.extend(header.encode());
        out.extend(*bytes);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.extend([0; 2 * BLOCK]);
    out
}

fn refused(entries: &[Forged<'_>]) -> String {
    unpacked(&forged(entries)).unwrap_err().to_string()
}

#[test]
fn a_tree_comes_out_as_it_went_in() {
    let tree = tree();
    let bytes = packed(tree.path()).unwrap();
    let dir = unpacked(&bytes).unwrap();
    let out = dir.path().join("out");
    assert_eq!(fs::read(out.join("b/file")).unwrap(), b"hello");
    assert_eq!(fs::read_link(out.join("a/link")).unwrap(), Path::new("../b/file"));
    assert_eq!(fs::read(out.join("a/link")).unwrap(), b"hello");
    assert_eq!(fs::read_link(out.join("dangling")).unwrap().as_os_str().len(), 122);
    assert!(out.join("b/empty").is_dir());
    let mode = |name| fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o111;
    assert_ne!(mode("run"), 0);
    assert_eq!(mode("b.txt"), 0);
    assert_eq!(packed(&out).unwrap(), bytes, "and packs to the same bytes");
}

#[test]
fn time_owner_and_order_of_making_leave_no_trace() {
    let make = |names: [&str; 3], mode| {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(dir.path().join(name), name).unwrap();
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(dir.path().join(name), permissions).unwrap();
            let permissions = fs::Permissions::from_mode(mode | 0o111);
            fs::set_permissions(dir.path(), permissions).unwrap();
        }
        let file = fs::File::options().write(true).open(dir.path().join("a")).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(mode.into()))
            .unwrap();
        packed(dir.path()).unwrap()
    };
    // Of two people with different umasks.
    assert_eq!(make(["a", "b", "c"], 0o644), make(["c", "b", "a"], 0o664));
}

#[test]
fn the_bytes_of_version_2() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    fs::write(dir.path().join("d/f"), "x").unwrap();
    for (name, mode) in [("", 0o755), ("d", 0o750), ("d/f", 0o640)] {
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let bytes = packed(dir.path()).unwrap();
    let digest = blake3::hash(&bytes).to_string();
    let expected = "7818a4bd20c808faa2083fbe856850817debde8582034992d3a68bedad020b33";
    assert_eq!((bytes.len(), digest.as_str()), (6 * BLOCK, expected));
    assert!(unpacked(&[0; 2 * BLOCK]).is_ok());
}

/// In a container each start of the command has the same number.
#[test]
fn what_a_killed_process_left_is_in_nobodys_way() {
    let bytes = packed(tree().path()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    crate::outfile::unfinished::leave_names(dir.path(), 60);
    unpack(&bytes[..], &dir.path().join("out")).unwrap();
    assert_eq!(packed(&dir.path().join("out")).unwrap(), bytes);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 61, "what is another's stays");
}

#[test]
fn names_stay_inside() {
    for name in [&b"/etc/x"[..], b"../x", b"a/../../x", b"a/..", b"..", b"", b"./."] {
        let err = refused(&[(b'0', name, b"", b"x")]);
        assert!(
            err.contains("out of the tree") || err.contains("absolute") || err.contains("no name"),
            "{err}"
        );
    }
    assert!(
        unpacked(&forged(&[(b'0', b"./a//b/./c", b"", b"x")]))
            .unwrap()
            .path()
            .join("out/a/b/c")
            .exists()
    );
}

#[test]
fn links_stay_inside() {
    for (name, target) in [
        ("a", "/etc"),
        ("a", ".."),
        ("a", "../x"),
        ("d/a", "../.."),
        ("d/a", "x/../../.."),
        // Lexically inside; through the link before it, outside.
        ("t", "a/b/s/../.."),
        ("a", ""),
        ("a", "x/.."),
    ] {
        let err = refused(&[(b'2', name.as_bytes(), target.as_bytes(), b"")]);
        assert!(err.contains("leads out"), "{name} -> {target}: {err}");
    }
    for (name, target) in [("a", "b"), ("a", "."), ("d/a", ".."), ("d/e/a", "../../x/y")] {
        assert!(unpacked(&forged(&[(b'2', name.as_bytes(), target.as_bytes(), b"")])).is_ok());
    }
}

#[test]
fn nothing_is_written_through_a_link() {
    let err =
        refused(&[(b'5', b"d", b"", b""), (b'2', b"l", b"d", b""), (b'0', b"l/x", b"", b"x")]);
    assert!(err.contains("not a directory and has content"), "{err}");
    let err = refused(&[(b'2', b"l", b"x", b""), (b'0', b"l", b"", b"x")]);
    assert!(err.contains("there twice"), "{err}");
    let err = refused(&[(b'0', b"f", b"", b"x"), (b'0', b"f/x", b"", b"x")]);
    assert!(err.contains("not a directory and has content"), "{err}");
}

#[test]
fn every_name_is_there_once() {
    let err = refused(&[(b'0', b"f", b"", b"x"), (b'0', b"./f", b"", b"y")]);
    assert!(err.contains("there twice"), "{err}");
    let err = refused(&[(b'5', b"d/", b"", b""), (b'5', b"d", b"", b"")]);
    assert!(err.contains("there twice"), "{err}");
    // A directory that was implied may still be said once.
    let late: [Forged<'_>; 2] = [(b'0', b"d/f", b"", b"x"), (b'5', b"d/", b"", b"")];
    assert!(unpacked(&forged(&late)).is_ok());
}

#[test]
fn only_files_directories_and_links() {
    for (kind, word) in [
        (b'1', "hard link"),
        (b'3', "device"),
        (b'4', "device"),
        (b'6', "pipe"),
        (b'S', "sparse"),
        (b'7', "not known"),
        (b'Z', "not known"),
    ] {
        let err = refused(&[(kind, b"x", b"y", b"")]);
        assert!(err.contains(word), "{err}");
    }
    let err = refused(&[(b'x', b"p", b"", b"22 GNU.sparse.major=1\n"), (b'0', b"x", b"", b"")]);
    assert!(err.contains("sparse"), "{err}");
    let err = refused(&[(b'5', b"d", b"", b"bytes")]);
    assert!(err.contains("only a file has bytes"), "{err}");
}

#[test]
fn what_is_cut_off_or_too_long_is_refused() {
    let whole = forged(&[(b'0', b"f", b"", &[7; 700])]);
    for len in [0, 100, 512, 600, 1400, 1536] {
        assert!(matches!(unpacked(&whole[..len]), Err(TarError::Malformed(_))), "{len}");
    }
    let mut tail = whole.clone();
    tail.push(1);
    assert!(matches!(unpacked(&tail), Err(TarError::Malformed(_))));
    let mut bad = whole;
    bad[5] ^= 1;
    assert!(matches!(unpacked(&bad), Err(TarError::Malformed(_))));
    let long = vec![b'x'; 70_000];
    assert!(matches!(
        unpacked(&forged(&[(b'L', b"l", b"", &long)])),
        Err(TarError::TooMuch { .. })
    ));
    let deep = b"d/".repeat(200);
    assert!(matches!(
        unpacked(&forged(&[(b'L', b"l", b"", &deep), (b'5', b"d", b"", b"")])),
        Err(TarError::TooMuch { .. })
    ));
    let pax = b"30 size=99999999999999999999\n";
    assert!(unpacked(&forged(&[(b'x', b"p", b"", pax), (b'0', b"x", b"", b"")])).is_err());
}

#[test]
fn what_no_archive_holds_is_refused_and_an_existing_place_is_left_alone() {
    let dir = tree();
    symlink("/etc", dir.path().join("out-of-here")).unwrap();
    assert!(packed(dir.path()).unwrap_err().to_string().contains("leads out"));
    fs::remove_file(dir.path().join("out-of-here")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    assert!(packed(dir.path()).unwrap_err().to_string().contains("neither file"));
    drop(socket);
    let err = unpack(&[0; 2 * BLOCK][..], dir.path()).unwrap_err();
    assert!(matches!(err, TarError::Exists(_)), "{err}");
    assert!(packed(&dir.path().join("b/file")).is_err());
}

#[test]
fn the_systems_tar_reads_it_and_is_read() {
    use std::process::{Command, Stdio};
    let tree = tree();
    let bytes = packed(tree.path()).unwrap();
    let Ok(mut tar) =
        Command::new("tar").args(["tf", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    else {
        eprintln!("skipped: no tar is installed");
        return;
    };
    tar.stdin.take().unwrap().write_all(&bytes).unwrap();
    let listed = String::from_utf8(tar.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(listed.lines().count(), 12, "{listed}");
    for format in ["gnu", "pax", "ustar"] {
        let made = Command::new("tar")
            .args(["-C"])
            .arg(tree.path().join("b"))
            .args(["--format", format, "-cf", "-", "."])
            .output()
            .unwrap();
        let dir = unpacked(&made.stdout).unwrap();
        assert_eq!(fs::read(dir.path().join("out/file")).unwrap(), b"hello", "{format}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert!(unpacked(&bytes).is_err() || bytes.iter().all(|byte| *byte == 0));
    }

    /// Whatever is forged stays inside, or is refused and leaves nothing.
    #[test]
    fn forged_entries(
        entries in prop::collection::vec(
            (
                prop::sample::select(b"0123456LKxgS7".to_vec()),
                "(\\.\\./|/|\\./)?[ab.]{0,2}(/[ab.]{1,2}){0,2}",
                "(\\.\\./|/)?[ab.]{0,2}(/[ab.]{1,2}){0,2}",
                prop::collection::vec(any::<u8>(), 0..20),
            ),
            0..8,
        ),
    ) {
        let entries: Vec<_> = entries
            .iter()
            .map(|(kind, name, link, bytes)| (*kind, name.as_bytes(), link.as_bytes(), &bytes[..]))
            .collect();
        if let Ok(dir) = unpacked(&forged(&entries)) {
            let root = fs::canonicalize(dir.path()).unwrap();
            for link in links(&dir.path().join("out")) {
                if let Ok(to) = fs::canonicalize(&link) {
                    prop_assert!(to.starts_with(&root), "{link:?} leads to {to:?}");
                }
            }
        }
    }
}

fn links(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            found.push(entry.path());
        } else if kind.is_dir() {
            found.extend(links(&entry.path()));
        }
    }
    found
}
