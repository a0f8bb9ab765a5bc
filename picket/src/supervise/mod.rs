//! The shell of the services: carries out what the engine `crux_protocol::picket` decides.
//!
//! ```text
//!   API ── Call ──▶ ┌───────────────────────────────┐ ──▶ disk: desired.json, records       (pool)
//!   keepers ──────▶ │ Shell: tells the engine what  │ ──▶ images: sealed                    (pool)
//!   link ─────────▶ │ happened, does what it says,  │ ──▶ keepers: started (pool), signalled
//!   checks, disk ─▶ │ one command after the other   │ ──▶ link: registrations, pins, statuses
//!   the clock ────▶ └───────────────────────────────┘ ──▶ logs, events, answers
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | `shell` | the loop: what happened, to the engine |
//! | `work` | commands of the engine: begun, and told when done |
//! | `begin`, `images` | how a program is started, and from which bytes |
//! | `adopt` | instances of an earlier picket |
//! | `instance` | one instance and its keeper |
//! | `lost` | what dead keepers left behind |
//! | `post` | registrations, images and pins, with the fulcrum |
//! | `goals` | what a target wants, from the fulcrum |
//! | `calls`, `answer`, `show` | what the API asks, and how it is answered |
//! | `environ`, `ports`, `node` | what programs are given |
//! | `health` | who serves |
//! | `home`, `owner` | the directories of instances, and whose they are |
//! | `hold` | whether services start at once |
//! | `exec`, `words` | checks by command |
//! | `trees` | memory and processor time |
//!
//! **Invariants**
//!
//! * It decides nothing: each command is carried out as it is, and each that has an answer is answered exactly once.
//! * Nothing here waits for a disk, a keeper, a program or the fulcrum. Work that takes time is done by a thread of the
//!   pool, which is bounded by what the engine asks for: a save, and a few steps for each instance.
//! * Commands are begun in their order. Those for one instance never overlap, because the engine waits for each.
//! * Processes that a dead keeper left are killed before the engine hears that it is gone.

mod adopt;
mod answer;
mod begin;
pub(crate) mod calls;
mod detail;
mod environ;
mod exec;
mod goals;
mod happen;
pub(crate) mod health;
mod hold;
mod home;
mod images;
mod instance;
mod lost;
mod node;
mod open;
mod owner;
mod places;
mod ports;
mod post;
mod shell;
mod show;
mod sink;
#[cfg(test)]
mod testing;
mod trees;
mod words;
mod work;

pub(crate) use open::open;
pub(crate) use shell::Shell;
