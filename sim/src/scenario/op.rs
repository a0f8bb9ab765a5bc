use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use super::condition::read_condition;
use super::hosts::Party;
use super::request::read_request;
use super::span::Span;
use super::words::Words;
use super::{Condition, Cut, Hosts, ParseError, Request, Weather, Who};

/// One thing that happens to some hosts, or is to hold. `S` is how hosts are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op<S> {
    /// `weather WEATHER`: how packets fare from now on.
    Weather(Weather),
    /// `start WHO joining WHO`: processes start, and are told to join at those. Without `joining`
    /// chance decides, the same for the whole run.
    Start {
        /// The hosts that start.
        who: S,
        /// Their seed peers.
        joining: Option<S>,
    },
    /// `kill WHO`: as SIGKILL does. Disks stay.
    Kill(S),
    /// `freeze WHO`: as SIGSTOP does.
    Freeze(S),
    /// `resume WHO`: as SIGCONT does.
    Resume(S),
    /// `sleep WHO TIME`: the machine slept for so long: its clock is that much further at once.
    Sleep(S, Duration),
    /// `wipe WHO`: the disk is replaced by an empty one, the key stays. For processes that are down.
    Wipe(S),
    /// `rekey WHO`: made anew: another key, an empty disk, the same name. For processes that are down.
    Rekey(S),
    /// `backup WHO`: a copy of the disk is kept.
    Backup(S),
    /// `restore WHO`: the disk is as it was when it was last copied. For processes that are down.
    Restore(S),
    /// `copy WHO to WHO`: the second get the key of the first; its disk too, `with disk`.
    Copy {
        /// From whom,
        from: S,
        /// to whom,
        to: S,
        /// and whether with the disk.
        disk: bool,
    },
    /// `name WHO like WHO`: from their next start on the first claim the name of the second.
    Name {
        /// The host.
        who: S,
        /// The host with the name.
        like: S,
    },
    /// `fill WHO`: the disk takes no writes.
    Fill(S),
    /// `empty WHO`: it takes them again.
    Empty(S),
    /// `find WHO WHO` with `by` between them: those are found on the link by these.
    Find {
        /// The host that is found.
        other: S,
        /// By whom.
        by: S,
    },
    /// `cut HOW WHO -> WHO`: nothing gets from these to those; both ways with `<->`.
    Cut {
        /// How.
        how: Cut,
        /// From.
        from: S,
        /// To.
        to: S,
        /// Whether the other way, too.
        both: bool,
    },
    /// `heal`: all cuts are gone.
    Heal,
    /// `ask WHO REQUEST`: a client asks each of these.
    Ask(S, Request<S>),
    /// `wait TIME`.
    Wait(Duration),
    /// `expect CONDITION within TIME`, and in rough weather within another one: `or TIME if rough`.
    Expect {
        /// What is to hold.
        what: Condition<S>,
        /// By when.
        within: Duration,
        /// By when in rough weather; none once drawn.
        rough: Option<Duration>,
    },
    /// `always CONDITION for TIME`: it holds throughout.
    Always {
        /// What is to hold.
        what: Condition<S>,
        /// For how long.
        time: Duration,
    },
    /// `watch CONDITION`: from now on it holds at all times.
    Watch(Condition<S>),
    /// `unwatch`: nothing is watched any more.
    Unwatch,
}

/// An operation on hosts that are known.
pub type Step = Op<Hosts>;

impl<S> Op<S> {
    /// The same with hosts named another way.
    pub fn map<T>(self, mut to: impl FnMut(S) -> T) -> Op<T> {
        match self {
            Self::Weather(weather) => Op::Weather(weather),
            Self::Start { who, joining } => Op::Start { who: to(who), joining: joining.map(to) },
            Self::Kill(who) => Op::Kill(to(who)),
            Self::Freeze(who) => Op::Freeze(to(who)),
            Self::Resume(who) => Op::Resume(to(who)),
            Self::Sleep(who, time) => Op::Sleep(to(who), time),
            Self::Wipe(who) => Op::Wipe(to(who)),
            Self::Rekey(who) => Op::Rekey(to(who)),
            Self::Backup(who) => Op::Backup(to(who)),
            Self::Restore(who) => Op::Restore(to(who)),
            Self::Copy { from, to: other, disk } => {
                Op::Copy { from: to(from), to: to(other), disk }
            }
            Self::Name { who, like } => Op::Name { who: to(who), like: to(like) },
            Self::Fill(who) => Op::Fill(to(who)),
            Self::Empty(who) => Op::Empty(to(who)),
            Self::Find { other, by } => Op::Find { other: to(other), by: to(by) },
            Self::Cut { how, from, to: other, both } => {
                Op::Cut { how, from: to(from), to: to(other), both }
            }
            Self::Heal => Op::Heal,
            Self::Ask(who, request) => Op::Ask(to(who), request.map(to)),
            Self::Wait(time) => Op::Wait(time),
            Self::Expect { what, within, rough } => {
                Op::Expect { what: what.map(to), within, rough }
            }
            Self::Always { what, time } => Op::Always { what: what.map(to), time },
            Self::Watch(what) => Op::Watch(what.map(to)),
            Self::Unwatch => Op::Unwatch,
        }
    }
}

