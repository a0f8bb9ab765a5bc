use std::fs::{self, File, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::{CWD, Mode, mknodat};
use tempfile::TempDir;

use super::aside::Aside;
use super::place::{Place, is_planted};
use super::*;
use crate::error::Kind;

/// A file of each way of writing it: without a name, and under a hidden one.
fn begin(path: &Path, content: Content, unnamed: bool) -> OutFile {
    let Place::File(spot) = Place::find(path, content).unwrap() else {
        panic!("no place of a file")
    };
    let to = To::Aside(Aside::make(spot, content, unnamed).unwrap());
    OutFile { shown: path.to_owned(), to }
}

fn put(path: &Path, bytes: &[u8], content: Content, unnamed: bool) -> Result<(), Error> {
    let mut out = begin(path, content, unnamed);
    out.write_all(bytes).unwrap();
    out.finish()
}

fn names(dir: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(dir.path()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    (dir, path)
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    for unnamed in [true, false] {
        let (dir, path) = place();
        let mut out = begin(&path, Content::Plain, unnamed);
        out.write_all(b"half").unwrap();
        assert!(!path.exists());
        assert_eq!(names(&dir).len(), usize::from(!unnamed));
        drop(out);
        assert_eq!(names(&dir), Vec::<String>::new(), "nothing stays");
        put(&path, b"whole", Content::Plain, unnamed).unwrap();
        assert_eq!(
            (names(&dir), fs::read(&path).unwrap()),
            (vec!["out".to_owned()], b"whole".to_vec())
        );
        let plain = dir.path().join("plain");
        fs::write(&plain, "").unwrap();
        assert_eq!(mode(&path), mode(&plain), "as any file of this user");
    }
}

#[test]
fn a_file_that_is_replaced_keeps_its_mode_and_owner() {
    for unnamed in [true, false] {
        let (dir, path) = place();
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            std::os::unix::fs::chown(&path, Some(1234), Some(4321)).unwrap();
        }
        let mut old = File::open(&path).unwrap();
        let before = path.metadata().unwrap();
        put(&path, b"new", Content::Plain, unnamed).unwrap();
        let after = path.metadata().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(
            (after.mode(), after.uid(), after.gid()),
            (before.mode(), before.uid(), before.gid())
        );
        let mut text = String::new();
        old.read_to_string(&mut text).unwrap();
        assert_eq!(text, "old", "whoever reads it reads on");
        assert_eq!(names(&dir), ["out"]);
    }
}

#[test]
fn a_link_stays_and_what_it_leads_to_is_written() {
    for unnamed in [true, false] {
        let (dir, path) = place();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("d")).unwrap();
        fs::write(at("d/target"), "old").unwrap();
        symlink("d/second", &path).unwrap();
        symlink("target", at("d/second")).unwrap();
        put(&path, b"new", Content::Plain, unnamed).unwrap();
        for link in [&path, &at("d/second")] {
            assert!(link.is_symlink());
        }
        assert_eq!(fs::read(at("d/target")).unwrap(), b"new");
        symlink(at("d/none"), at("dangling")).unwrap();
        put(&at("dangling"), b"new", Content::Plain, unnamed).unwrap();
        assert!(at("dangling").is_symlink() && !at("d/none").is_symlink());
        assert_eq!(fs::read(at("dangling")).unwrap(), b"new");
        symlink("loop", at("loop")).unwrap();
        let err = write(&at("loop"), b"new").unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidArgument);
    }
}

#[test]
fn devices_and_pipes_are_written_into_and_stay() {
    let (dir, path) = place();
    if let Some(null) = null(&dir) {
        symlink(&null, &path).unwrap();
        for to in [&path, &null] {
            write(to, b"nothing").unwrap();
            assert!(path.is_symlink());
            assert!(null.symlink_metadata().unwrap().file_type().is_char_device());
        }
    }
    let pipe = dir.path().join("pipe");
    mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    for content in [Content::Plain, Content::Secret] {
        let from = pipe.clone();
        let reader = std::thread::spawn(move || fs::read(from).unwrap());
        let mut out = OutFile::create(&pipe, content).unwrap();
        assert!(!out.is_file());
        out.write_all(b"through").unwrap();
        out.finish().unwrap();
        assert_eq!(reader.join().unwrap(), b"through");
        assert!(pipe.symlink_metadata().unwrap().file_type().is_fifo());
    }
    assert!(names(&dir).iter().all(|name| ["null", "out", "pipe"].contains(&name.as_str())));
}

/// A device that takes everything: one of the test's own where root runs it, who could replace the system's.
/// None where root may make or open none.
fn null(dir: &TempDir) -> Option<PathBuf> {
    if !rustix::process::geteuid().is_root() {
        return Some("/dev/null".into());
    }
    let null = dir.path().join("null");
    let mode = Mode::from_raw_mode(0o666);
    let kind = rustix::fs::FileType::CharacterDevice;
    mknodat(CWD, &null, kind, mode, rustix::fs::makedev(1, 3)).ok()?;
    File::options().write(true).open(&null).ok()?;
    Some(null)
}

