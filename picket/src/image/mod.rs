//! The bytes that are executed.
//!
//! A file in the blob store can be written by whatever runs as the node's user, also between the
//! moment when it was verified and the moment when the kernel reads it. So it is not executed:
//!
//! ```text
//! store's file ── read once ──┬─▶ BLAKE3, compared with the root
//!                             └─▶ anonymous file in memory ── sealed ── executed by its descriptor
//! ```
//!
//! Invariant: each byte of a sealed image was hashed before it was written there, and after the seal
//! nothing can write it. If the hash differs, the copy is dropped.
//!
//! The copies of one node share [`Images::max`]; beyond that the store's file itself is executed, by
//! descriptor and after it was verified, and the image says that it is not sealed.

mod cache;
mod program;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;

pub use cache::{IMAGES_BYTES_MAX, Images, load};
pub use program::{Machine, Program, Unusable};

/// The BLAKE3 hash of an image.
pub type Root = [u8; 32];

/// How much is read, hashed and written at a time: enough for BLAKE3 to use wide instructions.
const STEP: usize = 256 << 10;

/// Where an image is, and what it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file in the blob store.
    pub path: PathBuf,
    /// Its hash, as it was verified when the blob was sealed.
    pub root: Root,
    /// Its size in bytes.
    pub size: u64,
}

/// A program, ready to be executed.
#[derive(Debug)]
pub struct Image {
    root: Root,
    size: u64,
    file: OwnedFd,
    sealed: bool,
    program: Program,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be read.
    #[error("the image {path} cannot be read: {source}; get the blob again")]
    Read {
        /// Which file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// It has other bytes.
    #[error(
        "the image {0} does not have the bytes that were verified; something wrote to the blob store: \
         get the blob again"
    )]
    Differs(PathBuf),
    /// There is no memory for the copy.
    #[error("no sealed copy of the image in memory: {0}; free memory, or raise the node's limit")]
    Memory(#[source] io::Error),
    /// This machine executes nothing from memory.
    #[error(
        "this machine refuses to execute from memory (vm.memfd_noexec is 2), and images are executed \
         from a sealed copy there; set vm.memfd_noexec to 0 or 1"
    )]
    NoExec,
    /// The store's file cannot be made executable.
    #[error("the image {path}, too large for a sealed copy, cannot be made executable: {source}")]
    Mode {
        /// Which file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// It cannot be run here.
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

impl ImageError {
    /// Whether it says something about the node, which has no memory or no descriptor left, and nothing about the image.
    #[must_use]
    pub fn is_of_node(&self) -> bool {
        let errno = match self {
            Self::Memory(_) => return true,
            Self::Read { source, .. } => source.raw_os_error().map(Errno::from_raw_os_error),
            _ => None,
        };
        matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::IO))
    }
}

impl Image {
    /// Copies a file into memory and seals the copy. It reads the whole file: some 2 GB/s from memory.
    ///
    /// # Errors
    /// If the bytes are not those of the root, or not a program; or the machine refuses.
    pub fn seal(source: &Source) -> Result<Self, ImageError> {
        let mut from = open(source)?;
        let mut copy = File::from(memory_file()?);
        verify(source, &mut from, |bytes| copy.write_all(bytes).map_err(ImageError::Memory))?;
        Self::of(source, seal(&copy).map_err(ImageError::Memory)?, true)
    }

    /// Verifies a file and executes it where it is: something may write to it afterwards.
    ///
    /// # Errors
    /// As [`Image::seal`].
    pub fn unsealed(source: &Source) -> Result<Self, ImageError> {
        let mut from = open(source)?;
        verify(source, &mut from, |_| Ok(()))?;
        // A program of another user opens it again if it is a script. A user that may not enter the store
        // finds it by no path all the same.
        let mode = std::fs::Permissions::from_mode(0o555);
        let changed = from.set_permissions(mode);
        changed.map_err(|err| ImageError::Mode { path: source.path.clone(), source: err })?;
        Self::of(source, from, false)
    }

