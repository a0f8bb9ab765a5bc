//! One copy of each image, as long as an instance may need it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Image, ImageError, Root, Source};

/// How many bytes of images are copied into memory, for all services of a node together. The copies
/// cannot be written to disk unless there is swap; half a gigabyte is what a node of 4 GB can spare.
pub const IMAGES_BYTES_MAX: u64 = 512 << 20;

/// The share of a bounded memory that copies may have: programs need the rest.
const SHARE: u64 = 4;

/// The images of the services of this node.
#[derive(Debug)]
pub struct Images {
    max: u64,
    /// The bytes that are being copied now.
    pub(super) reserved: u64,
    held: BTreeMap<Root, Arc<Image>>,
}

impl Default for Images {
    fn default() -> Self {
        Self::new(memory_max().map_or(IMAGES_BYTES_MAX, |max| IMAGES_BYTES_MAX.min(max / SHARE)))
    }
}

impl Images {
    /// None yet, and at most so many bytes of copies.
    #[must_use]
    pub const fn new(max: u64) -> Self {
        Self { max, reserved: 0, held: BTreeMap::new() }
    }

    /// The most bytes of copies.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// How many bytes of copies there are.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.held.values().filter(|image| image.is_sealed()).map(|image| image.size()).sum()
    }

    /// An image that was loaded before. An unsealed one is not kept here: it is verified each time.
    #[must_use]
    pub fn get(&self, root: &Root) -> Option<Arc<Image>> {
        self.held.get(root).cloned()
    }

    /// Whether a copy of so many bytes fits beside those that are there and those that are being made.
    #[must_use]
    pub fn fits(&self, size: u64) -> bool {
        self.bytes().saturating_add(self.reserved).saturating_add(size) <= self.max
    }

    /// The image of a source: the copy that is there, a copy made now, or, where that does not fit, the
    /// store's file. Reads the whole file unless the copy is there; callers that must not wait that
    /// long ask [`Images::get`] and [`Images::fits`], call [`Image::seal`] elsewhere, and
    /// [`Images::insert`].
    ///
    /// # Errors
    /// If the bytes differ, are not a program, or the machine refuses.
    pub fn load(&mut self, source: &Source) -> Result<Arc<Image>, ImageError> {
        if let Some(image) = self.get(&source.root) {
            return Ok(image);
        }
        if !self.fits(source.size) {
            return Image::unsealed(source).map(Arc::new);
        }
        Ok(self.insert(Image::seal(source)?))
    }

    /// Keeps a sealed image; what is to be used from now on.
    pub fn insert(&mut self, image: Image) -> Arc<Image> {
        let image = Arc::new(image);
        if image.is_sealed() && self.fits(image.size()) {
            self.held.insert(*image.root(), Arc::clone(&image));
        }
        image
    }

    /// Keeps room for a copy, if there is some, until [`Images::copied`].
    pub(super) fn reserve(&mut self, size: u64) -> bool {
        let fits = self.fits(size);
        self.reserved += if fits { size } else { 0 };
        fits
    }

    /// The copy for which room was kept is made, or is not.
    pub(super) fn copied(
        &mut self,
        size: u64,
        image: Result<Image, ImageError>,
    ) -> Result<Arc<Image>, ImageError> {
        self.reserved -= size;
        Ok(self.insert(image?))
    }

    /// Forgets all but these. Running programs keep theirs: the kernel does.
    pub fn keep_only(&mut self, wanted: &BTreeSet<Root>) {
        self.held.retain(|root, _| wanted.contains(root));
    }
}

/// The image of a source, from images that several threads use: [`Images::load`] without holding the lock while a file
/// is read. Two that load the same at once make two copies; each has its room.
///
/// # Errors
/// As [`Images::load`].
pub fn load(images: &Mutex<Images>, source: &Source) -> Result<Arc<Image>, ImageError> {
    let lock = || images.lock().unwrap_or_else(PoisonError::into_inner);
    {
        let mut images = lock();
        if let Some(image) = images.get(&source.root) {
            return Ok(image);
        }
        if !images.reserve(source.size) {
            drop(images);
            return Image::unsealed(source).map(Arc::new);
        }
    }
    let sealed = Image::seal(source);
    lock().copied(source.size, sealed)
}

/// How much memory this process and its programs have together; none: no bound is set.
fn memory_max() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    // In a container the group is the root of what is seen.
    let mut dirs =
        [Path::new("/sys/fs/cgroup").join(path), PathBuf::from("/sys/fs/cgroup")].into_iter();
    dirs.find_map(|dir| std::fs::read_to_string(dir.join("memory.max")).ok()?.trim().parse().ok())
}
