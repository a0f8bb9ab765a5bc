//! The supervisor of services: one event in, exactly these commands out; and a random world.

mod backoff;
mod bounds;
mod breaks;
mod contents;
mod done;
mod durable;
mod goals;
mod health;
mod laws;
mod quits;
mod random;
mod registered;
mod rig;
mod starts;
mod updates;
mod views;
mod world;
