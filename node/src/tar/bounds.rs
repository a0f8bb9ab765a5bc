//! The limits of a tree, from below and from one beyond, on both ways; what happens meanwhile; permissions.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use tempfile::TempDir;

use super::header::Header;
use super::limits::Limits;
use super::pack::pack_within;
use super::unpack::unpack_within;
use super::{BLOCK, TarError, pack, unpack};
use crate::outfile::{Disk, Real};

fn limits(entries: u64) -> Limits {
    Limits { entries, ..Limits::STANDARD }
}

/// Packs within limits, and unpacks within the same.
fn round_trip(limits: Limits, dir: &Path) -> Result<TempDir, TarError> {
    let mut bytes = Vec::new();
    pack_within(limits, dir, &mut bytes)?;
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    unpack_within(limits, &bytes[..], &out, &Real).expect("what is packed can be unpacked");
    let mut again = Vec::new();
    pack_within(limits, &out, &mut again).unwrap();
    assert_eq!(bytes, again);
    Ok(home)
}

/// Makes directories within each other, of names of these lengths, and a file in the last.
fn deep(root: &Path, lens: &[usize]) {
    let mut dir = File::open(root).unwrap();
    let (last, dirs) = lens.split_last().unwrap();
    for len in dirs {
        let name = "d".repeat(*len);
        mkdirat(&dir, &name, Mode::from_raw_mode(0o755)).unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        dir = openat(&dir, &name, flags, Mode::empty()).unwrap().into();
    }
    let flags = OFlags::WRONLY | OFlags::CREATE;
    openat(&dir, "f".repeat(*last), flags, Mode::from_raw_mode(0o644)).unwrap();
}

