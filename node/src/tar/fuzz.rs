//! Archives of every kind for the reader: nothing is made outside of one fresh directory, and there
//! all of it or nothing.
//!
//! `PROPTEST_CASES=100000 cargo test --workspace fuzz` looks for longer than the gate does.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::header::Header;
use super::{BLOCK, pack, unpack};

/// Names and targets that lead somewhere: up, to the root, through links, on top of each other.
const PLACES: [&str; 12] =
    ["a", "a/b", "a/b/c", "./a", "../x", "/x", "a/../../x", "..", ".", "", "l/x", "a/l/../../../x"];

/// One entry: its kind, its name, its target, how many bytes it has and how many it says.
type Part = (u8, usize, usize, u16, u16);

fn archive(parts: &[Part]) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, name, link, has, says) in parts {
        // Some that there are, and some that there are not.
        let kind = *b"0251xgLK34S".get(usize::from(*kind) % 12).unwrap_or(&0xff);
        let text = |place: &usize| PLACES[place % PLACES.len()].as_bytes().to_vec();
        let size = if has % 3 == 0 { u64::from(*says) } else { u64::from(*has) };
        let header = Header { kind, name: text(name), link: text(link), size, mode: 0o755 };
        out.extend(header.encode());
        out.resize(out.len() + usize::from(*has), b'9');
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.extend([0; 2 * BLOCK]);
    out
}

/// Puts the sums of all headers right, so that damage gets past them.
fn mend(bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(BLOCK).filter(|block| block[257..262] == *b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

/// What is in a directory and below it, links not followed.
fn all_below(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let below = entries.flat_map(|entry| {
        let is_dir = entry.file_type().unwrap().is_dir();
        let mut found = if is_dir { all_below(&entry.path()) } else { Vec::new() };
        found.push(entry.path());
        found
    });
    below.collect()
}

/// Unpacks below two directories, of which nothing but `out` may be touched.
fn stays_inside(bytes: &[u8]) {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join("up/place");
    fs::create_dir_all(&place).unwrap();
    let out = place.join("out");
    let done = unpack(bytes, &out);
    let inside = if done.is_ok() { all_below(&out) } else { Vec::new() };
    let expected = 2 + usize::from(done.is_ok()) + inside.len();
    assert_eq!(all_below(home.path()).len(), expected, "only `out`, or nothing: {done:?}");
    let root = fs::canonicalize(&place).unwrap().join("out");
    for path in &inside {
        // A link may dangle; where it leads somewhere, that is inside.
        if let Ok(real) = fs::canonicalize(path) {
            assert!(real.starts_with(&root), "{} leads to {}", path.display(), real.display());
        }
    }
    let written: u64 = inside
        .iter()
        .map(|path| path.symlink_metadata().unwrap())
        .fold(0, |sum, meta| if meta.is_file() { sum + meta.len() } else { sum });
    assert!(written <= bytes.len() as u64, "never more than was read");
}

/// A good archive with a file, a directory, a link and a long name.
fn good() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("a/b")).unwrap();
    fs::write(dir.path().join("a/file"), [7; 700]).unwrap();
    fs::write(dir.path().join("n".repeat(120)), b"long").unwrap();
    std::os::unix::fs::symlink("a/file", dir.path().join("l")).unwrap();
    let mut out = Vec::new();
    pack(dir.path(), &mut out).unwrap();
    out
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fuzz_archives(parts in prop::collection::vec(any::<Part>(), 0..8), cut in any::<u16>()) {
        let mut bytes = archive(&parts);
        if cut % 4 == 0 {
            bytes.truncate(usize::from(cut) % (bytes.len() + 1));
        }
        stays_inside(&bytes);
    }

    #[test]
    fn fuzz_damaged_archives(
        edits in prop::collection::vec((any::<u16>(), any::<u8>()), 0..12),
        mended in any::<bool>(),
    ) {
        let mut bytes = good();
        let len = bytes.len();
        edits.iter().for_each(|(place, value)| bytes[usize::from(*place) % len] = *value);
        if mended {
            mend(&mut bytes);
        }
        stays_inside(&bytes);
    }

    #[test]
    fn fuzz_rubbish(bytes in prop::collection::vec(any::<u8>(), 0..3_000)) {
        stays_inside(&bytes);
    }
}
