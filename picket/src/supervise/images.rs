//! Images of the services: made ready, kept while they are wanted, and looked for where the store has them by now.

use std::sync::{Arc, Mutex, PoisonError};

use crux_protocol::picket::{Event, Image};
use tracing::debug;

use super::shell::Shell;
use super::work::Done;
use crate::image::{self, ImageError, Images, Source};

impl Shell {
    /// Has the store and the memory keep the images that are wanted, and those of requests that wait.
    pub(super) fn pin(&mut self) {
        let mut pins = self.pins.clone();
        pins.extend(self.waiting.values().filter_map(|pending| pending.blob));
        let roots =
            pins.iter().filter_map(|blob| self.roots.get(blob)).map(|root| root.0).collect();
        self.images.lock().unwrap_or_else(PoisonError::into_inner).keep_only(&roots);
        self.roots.retain(|blob, _| pins.contains(blob));
        self.moved.retain(|blob, _| pins.contains(blob));
        self.post.pin(pins);
    }

    /// Makes an image ready from the file where it should be. `again`: the fulcrum said where, just now.
    pub(super) fn seal_now(&mut self, image: Image, again: bool) {
        self.roots.insert(image.blob(), image.descriptor.root);
        if again {
            self.moved.insert(image.blob(), image.path.clone());
        }
        let (images, found) = (Arc::clone(&self.images), self.where_it_is(&image));
        self.tasks.spawn_blocking(move || {
            let sealed = load(&images, &found).and_then(|loaded| {
                // Also at each start: what it needs of this machine may go, and come.
                loaded.program().check()?;
                Ok(loaded.is_sealed())
            });
            Done::Sealed(image, again, sealed)
        });
    }

    /// An image with the path where the fulcrum found it last.
    pub(super) fn where_it_is(&self, image: &Image) -> Image {
        let path = self.moved.get(&image.blob()).unwrap_or(&image.path).clone();
        Image { path, ..image.clone() }
    }

    pub(super) fn on_sealed(
        &mut self,
        image: Image,
        again: bool,
        result: Result<bool, ImageError>,
    ) {
        let blob = image.blob();
        match result {
            Ok(sealed) => self.tell(Event::Sealed { blob, sealed }),
            // The store may have moved it, or lost it: the fulcrum knows, and fetches it. Once for each attempt.
            Err(ImageError::Read { path, source }) if !again => {
                debug!(path = %path.display(), error = %source, "an image is not where it was");
                if self.post.ask_image(blob) {
                    self.seals.insert(blob, image);
                } else {
                    let reason = ImageError::Read { path, source }.to_string();
                    self.tell(Event::SealFailed { blob, reason });
                }
            }
            Err(err) => self.tell(Event::SealFailed { blob, reason: err.to_string() }),
        }
    }
}

/// An image, from memory where it is there already.
pub(super) fn load(images: &Mutex<Images>, image: &Image) -> Result<Arc<image::Image>, ImageError> {
    let Image { descriptor, path } = image;
    let source = Source { path: path.into(), root: descriptor.root.0, size: descriptor.size };
    image::load(images, &source)
}
