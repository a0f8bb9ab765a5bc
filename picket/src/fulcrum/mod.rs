//! The child that is the node: started, watched, started again.
//!
//! ```text
//!            spawn                Hello, Ready               ends
//!   away ────────────▶ starting ───────────────▶ ready ───────────────▶ what now?
//!    ▲                    │ ends                                           │
//!    │                    └───────────────────────────────────────────▶    │
//!    └──── at once, then 100 ms × 2ⁿ to 30 s ◀── again ◀───────────────────┤
//!                                                                          └──▶ final: `run` ends
//! ```
//!
//! | it ended | and | what now |
//! |---|---|---|
//! | with 0 | nobody stopped it: it left the flock | final, 0: gone |
//! | with 5 | it said `refused`: it was evicted, it left before, or another copy of the node runs | final, 5: gone |
//! | with 2 | no fulcrum of this picket was ever ready: settings are wrong | final, 2 |
//! | otherwise | no fulcrum of this picket was ever ready, and no service is wanted | final, with its code |
//! | otherwise | | again |
//! | at all | it was told to stop | final, with its code |
//!
//! *Otherwise* are a full disk, a port that somebody took meanwhile, settings that became wrong, and a crash: services
//! run through all of these, and people who mend the cause have nothing to restart.
//!
//! **Invariants**
//!
//! * There is at most one: the next is spawned after the one before was reaped.
//! * It dies with the picket, by a death signal that it sets for itself. That fires when the parent's thread
//!   ends, so it is spawned by the picket's only thread that lives as long as the process.
//! * Signals go through its pidfd, and never to a number that the system may have given away.
//! * An error is printed once, by the process that met it.
//!
//! **Out of scope.** It does not judge a fulcrum that runs and does not answer: a disk may be slow, and a
//! restart makes that no better.

mod backoff;
mod end;
mod tether;
mod watch;

pub use end::{End, Verdict};
pub use tether::die_with_picket;
pub use watch::{Fulcrum, News, Start};
