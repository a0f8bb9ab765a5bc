//! Where the content of a document comes from.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crux_crdt::document::CONTENT_MAX;

use super::Ui;
use crate::error::{Error, Kind};

/// Whether a path stands for standard input.
pub(in crate::cli) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads the content of a document from a file, or from standard input.
///
/// # Errors
/// [`Kind::NotFound`], [`Kind::LimitReached`] when it is longer than a document may be,
/// [`Kind::ChangedWhileRead`]; otherwise what the system says. Each names the file.
pub(in crate::cli) fn read(path: &Path, ui: &mut Ui) -> Result<Vec<u8>, Error> {
    if is_stdin(path) {
        return bounded(ui.input()).map_err(|err| err.augment("standard input"));
    }
    let content = read_file(path, CONTENT_MAX).map_err(|err| match err.kind() {
        Kind::NotFound => err.with_hint("Give the path of a file, or `-` for standard input."),
        _ => err,
    })?;
    check_len(&content).map_err(|err| err.augment(path.display().to_string()))?;
    Ok(content)
}

/// Reads a file that nobody writes meanwhile: all of it if it has at most so many bytes, and otherwise one byte more
/// than that.
///
/// # Errors
/// [`Kind::NotFound`], [`Kind::ChangedWhileRead`]; otherwise what the system says. Each names the file.
pub(in crate::cli) fn read_file(path: &Path, max: usize) -> Result<Vec<u8>, Error> {
    let doing = || path.display().to_string();
    let file = File::open(path).map_err(|err| match err.kind() {
        io::ErrorKind::NotFound => {
            Error::new(Kind::NotFound, "there is no such file").augment(doing())
        }
        _ => Error::io(doing(), &err),
    })?;
    stable(file, max).map_err(|err| err.augment(doing()))
}

/// The whole content of a file that nobody writes meanwhile. A signature on half of a change would be a valid one.
fn stable(mut file: File, max: usize) -> Result<Vec<u8>, Error> {
    let before = version(&file)?;
    let first = beginning(&mut file, max)?;
    // A pipe or a device is read once, and whatever comes is its content.
    let Some(before) = before else { return Ok(first) };
    file.rewind().map_err(|err| Error::io("reading", &err))?;
    let second = beginning(&mut file, max)?;
    // The second look finds a write within one tick of the file system's clock; the version finds one that came
    // between the two looks and was undone.
    if first != second || version(&file)? != Some(before) {
        return Err(Error::new(Kind::ChangedWhileRead, "it changed while it was read"));
    }
    Ok(first)
}

/// Metadata that each write to a regular file changes; `None` for anything else.
fn version(file: &File) -> Result<Option<[i64; 5]>, Error> {
    let meta = file.metadata().map_err(|err| Error::io("reading", &err))?;
    let version = |meta: &Metadata| {
        let len = i64::try_from(meta.len()).unwrap_or(i64::MAX);
        [len, meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()]
    };
    Ok(meta.is_file().then(|| version(&meta)))
}

fn bounded(input: impl Read) -> Result<Vec<u8>, Error> {
    let content = beginning(input, CONTENT_MAX)?;
    check_len(&content)?;
    Ok(content)
}

fn check_len(content: &[u8]) -> Result<(), Error> {
    if content.len() <= CONTENT_MAX {
        return Ok(());
    }
    let message = format!("it has more than {CONTENT_MAX} bytes");
    Err(Error::new(Kind::LimitReached, message).with_hint(
        "A document is small: put the file with `blob put`, and its id into the document.",
    ))
}

/// At most one byte more than `max`.
fn beginning(input: impl Read, max: usize) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    let read = input.take(max as u64 + 1).read_to_end(&mut content);
    read.map_err(|err| Error::io("reading", &err))?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_file_at_its_bound_is_read_and_one_byte_more_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        for (len, fits) in [(0, true), (CONTENT_MAX, true), (CONTENT_MAX + 1, false)] {
            fs::write(&path, vec![7; len]).unwrap();
            let read = bounded(File::open(&path).unwrap());
            let whole = read_file(&path, CONTENT_MAX).unwrap();
            assert_eq!(whole.len(), len, "one byte more shows that it is longer");
            assert_eq!(read.as_ref().is_ok_and(|it| it.len() == len), fits, "{len}");
            if let Err(err) = read {
                assert_eq!(err.kind(), Kind::LimitReached);
            }
        }
    }

    /// Another thread writes all the time, so some look meets it.
    #[test]
    fn a_file_that_changes_while_it_is_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let content = |byte: u8| vec![byte; 32 * 1024];
        fs::write(&path, content(0)).unwrap();
        let is_done = AtomicBool::new(false);
        let refused = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut byte = 0_u8;
                while !is_done.load(Ordering::Relaxed) {
                    byte = byte.wrapping_add(1);
                    fs::write(&path, content(byte)).unwrap();
                }
            });
            let refused = (0..10_000).find_map(|_| read_file(&path, CONTENT_MAX).err());
            is_done.store(true, Ordering::Relaxed);
            refused
        });
        assert_eq!(refused.map(|err| err.kind()), Some(Kind::ChangedWhileRead));
    }
}
