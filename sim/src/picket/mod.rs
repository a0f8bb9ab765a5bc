//! The supervisor of services on one machine, in virtual time: the engine `protocol::picket` with a disk,
//! keepers and programs that outlive it, a fulcrum, and people who ask for things.
//!
//! ```text
//!   seed ──▶ acts ──▶ world ── events ──▶ picket::State
//!     └──▶ crash     │  ▲ ◀── commands ──┘
//!          points    │  └── shell: a durable write or a spawn is several steps, with a crash point around each
//!                    ├── disk      survives the picket; of a power loss only what was flushed
//!                    ├── machine   keepers and programs survive the picket, not a power loss
//!                    └── fulcrum   dies with the picket, and without it
//! ```
//!
//! *Crash points* ([`crash::Point`]) are before and after each durable write, each rename, each spawn and each
//! kill. The seed says at which the picket dies (the Nth time it is reached), whether the machine loses its power
//! with it, and for every second seed at which it dies once more after that ([`crash::Plan`]). 84 seeds reach every
//! point in both ways, and a test sees to that.
//!
//! *Programs* crash early or late, never come up, end well, get sick after a while, ignore SIGTERM, ignore it even
//! when their whole tree gets it, and leave children behind ([`program`]). *People* add, update, roll back, start,
//! stop, restart and remove services. The disk is full for a while; the fulcrum is away, or slow to answer;
//! programs and keepers are killed, programs are paused.
//!
//! In the scenario `goals` there is a *target*, too ([`target`]): it hands in sets of goals for the same services, new
//! ones, the same again, and old ones that must be refused. Its own laws are in [`goals`].
//!
//! The laws ([`laws`]) are those of the design, page "Fulcrum". They are checked with each command, each event,
//! and at the end, when nothing breaks any longer and everything had twenty minutes:
//!
//! | law | checked |
//! |---|---|
//! | an instance starts from an image that is sealed, below a record that is on the disk | each spawn |
//! | of one ordinal one instance, two of different contents in an overlap; one ordinal overlaps at a time | each spawn |
//! | nothing starts that is not wanted, was taken back, or has an ordinal beyond the count | each spawn |
//! | what ended well is not started again by itself, unless the power was lost before the disk had it | each spawn |
//! | a place is started at most ten times a minute by itself | each spawn |
//! | registered is only what is up | each list |
//! | withdrawn before the first signal, with the fulcrum's word or after 2 s | each signal |
//! | signalled is only what this boot started | each signal |
//! | the engine acts upon what is on the disk, and a record goes after its processes | each event, each `Forget` |
//! | the store keeps the images of services and of their predecessors | each event, each seal |
//! | each request is answered once, in its time; *done* is done | each answer |
//! | after *stopped* there is no process | each answer, the end of the node |
//! | everything ends in up, failed, done or stopped; each process is wanted and recorded | the end |
//! | memory is bounded, and no deadline is over | each event |
//! | the order of the accepted goals never decreases, over all deaths and losses of power | each event |
//! | a person's service is changed by its people and by itself alone, the target's by goals and by itself | each `Save` |
//! | what the accepted set names is there or blocked, and nothing else of the target's is | each answer, the end |
//! | nothing of the target starts that is not flushed to the disk | each spawn |
//! | checks follow the period that holds, from when it holds | each `Check` |
//! | whatever runs of the target's is in the last report | each event |

mod acts;
mod crash;
mod disk;
mod end;
mod goals;
mod laws;
mod program;
mod shell;
mod target;
mod text;
mod world;

use world::World;

use crate::Writes;
use crate::report::{Outcome, Report};
use crate::run::Options;
use crate::scenario::Scenario;

/// How many lines of a history that led to a violation are kept.
const HISTORY: usize = 400;

/// Lives through one seed.
pub(super) fn run(scenario: &Scenario, options: Options) -> Report {
    let most = if options.log { usize::MAX } else { 0 };
    let live = |most| acts::live(options.seed, scenario.goals, most);
    let world = live(most);
    let log = match world.violation {
        Some(_) if !options.log => live(HISTORY).trace.into_text(),
        _ => world.trace.text(),
    };
    Report::of(scenario, options, outcome(&world), log)
}

fn outcome(world: &World) -> Outcome {
    Outcome {
        virtual_time: world.lived(),
        events: world.handled,
        answers: world.answered,
        writes: Writes {
            acknowledged: world.done,
            refused: world.refused,
            unanswered: world.unanswered,
            ..Writes::default()
        },
        digest: None,
        violation: world.violation.clone(),
    }
}
