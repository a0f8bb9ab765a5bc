//! The supervisor: the services of one node, started from verified bytes, kept up, updated and ended.
//!
//! ```text
//!          Event                                       Command
//!  Request ──────────────▶ ┌──────────────────────┐ ──▶ Answer                     people, the target
//!  Saved ────────────────▶ │ ask      one service │ ──▶ Save                       desired.json
//!                          │ enact    a whole set │
//!  Sealed PortsChosen ───▶ │ start    step by step│ ──▶ Seal Pins ChoosePorts      store, machine
//!  Recorded Forgotten ───▶ │ update   old to new  │ ──▶ Record Forget              i/ID/instance.json
//!  Spawned Exited Gone ──▶ │ quit     to the end  │ ──▶ Spawn Note Terminate Kill  keepers
//!  Checked Paused ───────▶ │ health   up or not   │ ──▶ Check                      programs
//!  Published ────────────▶ │ publish  what is up  │ ──▶ Publish Conditions     fulcrum
//!                          │ owned    report      │ ──▶ Owned                  fulcrum
//!                          └──────────────────────┘ ──▶ Happened AllStopped
//!
//!   Sealing ─▶ Choosing ─▶ Recording ─▶ Spawning ─▶ Starting ─▶ Up ⇄ degraded
//!      │          │            │            │           │        │
//!      │ failed, or unwanted   │            │           │        │ unwanted, replaced, not up in time,
//!      ▼          ▼            ▼            │           │        │ three failures of a check in a row
//!     Over ◀──────┴── Forget ──┘            │           │        ▼
//!      │                 ▲                  │           │   Withdrawing   the fulcrum's word, 2 s at most
//!      │                 │                  │           │        ▼
//!      ▼                 │                  │           │   Draining      drain
//!   its slot:            │                  │           ▼        ▼
//!     Ready              │                  │           Quitting          SIGTERM, quit_timeout
//!     Backoff            │                  │                ▼
//!     Failed             │                  │           Terminating       SIGTERM to the tree, 5 s
//!     Done               │                  ▼                ▼
//!                        └── Gone ─────── Killing ◀──────────┴── the program ended by itself; if it is
//!                                                                done (Finished), once that is written
//! ```
//!
//! An **instance** is one run of one program. A **slot** is the place of one ordinal of a service: it
//! remembers failures while instances come and go. A **content** ([`Version`]) is a config with its image;
//! what is wanted of a service is one content, and the one to go back to. Its **owner** is a person, or the target.
//!
//! # Invariants
//!
//! 1. Of one ordinal at most one instance has a process, in an overlap two; one ordinal of a service
//!    overlaps at a time. A place is filled only once nothing of its last instance is left, and nothing is
//!    started before all that an earlier picket left was found.
//! 2. Nothing is started from an image that was not sealed, or without a durable record of the instance.
//!    A record is deleted only once nothing of the instance is left.
//! 3. Only what is up is registered. It is withdrawn before its first signal, and the signal waits for the
//!    fulcrum's word that it is so: 2 s at most, not at all while the fulcrum is away.
//! 4. A request is answered only after what it wants is durable. Generations only grow; a request that was
//!    decided upon an older one is refused, and every request is answered once.
//! 5. At most 10 restarts of a place by itself in a minute; after five failures in 10 minutes it is tried
//!    every `retry_failed` only.
//! 6. A content that did not prove itself is not started again until a person updates to it, or another target document
//!    wants it.
//! 7. A program that ended well, and is not to be started again, is not: that is in the wanted state before its keeper,
//!    which knows it, goes.
//! 8. Everything ends in *up*, *failed*, *done* or *stopped*; after *stopped* there is no process.
//! 9. Memory is bounded: services, instances, waiting requests, and what is remembered of each.
//! 10. Goals are taken as sets, in their order: an older one changes nothing. A set changes no service of a person, and
//!     after it the target has nothing that it does not name; see `enact`.
//! 11. Whatever the target placed is in the report while anything of it is left; see `owned`.
//!
//! # Rules
//!
//! * **Up**: every check passed once. No check: each port accepts. No port either: it lived for a second.
//!   Failures do not count in `start_period`, which the first success of a check ends for that check. Not
//!   up in `start_timeout` is a failure. A check that fails makes the instance degraded, the third failure
//!   in a row ends it. Failures count for nothing for one period after a gap of 2 s in the engine's own
//!   time, while the engine is called late, and while the program is paused.
//! * **Callers** who wait for a service to be up are answered once the fulcrum said that its registrations are stored,
//!   so that others find it. They do not wait for that while the fulcrum is away, and 5 s at most if it does not answer:
//!   the service is up all the same.
//! * **Back-off**: at once after 10 s up, else 250 ms × 2ⁿ up to `backoff_max`, ±20 %; n is 0 again after
//!   60 s up. A port that somebody else took does not count as a failure: other ports are chosen, three times.
//! * **Update**: see `update`. The new content is on trial until every instance of it was up for 60 s:
//!   until then the previous one comes back if an instance is not up, or fails while an old one still
//!   serves, or at the third failure. A change of settings alone restarts nothing.
//! * **Goals** differ from requests of people in this: a content that was taken back is tried again by a later target
//!   document only; what is in their way stays, and they wait. A person can have a service of the target started or
//!   restarted, which changes nothing that the target wants, and is refused everything else.
//! * **Ports** that are fixed are waited for while an instance that goes has them: a service under another name is no
//!   failure.
//! * **Stop of the node**: all instances quit at once, each step scaled so that the sum fits.
//! * **Done**: a program of which the config does not say `always`, and that ended with 0. Until a person starts it or
//!   has the service restarted, or it has another content. A loss of power before that is written runs it again.
//! * **Adoption**: an instance that was up is taken for up until a check says otherwise; the keeper has the
//!   note. One whose content is not known any more is quit.
//!
//! # Out of scope
//!
//! No groups, no passed sockets, no heartbeats and no wedged programs yet. It does not know whether a target is signed,
//! nor which plan is the last: those who hand in goals do. It draws its randomness from a
//! seed and knows no wall clock. It trusts the shell: each command that names an answer gets exactly one.
//!
//! Background: Armstrong, "Making reliable distributed systems in the presence of software errors", 2003,
//! for the bound on restarts; Candea and Fox, "Crash-Only Software", 2003, for one way to start: recovery.