fn archive(entries: &[(u8, &[u8], u64, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, name, size, bytes) in entries {
        let (name, link) = (name.to_vec(), Vec::new());
        out.extend(Header { kind: *kind, name, link, size: *size, mode: 0o644 }.encode());
        out.extend(*bytes);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.extend([0; 2 * BLOCK]);
    out
}

fn out() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    (home, out)
}

#[test]
fn the_limits_are_what_is_promised() {
    let Limits { entries, depth, name_bytes } = Limits::STANDARD;
    assert_eq!((entries, depth, name_bytes), (1_000_000, 128, 4096));
}

#[test]
fn so_many_entries_and_no_more() {
    let tree = tempfile::tempdir().unwrap();
    // Names that need headers of their own, a directory, and a link: all count once.
    for n in 0..7 {
        fs::write(tree.path().join(format!("{n}{}", "x".repeat(150))), "").unwrap();
    }
    fs::create_dir(tree.path().join("d")).unwrap();
    fs::write(tree.path().join("d/f"), "").unwrap();
    symlink("d/f", tree.path().join("link")).unwrap();
    round_trip(limits(10), tree.path()).unwrap();
    let err = round_trip(limits(9), tree.path()).unwrap_err();
    assert!(matches!(err, TarError::TooMuch { what: "entries", max: 9 }), "{err}");
    let mut bytes = Vec::new();
    pack(tree.path(), &mut bytes).unwrap();
    let (home, to) = out();
    let err = unpack_within(limits(9), &bytes[..], &to, &Real).unwrap_err();
    assert!(matches!(err, TarError::TooMuch { what: "entries", max: 9 }), "{err}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn directories_that_an_archive_only_implies_count_too() {
    let bytes = archive(&[(b'0', b"a/b/c/f", 0, b""), (b'5', b"a/b", 0, b"")]);
    unpack_within(limits(4), &bytes[..], &out().1, &Real).unwrap();
    let err = unpack_within(limits(3), &bytes[..], &out().1, &Real).unwrap_err();
    assert!(matches!(err, TarError::TooMuch { what: "entries", .. }), "{err}");
}

#[test]
fn names_of_so_many_bytes_and_no_longer() {
    for (last, fits) in [(239, true), (240, true), (241, false)] {
        // 16 × 240 and 16 slashes are 3,856.
        let mut lens = [240; 17];
        lens[16] = last;
        let tree = tempfile::tempdir().unwrap();
        deep(tree.path(), &lens);
        let tried = round_trip(Limits::STANDARD, tree.path());
        assert_eq!(tried.is_ok(), fits, "{last}: {tried:?}");
    }
    // The name of a directory has a slash at its end in the archive.
    let tree = tempfile::tempdir().unwrap();
    let mut dir = File::open(tree.path()).unwrap();
    for _ in 0..17 {
        let name = "d".repeat(240);
        mkdirat(&dir, &name, Mode::from_raw_mode(0o755)).unwrap();
        dir = openat(&dir, &name, OFlags::RDONLY, Mode::empty()).unwrap().into();
    }
    round_trip(Limits::STANDARD, tree.path()).unwrap();
}

#[test]
fn so_many_levels_and_no_more() {
    for (levels, fits) in [(127, true), (128, true), (129, false)] {
        let tree = tempfile::tempdir().unwrap();
        deep(tree.path(), &vec![1; levels]);
        let tried = round_trip(Limits::STANDARD, tree.path());
        match tried {
            Ok(_) => assert!(fits, "{levels}"),
            Err(err) => {
                assert!(!fits && matches!(err, TarError::TooMuch { what: "levels", .. }), "{err}");
            }
        }
    }
    // An empty directory is as deep as a file.
    let tree = tempfile::tempdir().unwrap();
    fs::create_dir_all(tree.path().join("d/".repeat(128))).unwrap();
    round_trip(Limits::STANDARD, tree.path()).unwrap();
    fs::create_dir_all(tree.path().join("d/".repeat(129))).unwrap();
    assert!(round_trip(Limits::STANDARD, tree.path()).is_err());
    for (levels, fits) in [(128, true), (129, false)] {
        let name = [&b"d/".repeat(levels - 1)[..], b"f"].concat();
        let bytes = archive(&[(b'L', b"l", name.len() as u64, &name), (b'0', b"", 0, b"")]);
        assert_eq!(unpack(&bytes[..], &out().1).is_ok(), fits, "{levels}");
    }
}

#[test]
fn long_names_of_gnu_have_the_same_limit() {
    for (last, fits) in [(240, true), (241, false)] {
        let name = format!("{}{}", format!("{}/", "d".repeat(240)).repeat(16), "f".repeat(last));
        let bytes =
            archive(&[(b'L', b"l", name.len() as u64, name.as_bytes()), (b'0', b"", 0, b"")]);
        let err = unpack(&bytes[..], &out().1).err().map(|err| err.to_string());
        assert_eq!(err.is_none(), fits, "{last}: {err:?}");
        assert!(err.is_none_or(|err| err.contains("too long")));
    }
    for (len, fits) in [(4096, true), (4097, false)] {
        let target = vec![b'x'; len];
        let bytes = archive(&[(b'K', b"l", len as u64, &target), (b'2', b"link", 0, b"")]);
        // The system takes no link of more than 4,095 bytes.
        let err = unpack(&bytes[..], &out().1).unwrap_err();
        assert_eq!(matches!(err, TarError::Io { .. }), fits, "{len}: {err}");
    }
}

#[test]
fn a_name_with_a_zero_is_refused_by_name() {
    let pax = b"12 path=a\0b\n";
    let bytes = archive(&[(b'x', b"p", pax.len() as u64, pax), (b'0', b"x", 0, b"")]);
    let err = unpack(&bytes[..], &out().1).unwrap_err();
    assert!(err.to_string().contains("a zero in the name"), "{err}");
}

#[test]
fn the_size_of_a_pax_header_counts() {
    let pax = b"12 size=700\n";
    let bytes = archive(&[(b'x', b"p", pax.len() as u64, pax), (b'0', b"f", 5, &[7; 700])]);
    let (_home, to) = out();
    unpack(&bytes[..], &to).unwrap();
    assert_eq!(fs::read(to.join("f")).unwrap(), [7; 700]);
}

#[test]
fn entries_are_in_the_order_of_their_names() {
    let tree = tempfile::tempdir().unwrap();
    // No file system keeps so many in this order by chance, nor in the one in which they are made.
    let mut names: Vec<_> = (0..64_u8).map(|n| format!("{:02x}", n.wrapping_mul(37))).collect();
    names.iter().for_each(|name| fs::write(tree.path().join(name), "").unwrap());
    let mut bytes = Vec::new();
    pack(tree.path(), &mut bytes).unwrap();
    let blocks = bytes.chunks_exact(BLOCK).map(|block| Header::decode(block.try_into().unwrap()));
    let found: Vec<_> = blocks.filter_map(|header| Some(header.unwrap()?.name)).collect();
    names.sort();
    let expected = ["./".to_owned()].into_iter().chain(names).map(String::into_bytes);
    assert_eq!(found, expected.collect::<Vec<_>>());
}

/// Changes a file once its header was written.
struct Meddler<'a>(&'a dyn Fn(), bool);

impl Write for Meddler<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.starts_with(b"file") && !std::mem::replace(&mut self.1, true) {
            (self.0)();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_that_changes_while_it_is_packed_is_noticed() {
    for size in [0, 1, 1000, 300_000] {
        let tree = tempfile::tempdir().unwrap();
        let path = tree.path().join("file");
        let open = || File::options().write(true).open(&path).unwrap();
        let grow = || open().set_len(size + 1).unwrap();
        let shrink = || open().set_len(size.saturating_sub(1)).unwrap();
        let same = || open().set_len(size).unwrap();
        let changes: [(&dyn Fn(), bool); 3] = [(&grow, true), (&shrink, size > 0), (&same, false)];
        for (change, is_seen) in changes {
            fs::write(&path, vec![7; usize::try_from(size).unwrap()]).unwrap();
            let mut meddler = Meddler(change, false);
            let packed = pack(tree.path(), &mut meddler);
            assert!(meddler.1);
            assert_eq!(
                matches!(packed, Err(TarError::Changed { .. })),
                is_seen,
                "{size} {packed:?}"
            );
        }
    }
}

/// An archive that makes something when it is read to its end.
struct Late<'a>(&'a [u8], &'a Path);

impl Read for Late<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() && !self.1.exists() {
            fs::create_dir(self.1)?;
        }
        self.0.read(buffer)
    }
}

