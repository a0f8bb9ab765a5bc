//! The daemon and its CLI.

pub mod api;
pub mod config;
pub mod error;
pub mod fulcrum;
pub mod secret;
pub mod shutdown;
pub mod startup;
pub mod telemetry;
pub mod view;

pub use error::{Error, Exit, Kind};
