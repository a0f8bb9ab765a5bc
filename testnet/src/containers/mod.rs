//! The flock as containers: the image, the compose file, and a story on both with real networks to cut.
//!
//! ```text
//!   story ────────► compose ──► docker compose up   the five services of docker-compose.yml
//!   script ─▶ fleet ─┤
//!   (a scenario)     └► engine ──► docker build, network disconnect, pause, kill, exec …
//! ```
//!
//! The story is fixed; the script runs any scenario file of which all steps exist here.
//!
//! **Invariant**: every check has a project name of its own, and takes down what it put up, volumes
//! and networks too, however it ends. Where no engine answers nothing is done, and that is said.

mod compose;
mod engine;
mod fleet;
mod image;
mod rules;
mod script;
mod services;
mod status;
mod story;

pub use compose::{Compose, ComposeFile};
pub use engine::Engine;
pub use image::build as build_image;
pub use script::{SLACK, run_script};
pub use story::{NODES, tell};
