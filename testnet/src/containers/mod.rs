//! The flock as containers: the image, the compose file, and a story on both with real networks to cut.
//!
//! ```text
//!   story ──► compose ──► docker compose up   the five services of docker-compose.yml
//!     │          │
//!     └──────► engine ──► docker build, network disconnect, pause, kill, exec …
//! ```
//!
//! **Invariant**: every check has a project name of its own, and takes down what it put up, volumes
//! and networks too, however it ends. Where no engine answers nothing is done, and that is said.

mod compose;
mod engine;
mod image;
mod status;
mod story;

pub use compose::Compose;
pub use engine::Engine;
pub use image::build as build_image;
pub use story::{NODES, tell};
