//! The lies of members, one file each.

mod blob;
mod fence;
mod forge;
mod keys;
mod slow;
mod text;

pub(super) use blob::Blob;
pub(super) use fence::Fence;
pub(super) use keys::Keys;
pub(super) use slow::Slow;
pub(super) use text::Text;
