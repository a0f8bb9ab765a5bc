//! The lies of those that have no secret, one file each.

mod guests;
mod silent;

pub(super) use guests::guests;
pub(super) use silent::silent;
