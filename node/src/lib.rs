//! The daemon and its CLI.

pub mod api;
pub mod error;
pub mod fulcrum;
pub mod secret;
pub mod store;
pub mod view;

pub use error::{Error, Exit, Kind};
