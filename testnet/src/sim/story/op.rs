use core::fmt;
use core::time::Duration;
use std::collections::BTreeSet;

use crux_protocol::flock::Control;

use crate::sim::check::Expectation;
use crate::sim::check::names;
use crate::sim::net::{Cut, Weather};

/// One thing that happens, or is to hold.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sim) enum Op {
    /// How packets fare from now on.
    Weather(Weather),
    /// A process starts, and is told to join at these hosts.
    Start(usize, BTreeSet<usize>),
    /// A process is killed. Its disk stays.
    Kill(usize),
    /// A disk is replaced by an empty one. The key stays.
    Wipe(usize),
    /// A host is made anew: another key, an empty disk, the same name and address.
    Rekey(usize),
    /// The second host gets the key of the first one, and its disk as it is now if told so.
    Copy(usize, usize, bool),
    /// A disk takes no writes, or takes them again.
    Fill(usize, bool),
    /// A process is stopped.
    Freeze(usize),
    /// A stopped process goes on.
    Resume(usize),
    /// One node finds the other on the link.
    Find(usize, usize),
    /// Nothing gets from the first to the second.
    Cut(BTreeSet<usize>, BTreeSet<usize>, Cut),
    /// All cuts heal.
    Heal,
    /// A client asks something of a node.
    Ask(usize, Control),
    /// A client asks a node to forget another one.
    Forget(usize, usize),
    /// Time passes.
    Wait(Duration),
    /// This is to hold within that time.
    Expect(Expectation, Duration),
    /// This is to hold for all of that time.
    Always(Expectation, Duration),
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weather(weather) => write!(f, "weather: {weather}"),
            Self::Start(host, join) => write!(f, "start n{host} with --join {}", names(join)),
            Self::Kill(host) => write!(f, "kill n{host}"),
            Self::Wipe(host) => write!(f, "wipe the disk of n{host}"),
            Self::Rekey(host) => write!(f, "make n{host} anew, with another key"),
            Self::Copy(host, to, true) => {
                write!(f, "copy the key and the disk of n{host} to n{to}")
            }
            Self::Copy(host, to, false) => write!(f, "copy the key of n{host} to n{to}"),
            Self::Fill(host, true) => write!(f, "fill the disk of n{host}"),
            Self::Fill(host, false) => write!(f, "make room on the disk of n{host}"),
            Self::Freeze(host) => write!(f, "stop n{host}"),
            Self::Resume(host) => write!(f, "let n{host} go on"),
            Self::Find(host, other) => write!(f, "n{host} finds n{other}"),
            Self::Cut(from, to, how) => write!(f, "cut {} → {} {how}", names(from), names(to)),
            Self::Heal => f.write_str("heal"),
            Self::Ask(host, request) => write!(f, "ask n{host} for {request:?}"),
            Self::Forget(host, other) => write!(f, "ask n{host} to forget n{other}"),
            Self::Wait(time) => write!(f, "wait {time:?}"),
            Self::Expect(what, within) => write!(f, "expect within {within:?}: {what}"),
            Self::Always(what, time) => write!(f, "expect for {time:?}: {what}"),
        }
    }
}
