//! The file of a database: made as a whole or not at all, opened with every page checked.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database};

use super::error::Failure;

/// redb's default is 1 GiB. After the start the store only writes, and reads what it replaces; a
/// node's idle memory counts more than a fast walk over the tables.
const CACHE_BYTES: usize = 2 << 20;

/// Where a database lives. The tests have one in memory that fails on command.
pub(super) trait Disk: Send {
    /// Makes the database if there is none. Afterwards there is either none or a whole one.
    fn create(&self, fill: &dyn Fn(&Database) -> Result<(), Failure>) -> Result<(), Failure>;

    /// Opens the database that is there.
    fn open(&self) -> Result<Database, Failure>;

    /// How many bytes its file has.
    fn len(&self) -> Result<u64, Failure>;
}

/// How every database is opened: all checksums verified, because redb trusts a file that was closed
/// cleanly and panics on one that was changed since.
pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    builder
}

/// Turns a panic inside redb into damage: it asserts what no file that it wrote can break.
pub(super) fn guard<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Failure::damaged(text.unwrap_or("redb panicked on it")))
    })
}

/// A file.
#[derive(Debug)]
pub(super) struct FileDisk {
    path: PathBuf,
}

impl FileDisk {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    fn unfinished(&self) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        // Two processes that start at once do not write into one file.
        name.push(format!(".new-{}", std::process::id()));
        name.into()
    }

    /// Gives a finished database its name, unless another process was faster.
    fn publish(&self, unfinished: &Path) -> io::Result<()> {
        match fs::hard_link(unfinished, &self.path) {
            Ok(()) => fs::remove_file(unfinished)?,
            Err(err) if err.kind() == ErrorKind::AlreadyExists => fs::remove_file(unfinished)?,
            // A file system without links.
            Err(_) => fs::rename(unfinished, &self.path)?,
        }
        sync_directory_of(&self.path)
    }
}

impl Disk for FileDisk {
    fn create(&self, fill: &dyn Fn(&Database) -> Result<(), Failure>) -> Result<(), Failure> {
        // An empty file that has the name is damage: redb would take it for a new database, and the
        // node would forget the incarnation it runs as.
        if self.path.try_exists().map_err(Failure::Io)? {
            return Ok(());
        }
        let unfinished = self.unfinished();
        let made = make(&unfinished, fill);
        if made.is_err() {
            // Best effort: the next attempt replaces it all the same.
            drop(fs::remove_file(&unfinished));
        }
        made?;
        self.publish(&unfinished).map_err(Failure::Io)
    }

    fn open(&self) -> Result<Database, Failure> {
        Ok(builder().open(&self.path)?)
    }

    fn len(&self) -> Result<u64, Failure> {
        Ok(fs::metadata(&self.path).map_err(Failure::Io)?.len())
    }
}

/// Makes a database, and closes it.
fn make(path: &Path, fill: &dyn Fn(&Database) -> Result<(), Failure>) -> Result<(), Failure> {
    let file = create_private(path).map_err(Failure::Io)?;
    let database = builder().create_with_backend(FileBackend::new(file)?)?;
    fill(&database)?;
    Ok(database.close()?)
}

/// Makes a file that only its owner reads, in place of what a crash may have left.
fn create_private(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != ErrorKind::NotFound => return Err(err),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the name durable, where a directory can be synced.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match File::open(parent.unwrap_or(Path::new("."))) {
        Ok(directory) => directory.sync_all(),
        Err(_) if cfg!(not(unix)) => Ok(()),
        Err(err) => Err(err),
    }
}
