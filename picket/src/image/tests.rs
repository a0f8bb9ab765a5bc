use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsRawFd as _;
use std::sync::{Arc, Mutex};

use super::*;

fn script(dir: &tempfile::TempDir, name: &str, text: &str) -> Source {
    let path = dir.path().join(name);
    fs::write(&path, text).expect("written");
    source_of(&path).expect("read")
}

#[test]
fn a_sealed_image_cannot_be_written_by_its_owner() {
    let dir = tempfile::tempdir().expect("a directory");
    let image = Image::seal(&script(&dir, "a", "#!/bin/sh\n")).expect("sealed");
    assert!(image.is_sealed() && image.program().is_script());
    let path = format!("/proc/self/fd/{}", image.file.as_raw_fd());
    let again = OpenOptions::new().write(true).open(path);
    let written = again.and_then(|mut file| file.write_all(b"x"));
    assert_eq!(written.expect_err("sealed").kind(), io::ErrorKind::PermissionDenied);
    assert!(rustix::fs::ftruncate(&image.file, 0).is_err());
    assert!(rustix::fs::ftruncate(&image.file, 1 << 20).is_err());
}

#[test]
fn other_bytes_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = script(&dir, "a", "#!/bin/sh\necho 1\n");
    for text in ["#!/bin/sh\necho 2\n", "#!/bin/sh\necho 1", "#!/bin/sh\necho 1\n\n", ""] {
        fs::write(&source.path, text).expect("written");
        for made in [Image::seal(&source), Image::unsealed(&source)] {
            assert!(matches!(made, Err(ImageError::Differs(_))), "{text:?}: {made:?}");
        }
    }
    fs::remove_file(&source.path).expect("removed");
    assert!(matches!(Image::seal(&source), Err(ImageError::Read { .. })));
    // Opening a pipe that nobody writes would wait for ever.
    rustix::fs::mkfifoat(rustix::fs::CWD, &source.path, rustix::fs::Mode::RWXU).expect("a pipe");
    assert!(matches!(Image::seal(&source), Err(ImageError::Read { .. })));
}

#[test]
fn images_are_shared_bounded_and_forgotten() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (script(&dir, "a", "#!/bin/sh\n# a"), script(&dir, "b", "#!/bin/sh\n# bb"));
    let mut images = Images::new(a.size + 1);
    let first = images.load(&a).expect("sealed");
    fs::write(&a.path, "other bytes").expect("written");
    assert!(Arc::ptr_eq(&first, &images.load(&a).expect("there")));
    assert_eq!(images.bytes(), a.size);
    // No room for the second: executed where it is, and said so.
    let second = images.load(&b).expect("verified");
    assert!(!second.is_sealed() && images.get(&b.root).is_none());
    images.keep_only(&BTreeSet::new());
    assert!(images.load(&b).expect("sealed").is_sealed());
}

#[test]
fn a_copy_that_is_being_made_has_its_room_already() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (script(&dir, "a", "#!/bin/sh\n# a"), script(&dir, "b", "#!/bin/sh\n# bb"));
    let images = Mutex::new(Images::new(a.size + b.size - 1));
    assert!(images.lock().expect("whole").reserve(a.size));
    assert!(!load(&images, &b).expect("verified").is_sealed(), "there is no room for both");
    let copy = Image::seal(&a);
    images.lock().expect("whole").copied(a.size, copy).expect("sealed");
    let held = images.lock().expect("whole");
    assert_eq!((held.bytes(), held.reserved), (a.size, 0));
    drop(held);
    // One that fails gives its room back.
    images.lock().expect("whole").keep_only(&BTreeSet::new());
    fs::write(&a.path, "other bytes").expect("written");
    assert!(load(&images, &a).is_err() && load(&images, &b).expect("sealed").is_sealed());
}

#[test]
fn an_image_is_open_for_reading_only() {
    let dir = tempfile::tempdir().expect("a directory");
    let image = Image::seal(&script(&dir, "a", "#!/bin/sh\n")).expect("sealed");
    let flags = rustix::fs::fcntl_getfl(&image).expect("open");
    assert_eq!(flags & rustix::fs::OFlags::RWMODE, rustix::fs::OFlags::RDONLY);
    let mode = File::from(image.file).metadata().expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o555);
}
