//! Liveness: a verdict of this node, from what it and the other observers of a member saw.
//!
//! **Invariant**: a member that runs and can be heard is not shown dead for longer than a beacon
//! takes to arrive. A member that stopped is shown dead by every node that can hear a majority of its
//! observers, and in the end by every node, because silence decides.
//!
//! ```text
//!   subject ──heartbeat, 1/s──▶ observer ──Suspicion{silent│gone}──▶ all members
//!   subject ──Beacon{incarnation, counter}─────────────────────────▶ all members   refutes older ones
//! ```
//!
//! * **Observers** of a member: on each of eight hash rings over the members that are not dead to
//!   this node, the next one that is not chosen already; where there are up to nine members, all of
//!   them. (Idea: Rapid, ATC'18.) *O* is the set of observers that are not suspect themselves.
//! * **Unreachable** (`gone`: no connection, and a dial was refused or another key answered): dead at
//!   once when a majority of *O* says so. **Timed out** (`silent`: no heartbeat in time): suspect when
//!   min(2, |O|) observers say timed out or unreachable; dead when a majority of *O* still says so
//!   two seconds × local health later. A time-out alone never makes a member dead at once.
//! * **Refutation.** A suspicion names the freshest (incarnation, counter) that its observer knew; a
//!   fresher beacon refutes it. A suspected node sends a beacon at once, and a second later another one
//!   to each observer that missed the first. A node that hears a suspicion about a member that is dead
//!   to it repeats its own: gossip loses messages, and an observer that missed it must not wait for the
//!   beacons to stay away.
//! * **Stuck**: a connected member that sends no heartbeat for twice the time after which a stopped one
//!   is dead, and that is not dead because its beacons arrive another way. Then the connection is
//!   broken: after a change of the network TCP gives one up only after a quarter of an hour, and loses
//!   all requests to the member meanwhile. The node closes it; the dial that follows finds the new way.
//! * **In the end silence decides**: a member without a beacon or a heartbeat for three beacon periods
//!   is dead, whatever observers say, since a minority holds too few observers of the far side to reach
//!   any count.
//! * **Local health** (Lifeguard): late wake-ups, silence from most subjects and refuted suspicions
//!   multiply this node's time-outs by up to eight, because then this node is probably at fault.
//!   A verdict of a majority of *O* without this node does not depend on its health, and is not
//!   multiplied: else a node that stalls now and then would show a stopped one alive for up to
//!   eight times as long. Time in which this process was late does not count for a suspicion.
//! * **Sleep.** A gap of more than two seconds between two calls means that this process slept. It
//!   forgets every pending time-out, sends a beacon at once and suspects nobody for a period. Nobody
//!   repeats the suspicions of the members that died meanwhile; so it *queries* them: those that send
//!   it no heartbeats and were not heard since, and those that died shortly before. A query is a
//!   suspicion without evidence. It counts for nothing, and all hear the answer: a beacon of a live
//!   member, or the suspicions of a dead one's observers.
//! * **Late** is a beacon that took three seconds longer than the quickest of its sender, by the sender's
//!   clock (`lag`). It refutes earlier suspicions and does not prove life now: a dead or suspect member
//!   stays so, and this node queries it, unless it hears another node's query.
//! * **Second-hand liveness.** A node that starts has heard nobody, and beacons are rare. When two
//!   members compare roots, the one that sees fewer alive asks the other for the last beacons of the
//!   members that it has not heard, each with its age. This does not bring back a member that it heard
//!   before.
//! * **An announced restart**: a beacon may say that its sender restarts and is back within ten seconds at most.
//!   Until then the sender is not suspect and not dead (`away`).
//! * **Twins**: a beacon names the run of the process that sent it. If one member sends beacons under
//!   two boot nonces, each node keeps and forwards the last beacon of both, and tells that member
//!   (`twins`).
//!
//! Verdicts are soft state and never in the durable replica. A member known only from disk is dead
//! until this node hears it.

mod away;
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

pub use away::{RESTART_LINGER, RESTART_MAX};
pub use config::Config;
pub use message::{Beacon, Evidence, Notice, Suspicion};
pub use run::{BootNonce, Run, Sight};
pub use state::{Output, State};
pub use subject::Liveness;