#[test]
fn what_somebody_made_meanwhile_stays() {
    let bytes = archive(&[(b'0', b"f", 0, b"")]);
    let (home, to) = out();
    let err = unpack(Late(&bytes, &to), &to).unwrap_err();
    assert!(matches!(err, TarError::Exists(_)), "{err}");
    assert_eq!(fs::read_dir(&to).unwrap().count(), 0);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "and nothing else");
}

/// What was flushed, and whether the directory had its name by then.
#[derive(Debug)]
struct Flushes<'a> {
    to: &'a Path,
    seen: Mutex<Vec<(&'static str, bool)>>,
    refuses: bool,
}

impl Flushes<'_> {
    fn note(&self, what: &'static str) -> io::Result<()> {
        self.seen.lock().unwrap().push((what, self.to.exists()));
        if self.refuses { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Disk for Flushes<'_> {
    fn sync(&self, _: &File) -> io::Result<()> {
        self.note("names")
    }

    fn sync_file_system(&self, dir: &File) -> io::Result<()> {
        // All of it is there to be flushed.
        let here = fs::read_dir(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(dir)))?;
        assert_eq!(here.count(), 1);
        self.note("all")
    }
}

#[test]
fn a_tree_is_durable_before_it_has_its_name() {
    let bytes = archive(&[(b'0', b"f", 0, b"")]);
    let (home, to) = out();
    let disk = Flushes { to: &to, seen: Mutex::default(), refuses: false };
    unpack_within(Limits::STANDARD, &bytes[..], &to, &disk).unwrap();
    assert_eq!(*disk.seen.lock().unwrap(), [("all", false), ("names", true)]);
    fs::remove_dir_all(&to).unwrap();
    let disk = Flushes { to: &to, seen: Mutex::default(), refuses: true };
    unpack_within(Limits::STANDARD, &bytes[..], &to, &disk).unwrap_err();
    assert_eq!(
        fs::read_dir(home.path()).unwrap().count(),
        0,
        "what cannot be flushed is not there"
    );
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn nobody_may_do_more_with_a_tree_than_before() {
    let tree = tempfile::tempdir().unwrap();
    let at = |name: &str| tree.path().join(name);
    fs::create_dir_all(at("private/sub")).unwrap();
    fs::create_dir_all(at("fixed/sub")).unwrap();
    let modes = [
        ("private/key", 0o600, 0o600),
        ("private/read-only", 0o400, 0o400),
        ("private/run", 0o700, 0o700),
        ("group", 0o640, 0o640),
        ("open", 0o666, 0o644),
        ("run", 0o777, 0o755),
        ("odd", 0o711, 0o711),
        ("suid", 0o4755, 0o755),
        ("fixed/f", 0o444, 0o444),
        ("private/sub", 0o755, 0o755),
        ("private", 0o700, 0o700),
        ("fixed/sub", 0o500, 0o500),
        ("fixed", 0o555, 0o555),
        ("", 0o700, 0o700),
    ];
    for (name, before, _) in modes {
        if !at(name).exists() {
            fs::write(at(name), name).unwrap();
        }
        set(&at(name), before);
    }
    let done = round_trip(Limits::STANDARD, tree.path()).unwrap();
    for (name, _, after) in modes {
        let path = done.path().join("out").join(name);
        assert_eq!(mode(&path), after & !umask(), "{name}");
    }
    // So that they can be deleted by those who are not root.
    for dir in ["fixed", "fixed/sub"] {
        set(&at(dir), 0o755);
        set(&done.path().join("out").join(dir), 0o755);
    }
}

/// This process's, as the system tells it.
fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap();
    u32::from_str_radix(umask.trim(), 8).unwrap()
}

#[test]
fn an_archive_that_fails_after_a_closed_directory_leaves_nothing() {
    let mut bytes = Vec::new();
    for (kind, name, mode) in
        [(b'5', &b"d/"[..], 0o500), (b'0', b"d/f", 0o400), (b'3', b"x", 0o644)]
    {
        let (name, link) = (name.to_vec(), Vec::new());
        bytes.extend(Header { kind, name, link, size: 0, mode }.encode());
    }
    let (home, to) = out();
    assert!(unpack(&bytes[..], &to).is_err());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}
