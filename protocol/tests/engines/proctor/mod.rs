//! Targets: what a node makes of plans, and how goals compare with what runs.

mod checks;
mod enactor;
mod laws;
mod planner;
mod rig;