#[test]
fn what_a_process_has_open_is_written_into() {
    let (_dir, path) = place();
    let mut open = File::options().read(true).append(true).create(true).open(&path).unwrap();
    open.write_all(b"before, ").unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&open);
    write(Path::new(&format!("/dev/fd/{number}")), b"after").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"before, after");
}

#[test]
fn directories_and_sockets_are_refused() {
    let (dir, path) = place();
    let kind = |path: &Path| write(path, b"x").unwrap_err().kind();
    assert_eq!(kind(dir.path()), Kind::AlreadyExists);
    symlink(".", &path).unwrap();
    assert_eq!(kind(&path), Kind::AlreadyExists);
    assert_eq!(kind(Path::new("/")), Kind::AlreadyExists);
    assert_eq!(kind(&dir.path().join("new/")), Kind::InvalidArgument);
    let socket = dir.path().join("socket");
    let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(kind(&socket), Kind::AlreadyExists);
    assert_eq!(kind(&dir.path().join("none/x")), Kind::Io);
    assert_eq!(names(&dir), ["out", "socket"]);
}

#[test]
fn names_as_long_as_the_system_takes_work() {
    for unnamed in [true, false] {
        for len in [246, 247, 255] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("n".repeat(len));
            put(&path, b"one", Content::Plain, unnamed).unwrap();
            put(&path, b"two", Content::Plain, unnamed).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"two");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(write(&dir.path().join("n".repeat(256)), b"x").unwrap_err().kind(), Kind::Io);
}

#[test]
fn a_secret_replaces_nothing_but_what_is_empty() {
    for unnamed in [true, false] {
        let (dir, path) = place();
        let refused = |path: &Path| OutFile::create(path, Content::Secret).unwrap_err().kind();
        put(&path, b"one", Content::Secret, unnamed).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(refused(&path), Kind::AlreadyExists);
        // Made by somebody while the secret was written.
        let late = dir.path().join("late");
        let out = begin(&late, Content::Secret, unnamed);
        fs::write(&late, "theirs").unwrap();
        assert_eq!(out.finish().unwrap_err().kind(), Kind::AlreadyExists);
        assert_eq!(fs::read(&late).unwrap(), b"theirs");
        let empty = dir.path().join("empty");
        fs::write(&empty, "").unwrap();
        fs::set_permissions(&empty, Permissions::from_mode(0o644)).unwrap();
        put(&empty, b"two", Content::Secret, unnamed).unwrap();
        assert_eq!((mode(&empty), fs::read(&empty).unwrap()), (0o600, b"two".to_vec()));
        let link = dir.path().join("link");
        for target in ["none", "out", "empty"] {
            symlink(target, &link).unwrap();
            assert_eq!(refused(&link), Kind::AlreadyExists, "{target}");
            fs::remove_file(&link).unwrap();
        }
        assert_eq!(names(&dir), ["empty", "late", "out"]);
    }
}

