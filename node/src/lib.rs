//! The daemon and its CLI.

pub mod api;
pub mod cli;
pub mod config;
pub mod error;
pub mod fulcrum;
pub mod parse;
pub mod secret;
pub mod shutdown;
pub mod startup;
pub mod telemetry;
pub mod view;

pub use cli::{main, main_from};
pub use error::{Error, Exit, Kind};
