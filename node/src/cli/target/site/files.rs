//! Which files a caller means.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind};

/// How many documents are read: twice as many as a program may have picks.
const DOCUMENTS_MAX: usize = 512;
/// How many entries of a directory are looked through. Guess: a directory with more is not one of targets.
const ENTRIES_MAX: usize = 16_384;

/// The files of a target.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Files {
    /// The program.
    pub(super) program: PathBuf,
    /// Documents of services, in the order of the paths, those of a directory by name; each once.
    pub(super) documents: Vec<PathBuf>,
}

impl Files {
    /// The files that paths name. Of a directory those with a name in `.khan` or `.toml`, but for hidden ones and those
    /// in directories below.
    ///
    /// # Errors
    /// [`Kind::NotFound`] where there is nothing or no program; [`Kind::InvalidArgument`] for several programs, and
    /// for other files; [`Kind::LimitReached`].
    pub(super) fn find(paths: &[PathBuf]) -> Result<Self, Error> {
        let (mut programs, mut documents) = (Vec::new(), Vec::new());
        for path in paths {
            for file in expand(path)? {
                let list = if is_program(&file) { &mut programs } else { &mut documents };
                if !list.contains(&file) {
                    list.push(file);
                }
                if documents.len() > DOCUMENTS_MAX {
                    return Err(too_many(&format!("{DOCUMENTS_MAX} documents of services"), path));
                }
            }
        }
        match programs.as_slice() {
            [_] => {}
            [] => return Err(no_program(paths)),
            [first, second, ..] => return Err(two_programs(first, second)),
        }
        let program = programs.swap_remove(0);
        Ok(Self { program, documents })
    }
}

fn is_program(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "khan")
}

fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "toml")
}

/// The files that a path stands for.
fn expand(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let doing = || path.display().to_string();
    let meta = fs::metadata(path).map_err(|err| match err.kind() {
        std::io::ErrorKind::NotFound => {
            Error::new(Kind::NotFound, "there is no such file or directory").augment(doing())
        }
        _ => Error::io(doing(), &err),
    })?;
    if meta.is_dir() {
        return list(path);
    }
    if is_program(path) || is_document(path) {
        return Ok(vec![path.to_owned()]);
    }
    Err(Error::new(Kind::InvalidArgument, "not a file of a target")
        .with_hint(
            "Give a directory, or files: a program ends in .khan, a service's document in .toml.",
        )
        .augment(doing()))
}

/// The files of a directory, by name.
fn list(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let io =
        |err: &std::io::Error| Error::io(format!("reading the directory {}", dir.display()), err);
    let mut found = Vec::new();
    for (count, entry) in fs::read_dir(dir).map_err(|err| io(&err))?.enumerate() {
        if count >= ENTRIES_MAX {
            return Err(too_many(&format!("{ENTRIES_MAX} entries"), dir));
        }
        let path = entry.map_err(|err| io(&err))?.path();
        let name = path.file_name().map(std::ffi::OsStr::as_encoded_bytes);
        let is_hidden = name.is_none_or(|name| name.starts_with(b"."));
        // A pipe or a device in a directory is not for this: it would be waited for.
        if !is_hidden && (is_program(&path) || is_document(&path)) && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn too_many(what: &str, path: &Path) -> Error {
    Error::new(Kind::LimitReached, format!("more than {what}")).augment(path.display().to_string())
}

fn no_program(paths: &[PathBuf]) -> Error {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    Error::new(Kind::NotFound, format!("there is no program in {}", paths.join(", ")))
        .with_hint("A target has one file that ends in .khan, and says where services run.")
}

fn two_programs(first: &Path, second: &Path) -> Error {
    let (first, second) = (first.display(), second.display());
    Error::new(Kind::InvalidArgument, format!("{first} and {second} are both programs"))
        .with_hint("A target has one program. Name the files one by one to leave one out.")
}