    /// A program of the system, executed where it is: only its format is checked.
    ///
    /// # Errors
    /// If it cannot be read, or is not a program.
    pub fn of_path(path: &Path) -> Result<Self, ImageError> {
        // Nothing is compared with its hash.
        let source = Source { path: path.to_owned(), root: Root::default(), size: 0 };
        Self::of(&source, open(&source)?, false)
    }

    fn of(source: &Source, file: File, sealed: bool) -> Result<Self, ImageError> {
        let unread = |err| ImageError::Read { path: source.path.clone(), source: err };
        let program = Program::of(&head(&file).map_err(unread)?)?;
        Ok(Self { root: source.root, size: source.size, file: file.into(), sealed, program })
    }

    /// Its hash.
    #[must_use]
    pub const fn root(&self) -> &Root {
        &self.root
    }

    /// Its size in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Whether nothing can change it any more.
    #[must_use]
    pub const fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// The kind of program.
    #[must_use]
    pub const fn program(&self) -> &Program {
        &self.program
    }
}

impl AsFd for Image {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Seals a copy, and opens it again only to be read: a script has this very descriptor, and whoever opens it to write
/// keeps the kernel from executing it elsewhere.
fn seal(copy: &File) -> io::Result<File> {
    copy.set_permissions(std::fs::Permissions::from_mode(0o555))?;
    // Kernels before 6.3 do not know it: there the owner may take the right to execute it.
    let _ = fcntl_add_seals(copy, SealFlags::EXEC);
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(copy, seals)?;
    File::open(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(copy)))
}

fn open(source: &Source) -> Result<File, ImageError> {
    // A pipe in its place would hold the node.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(&source.path);
    let file = file.and_then(|file| match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a regular file")),
    });
    file.map_err(|err| ImageError::Read { path: source.path.clone(), source: err })
}

/// Reads exactly the size of the source, hands each part to `then` after it was hashed, and compares.
fn verify(
    source: &Source,
    from: &mut File,
    mut then: impl FnMut(&[u8]) -> Result<(), ImageError>,
) -> Result<(), ImageError> {
    let mut hasher = blake3::Hasher::new();
    // One byte more than it has: a longer file is another file.
    let mut from = from.take(source.size.saturating_add(1));
    let mut buffer = vec![0; STEP];
    let mut size = 0;
    loop {
        let read = read(&mut from, &mut buffer);
        let read =
            read.map_err(|err| ImageError::Read { path: source.path.clone(), source: err })?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
        then(&buffer[..read])?;
    }
    let same = size == source.size && hasher.finalize() == source.root;
    same.then_some(()).ok_or_else(|| ImageError::Differs(source.path.clone()))
}

fn read(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(buffer) {
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// The first bytes of a file, from wherever it was read to.
fn head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; program::HEAD_MAX];
    let mut length = 0;
    while length < head.len() {
        match file.read_at(&mut head[length..], length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    head.truncate(length);
    Ok(head)
}

/// An anonymous file that may be executed and sealed.
fn memory_file() -> Result<OwnedFd, ImageError> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create("image", flags | MemfdFlags::EXEC) {
        // Kernels before 6.3 do not know the flag, and need none.
        Err(Errno::INVAL) => {
            memfd_create("image", flags).map_err(|err| ImageError::Memory(err.into()))
        }
        Err(Errno::ACCESS) => Err(ImageError::NoExec),
        other => other.map_err(|err| ImageError::Memory(err.into())),
    }
}

/// The hash and size of a file, as a [`Source`]. For tests and for images that come from a path.
///
/// # Errors
/// If it cannot be read.
pub fn source_of(path: &Path) -> io::Result<Source> {
    let mut hasher = blake3::Hasher::new();
    let size = io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(Source { path: path.to_owned(), root: *hasher.finalize().as_bytes(), size })
}

#[cfg(test)]
mod tests;