mod accepted;
mod adopt;
mod answer;
mod ask;
mod backoff;
mod batches;
mod command;
mod desired;
mod enact;
mod event;
mod goals;
mod happened;
mod health;
mod id;
mod images;
mod life;
mod order;
mod owned;
mod owner;
mod ports;
mod publish;
mod quit;
mod record;
mod request;
mod room;
mod rules;
mod save;
mod service;
mod slot;
mod start;
mod state;
mod turn;
mod update;
mod view;

pub use accepted::Accepted;
pub use batches::{BATCHES_MAX, Batch, Batches};
pub use command::{Command, Registered, Status};
pub use desired::{Desired, Image, Version, Wanted};
pub use event::Event;
pub use goals::{Assigned, Goal, Goals, GoalsError};
pub use happened::{Happened, Kind};
pub use id::{InstanceId, RequestId};
pub use order::Order;
pub use owned::{Owned, OwnedRow};
pub use owner::Owner;
pub use record::{Exit, Found, Placed, Record};
pub use request::{Fault, Outcome, Refusal, Request, Requested, Wait};
pub use rules::{
    EXITS_MAX, INSTANCES_MAX, QUEUE_MAX, REGISTRATIONS_MAX, TEXT_BYTES_MAX, WAITERS_MAX,
};
pub use state::{Footprint, State};
pub use view::{CheckRow, ExitRow, Inspect, Row, RunState};
