//! One copy of each image, as long as an instance may need it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Image, ImageError, Root, Source};

/// How many bytes of images are copied into memory, for all services of a node together. The copies
/// cannot be written to disk unless there is swap; half a gigabyte is what a node of 4 GB can spare.
pub const IMAGES_BYTES_MAX: u64 = 512 << 20;

/// The images of the services of this node.
#[derive(Debug)]
pub struct Images {
    max: u64,
    held: BTreeMap<Root, Arc<Image>>,
}

impl Default for Images {
    fn default() -> Self {
        Self::new(IMAGES_BYTES_MAX)
    }
}

impl Images {
    /// None yet, and at most so many bytes of copies.
    #[must_use]
    pub const fn new(max: u64) -> Self {
        Self { max, held: BTreeMap::new() }
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

    /// Whether a copy of so many bytes fits.
    #[must_use]
    pub fn fits(&self, size: u64) -> bool {
        self.bytes().saturating_add(size) <= self.max
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

    /// Forgets all but these. Running programs keep theirs: the kernel does.
    pub fn keep_only(&mut self, wanted: &BTreeSet<Root>) {
        self.held.retain(|root, _| wanted.contains(root));
    }
}
