//! Who is alive: a verdict of this node, from what it and the other observers of a member saw.
//!
//! **Invariant**: a member that runs and can be heard is not shown dead for longer than a beacon
//! takes to arrive; a member that stopped is shown dead by everyone who can hear a majority of its
//! observers, and in the end by everyone, because silence decides.
//!
//! ```text
//!   subject ──beat, 1/s──▶ observer ──Suspicion{silent│gone}──▶ everyone
//!   subject ──Beacon{incarnation, counter}────────────────────▶ everyone   refutes what is older
//! ```
//!
//! * **Observers** of a member: on each of eight hash rings over the members that are not dead to
//!   me, the next one not already chosen; up to nine members, all of them. (Idea: Rapid, ATC'18.)
//!   *O* is the observers that are not themselves suspect.
//! * **Gone** (no link, and a dial was refused or another key answered): dead at once when a
//!   majority of *O* says so. **Silent** (no beat for the time-out): suspect when min(2, |O|) say
//!   silent or gone; dead when a majority of *O* still says so two seconds × local health later.
//!   Silence alone never kills at once.
//! * A suspicion names the freshest (incarnation, counter) its observer knew; a fresher beacon
//!   refutes it. A suspected node sends one at once, and a second later another to who missed that one.
//!   Who hears a suspicion about a member that is
//!   dead to it repeats its own: gossip loses, and who missed it must not wait for the beacons to
//!   stay away.
//! * **Stuck**: a linked member that sends no beat for twice as long as a stopped one takes to be dead,
//!   and is not dead because its beacons come another way. Then the link is what is broken: a
//!   connection that stood through a change of the network goes on only when TCP gives it up, which
//!   takes a quarter of an hour, and what is asked of the member goes that way and is lost. It is
//!   closed; the dial that follows finds the way that there is now.
//! * **In the end silence decides**: neither beacon nor beat for three beacon periods is death
//!   whatever observers say, since a minority holds too few observers of the far side to reach any
//!   count.
//! * **Local health** (Lifeguard): late wakes, silence from most subjects and refuted suspicions
//!   multiply this node's time-outs by up to eight, because then it is probably the one at fault.
//!   What a majority of *O* without this node says does not rest on its health, and is not
//!   multiplied: else a node that stalls now and then would show a stopped one alive for up to
//!   eight times as long. Time in which this process was late does not count for a suspicion. A gap
//!   of over two seconds between two calls means that this process slept: it forgets every
//!   outstanding silence, beacons at once and suspects nobody for a period. Whoever died meanwhile
//!   is spoken of no more; so it then *asks* about who sends it no beats and was not heard since, and about
//!   who died not long before. A question is a suspicion without evidence. It counts for nothing, and is
//!   answered to all: by a beacon of who lives, by the observers of who does not.
//! * **Late** is a beacon that took three seconds longer than the quickest of its sender, by that one's own
//!   clock (`lag`). It refutes the suspicions before it, and says nothing of now: dead and suspect
//!   stay so, and this node asks, unless it hears another one ask.
//!
//! * **Hearsay**: who starts knows nobody's life, and beacons are rare. Where two members compare roots
//!   the one that sees fewer alive asks the other for the last beacons of those of whom it heard
//!   nothing, and takes them for as old as the other one says. Who was heard before is not brought
//!   back so.
//!
//! * **Twins**: beacons name the run of the process that sent them. Of a member that beacons under two boot
//!   nonces the last beacon of both is kept, passed on, and told to the member itself (`twins`).
//!
//! Verdicts are soft state and never in the durable replica. A member known only from disk is dead
//! until it is heard.

mod beacon;
mod config;
mod health;
mod hear;
mod hearsay;
mod lag;
mod message;
#[cfg(test)]
mod naive_test;
mod rings;
mod run;
mod silence;
mod state;
mod subject;
mod subjects;
mod twins;
mod vote;

pub use config::Config;
pub use message::{Beacon, Evidence, Notice, Suspicion};
pub use run::{BootNonce, Run, Sight};
pub use state::{Output, State};
pub use subject::Liveness;