/// Both found it empty. One gets there, and the other is told; whoever comes while one is at it, too.
#[test]
fn of_two_secrets_for_one_empty_file_one_is_written() {
    for unnamed in [true, false] {
        let (dir, path) = place();
        fs::write(&path, "").unwrap();
        let begin = |line: &str| {
            let mut out = begin(&path, Content::Secret, unnamed);
            out.write_all(line.as_bytes()).unwrap();
            out
        };
        let all: Vec<_> = (0..8).map(|n| (n.to_string(), begin(&n.to_string()))).collect();
        let barrier = std::sync::Barrier::new(all.len());
        let won: Vec<_> = std::thread::scope(|scope| {
            let barrier = &barrier;
            let finish = |(line, out): (String, OutFile)| {
                scope.spawn(move || {
                    barrier.wait();
                    let finished = out.finish().map_err(|err| err.kind());
                    assert!(matches!(finished, Ok(()) | Err(Kind::AlreadyExists)), "{finished:?}");
                    finished.ok().map(|()| line)
                })
            };
            let all: Vec<_> = all.into_iter().map(finish).collect();
            all.into_iter().filter_map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(won, [fs::read_to_string(&path).unwrap()], "one, and it is there");
        assert_eq!(names(&dir), ["out"]);
    }
}

#[test]
fn a_secret_for_an_empty_file_that_went_or_was_written_to() {
    for unnamed in [true, false] {
        let (_dir, path) = place();
        fs::write(&path, "").unwrap();
        let out = begin(&path, Content::Secret, unnamed);
        fs::remove_file(&path).unwrap();
        out.finish().unwrap();
        fs::write(&path, "").unwrap();
        let out = begin(&path, Content::Secret, unnamed);
        fs::write(&path, "theirs").unwrap();
        assert_eq!(out.finish().unwrap_err().kind(), Kind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
    }
}

#[test]
fn a_secret_is_not_added_to_a_file_that_a_process_has_open() {
    use std::os::fd::AsRawFd as _;

    let (_dir, path) = place();
    let file = File::create(&path).unwrap();
    for dir in ["/proc/self/fd", "/dev/fd"] {
        let open = Path::new(dir).join(file.as_raw_fd().to_string());
        let err = OutFile::create(&open, Content::Secret).unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidArgument, "{dir}");
        write(&open, b"plain").unwrap();
    }
    let (_reader, writer) = std::io::pipe().unwrap();
    let open = Path::new("/proc/self/fd").join(writer.as_raw_fd().to_string());
    assert!(!OutFile::create(&open, Content::Secret).unwrap().is_file(), "a pipe takes it");
    assert_eq!(fs::read(&path).unwrap(), b"plainplain");
}

#[test]
fn links_of_others_are_not_followed_on_the_way_either() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root makes files of others");
        return;
    }
    let (dir, _) = place();
    let at = |name: &str| dir.path().join(name);
    let shared = at("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, Permissions::from_mode(0o1777)).unwrap();
    fs::create_dir_all(at("home/deep")).unwrap();
    symlink("../home", shared.join("own")).unwrap();
    symlink(at("home"), shared.join("theirs")).unwrap();
    std::os::unix::fs::lchown(shared.join("theirs"), Some(1234), None).unwrap();
    // One's own link leads through theirs.
    symlink("shared/theirs", at("through")).unwrap();
    symlink(shared.join("theirs/deep/new"), at("file")).unwrap();
    symlink("round", at("round")).unwrap();
    for bad in ["shared/theirs/out", "shared/theirs/deep/out", "through/out", "file"] {
        for content in [Content::Plain, Content::Secret] {
            let err = OutFile::create(&at(bad), content).unwrap_err();
            assert_eq!(err.kind(), Kind::PermissionDenied, "{bad}");
        }
    }
    for good in ["shared/own/out", "shared/own/deep/out", "shared/own/../home/out"] {
        write(&at(good), b"new").unwrap();
    }
    let err = OutFile::create(&at("round/out"), Content::Plain).unwrap_err();
    assert_eq!(err.kind(), Kind::InvalidArgument, "{err}");
}

#[test]
fn what_others_put_where_everybody_writes_is_left_alone() {
    let (tmp, home) = ((0o41777, 0), (0o40755, 0));
    assert!(is_planted(tmp, 1001, 1000));
    assert!(is_planted(tmp, 1001, 0), "for root as well");
    assert!(!is_planted(tmp, 1000, 1000), "one's own");
    assert!(!is_planted(tmp, 0, 1000), "the directory's owner's");
    assert!(!is_planted(home, 1001, 1000));
    assert!(!is_planted((0o40777, 0), 1001, 1000), "there names can be changed anyhow");
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root makes files of others");
        return;
    }
    let (dir, path) = place();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o1777)).unwrap();
    let target = tempfile::NamedTempFile::new().unwrap();
    symlink(target.path(), &path).unwrap();
    std::os::unix::fs::lchown(&path, Some(1234), None).unwrap();
    let theirs = dir.path().join("theirs");
    fs::write(&theirs, "").unwrap();
    std::os::unix::fs::chown(&theirs, Some(1234), None).unwrap();
    for path in [&path, &theirs] {
        for content in [Content::Plain, Content::Secret] {
            let err = OutFile::create(path, content).unwrap_err();
            assert_eq!(err.kind(), Kind::PermissionDenied);
        }
    }
}

/// What was flushed, and what was at the place by then.
#[derive(Debug)]
struct Flushes(PathBuf, Mutex<Vec<(&'static str, bool)>>);

impl Disk for Flushes {
    fn sync(&self, file: &File) -> io::Result<()> {
        let what = if file.metadata()?.is_dir() { "names" } else { "content" };
        self.1.lock().unwrap().push((what, fs::read(&self.0).is_ok_and(|found| found == b"new")));
        Ok(())
    }

    fn sync_file_system(&self, _: &File) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[test]
fn content_is_durable_before_it_has_its_name() {
    for old in [None, Some("old")] {
        for unnamed in [true, false] {
            let (_dir, path) = place();
            old.iter().for_each(|old| fs::write(&path, old).unwrap());
            let mut out = begin(&path, Content::Plain, unnamed);
            out.write_all(b"new").unwrap();
            let disk = Flushes(path, Mutex::default());
            out.finish_on(&disk).unwrap();
            assert_eq!(*disk.1.lock().unwrap(), [("content", false), ("names", true)]);
        }
    }
}

#[test]
fn standard_output_has_a_few_names() {
    for name in ["-", "/dev/stdout", "/proc/self/fd/1"] {
        assert!(is_stdout(Path::new(name)));
    }
    assert!(!is_stdout(Path::new("./-")) && !is_stdout(Path::new("a/-")));
}
