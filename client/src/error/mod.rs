//! The one error type of the project's surface.
//!
//! An [`Error`] has a stable machine-readable [`Kind`], a message for people, context that grows on
//! the way up, a hint on what to do next, and two facts that decide what a caller may do: whether
//! state changed, and whose fault it was. The kind gives the gRPC code and the exit code, in one
//! table ([`Kind::row`]), so that the three never disagree.
//!
//! Engines below have small errors of their own and are turned into this one where they surface.
//! Conversion to and from gRPC is in [`wire`](crate::wire).

mod exit;
mod facts;
mod kind;
mod surface;
mod word;

pub use exit::Exit;
pub use facts::{Fault, StateChanged};
pub use kind::{Kind, Row};
pub(crate) use surface::LOG_CHARS_MAX;
pub use surface::{Error, LOG_LINES_MAX};
pub use word::UnknownWord;

/// A result with the surface's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;