impl<S: fmt::Display> fmt::Display for Op<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weather(weather) => write!(f, "weather {weather}"),
            Self::Start { who, joining: None } => write!(f, "start {who}"),
            Self::Start { who, joining: Some(at) } => write!(f, "start {who} joining {at}"),
            Self::Kill(who) => write!(f, "kill {who}"),
            Self::Freeze(who) => write!(f, "freeze {who}"),
            Self::Resume(who) => write!(f, "resume {who}"),
            Self::Sleep(who, time) => write!(f, "sleep {who} for {}", Span(*time)),
            Self::Wipe(who) => write!(f, "wipe {who}"),
            Self::Rekey(who) => write!(f, "rekey {who}"),
            Self::Backup(who) => write!(f, "backup {who}"),
            Self::Restore(who) => write!(f, "restore {who}"),
            Self::Copy { from, to, disk } => {
                write!(f, "copy {from} to {to}{}", if *disk { " with disk" } else { "" })
            }
            Self::Name { who, like } => write!(f, "name {who} like {like}"),
            Self::Fill(who) => write!(f, "fill {who}"),
            Self::Empty(who) => write!(f, "empty {who}"),
            Self::Find { other, by } => write!(f, "find {other} by {by}"),
            Self::Cut { how, from, to, both } => {
                write!(f, "cut {how} {from} {} {to}", if *both { "<->" } else { "->" })
            }
            Self::Heal => f.write_str("heal"),
            Self::Ask(who, request) => write!(f, "ask {who} {request}"),
            Self::Wait(time) => write!(f, "wait {}", Span(*time)),
            Self::Expect { what, within, rough } => {
                write!(f, "expect {what} within {}", Span(*within))?;
                rough.map_or(Ok(()), |rough| write!(f, " or {} if rough", Span(rough)))
            }
            Self::Always { what, time } => write!(f, "always {what} for {}", Span(*time)),
            Self::Watch(what) => write!(f, "watch {what}"),
            Self::Unwatch => f.write_str("unwatch"),
        }
    }
}

const TIME: &str = "a time like `3s`";

pub(super) fn read_op<S: Party>(words: &mut Words<'_>) -> Result<Op<S>, ParseError> {
    const EXPECTED: &str = "an operation";
    Ok(match words.next(EXPECTED)? {
        "weather" => Op::Weather(Weather::read(words)?),
        "start" => {
            let who = S::read(words)?;
            let told = words.take("joining");
            Op::Start { who, joining: told.then(|| S::read(words)).transpose()? }
        }
        "kill" => Op::Kill(S::read(words)?),
        "freeze" => Op::Freeze(S::read(words)?),
        "resume" => Op::Resume(S::read(words)?),
        "sleep" => {
            let who = S::read(words)?;
            words.must("for")?;
            Op::Sleep(who, words.value::<Span>(TIME)?.0)
        }
        "wipe" => Op::Wipe(S::read(words)?),
        "rekey" => Op::Rekey(S::read(words)?),
        "backup" => Op::Backup(S::read(words)?),
        "restore" => Op::Restore(S::read(words)?),
        "copy" => {
            let from = S::read(words)?;
            words.must("to")?;
            let to = S::read(words)?;
            let disk = words.take("with");
            if disk {
                words.must("disk")?;
            }
            Op::Copy { from, to, disk }
        }
        "name" => {
            let who = S::read(words)?;
            words.must("like")?;
            Op::Name { who, like: S::read(words)? }
        }
        "fill" => Op::Fill(S::read(words)?),
        "empty" => Op::Empty(S::read(words)?),
        "find" => {
            let other = S::read(words)?;
            words.must("by")?;
            Op::Find { other, by: S::read(words)? }
        }
        "cut" => read_cut(words)?,
        "heal" => Op::Heal,
        "ask" => Op::Ask(S::read(words)?, read_request(words)?),
        "wait" => Op::Wait(words.value::<Span>(TIME)?.0),
        "expect" => read_expect(words)?,
        "watch" => Op::Watch(read_condition(words)?),
        "unwatch" => Op::Unwatch,
        "always" => {
            let what = read_condition(words)?;
            words.must("for")?;
            Op::Always { what, time: words.value::<Span>(TIME)?.0 }
        }
        other => return Err(ParseError::new(EXPECTED, format!("`{other}`"))),
    })
}

fn read_cut<S: Party>(words: &mut Words<'_>) -> Result<Op<S>, ParseError> {
    let (how, from) = (Cut::read(words)?, S::read(words)?);
    let both = match words.next("`->` or `<->`")? {
        "->" => false,
        "<->" => true,
        other => return Err(ParseError::new("`->` or `<->`", format!("`{other}`"))),
    };
    Ok(Op::Cut { how, from, to: S::read(words)?, both })
}

fn read_expect<S: Party>(words: &mut Words<'_>) -> Result<Op<S>, ParseError> {
    let what = read_condition(words)?;
    words.must("within")?;
    let within = words.value::<Span>(TIME)?.0;
    let mut rough = None;
    if words.take("or") {
        rough = Some(words.value::<Span>(TIME)?.0);
        words.must("if")?;
        words.must("rough")?;
    }
    Ok(Op::Expect { what, within, rough })
}

fn parse<S: Party>(text: &str) -> Result<Op<S>, ParseError> {
    let words: Vec<_> = text.split_whitespace().collect();
    let mut words = Words::new(&words);
    let op = read_op(&mut words)?;
    words.end()?;
    Ok(op)
}

impl FromStr for Op<Hosts> {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text)
    }
}

impl FromStr for Op<Who> {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text)
    }
}
