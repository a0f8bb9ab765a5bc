use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use crux_sim::scenario::{Cut, Hosts};

use super::history::State;
use crate::liar::Lie;
use crate::proxy::Rule;

/// Something that is wrong for some time. It prints as a scenario's operations do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Killed as SIGKILL does; started again at the end, from what is on disk.
    Kill(usize),
    /// Its fulcrum killed as SIGKILL does, at once; its picket starts it again.
    KillFulcrum(usize),
    /// Killed, its database removed, its key kept; started again at the end.
    Wipe(usize),
    /// Killed and made anew: another key, the same name.
    Rekey(usize),
    /// Stopped as SIGSTOP does.
    Freeze(usize),
    /// Its disk takes no writes.
    Fill(usize),
    /// Nothing gets from these to those.
    Cut {
        /// How.
        how: Cut,
        /// From.
        from: Hosts,
        /// To.
        to: Hosts,
        /// Whether the other way, too.
        both: bool,
    },
    /// All links of these are slow.
    Slow {
        /// Of these.
        of: Hosts,
        /// How slow at least,
        delay: Duration,
        /// and how much more at most.
        jitter: Duration,
    },
    /// Links of these carry few bytes.
    Narrow {
        /// Of these.
        of: Hosts,
        /// How many a second, for each directed pair.
        bytes_per_second: NonZeroU32,
    },
    /// Connections of these are reset at random.
    Flaky {
        /// Of these.
        of: Hosts,
        /// How long they live on average.
        life: Duration,
    },
    /// One believes that it is connected to another, which has no such connection.
    HalfOpen {
        /// The host that believes.
        believer: usize,
        /// In whom.
        other: usize,
    },
    /// Every connection of these is reset, once.
    Reset(Hosts),
    /// Somebody else lies to all of them.
    Lie(Lie),
}

impl Fault {
    /// The host whose process or disk it is about; `None`: it is about the network.
    #[must_use]
    pub const fn process(&self) -> Option<usize> {
        match self {
            Self::Kill(host)
            | Self::KillFulcrum(host)
            | Self::Wipe(host)
            | Self::Rekey(host)
            | Self::Freeze(host)
            | Self::Fill(host) => Some(*host),
            _ => None,
        }
    }

    /// The state it brings a process into.
    #[must_use]
    pub const fn state(&self) -> Option<State> {
        match self {
            Self::Kill(_) | Self::Wipe(_) | Self::Rekey(_) => Some(State::Down),
            Self::Freeze(_) => Some(State::Frozen),
            Self::Fill(_) => Some(State::Full),
            _ => None,
        }
    }

    /// The hosts it concerns.
    #[must_use]
    pub fn hosts(&self) -> Vec<usize> {
        match self {
            Self::Kill(host)
            | Self::KillFulcrum(host)
            | Self::Wipe(host)
            | Self::Rekey(host)
            | Self::Freeze(host)
            | Self::Fill(host) => vec![*host],
            Self::Cut { from, to, both, .. } => {
                // Of a cut in two, the smaller part is the one that is cut off.
                if *both && to.0.len() < from.0.len() { to } else { from }.iter().collect()
            }
            Self::Slow { of, .. }
            | Self::Narrow { of, .. }
            | Self::Flaky { of, .. }
            | Self::Reset(of) => of.iter().collect(),
            Self::HalfOpen { believer, other } => vec![*believer, *other],
            Self::Lie(_) => Vec::new(),
        }
    }

    /// Adds its effect on a link to those of other faults.
    pub fn apply(&self, from: usize, to: usize, rule: &mut Rule) {
        let touches = |of: &Hosts| of.0.contains(&from) != of.0.contains(&to) || of.0.len() > 1;
        let touches =
            |of: &Hosts| touches(of) && (of.0.contains(&from) || of.0.contains(&to)) && from != to;
        match self {
            Self::Cut { how, from: left, to: right, both } => {
                let there = left.0.contains(&from) && right.0.contains(&to);
                let back = *both && left.0.contains(&to) && right.0.contains(&from);
                if there || back {
                    let cut = match how {
                        Cut::Silent => Rule::held(),
                        Cut::Refused => Rule::refused(),
                    };
                    // A refused dialler knows it, whatever else is silent.
                    if rule.flow != Rule::refused().flow {
                        rule.flow = cut.flow;
                    }
                }
            }
            Self::Slow { of, delay, jitter } if touches(of) => {
                rule.delay += *delay;
                rule.jitter += *jitter;
            }
            Self::Narrow { of, bytes_per_second } if touches(of) => {
                let least = rule
                    .bytes_per_second
                    .map_or(*bytes_per_second, |other| other.min(*bytes_per_second));
                rule.bytes_per_second = Some(least);
            }
            Self::Flaky { of, life } if touches(of) => {
                rule.life = Some(rule.life.map_or(*life, |other| other.min(*life)));
            }
            _ => {}
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(host) => write!(f, "kill n{host}"),
            Self::KillFulcrum(host) => write!(f, "kill the fulcrum of n{host}"),
            Self::Wipe(host) => write!(f, "kill and wipe n{host}"),
            Self::Rekey(host) => write!(f, "kill and rekey n{host}"),
            Self::Freeze(host) => write!(f, "freeze n{host}"),
            Self::Fill(host) => write!(f, "fill n{host}"),
            Self::Cut { how, from, to, both } => {
                write!(f, "cut {how} {from} {} {to}", if *both { "<->" } else { "->" })
            }
            Self::Slow { of, delay, jitter } => {
                write!(f, "slow {of} by {delay:?}..{:?}", *delay + *jitter)
            }
            Self::Narrow { of, bytes_per_second } => {
                write!(f, "narrow {of} to {} kB/s", bytes_per_second.get() / 1000)
            }
            Self::Flaky { of, life } => write!(f, "flaky {of}, resets every {life:?}"),
            Self::HalfOpen { believer, other } => {
                write!(f, "half-open n{believer} believes in n{other}")
            }
            Self::Reset(of) => write!(f, "reset {of}"),
            Self::Lie(lie) if lie.is_strangers() => write!(f, "a stranger: {lie}"),
            Self::Lie(lie) => write!(f, "a member lies: {lie}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::proxy::Flow;

    fn hosts(list: &[usize]) -> Hosts {
        Hosts(list.iter().copied().collect::<BTreeSet<_>>())
    }

    fn rule(faults: &[Fault], from: usize, to: usize) -> Rule {
        let mut rule = Rule::default();
        faults.iter().for_each(|fault| fault.apply(from, to, &mut rule));
        rule
    }

    #[test]
    fn a_one_way_cut_is_one_way() {
        let (from, to) = (hosts(&[0]), hosts(&[1, 2]));
        let cut = [Fault::Cut { how: Cut::Silent, from, to, both: false }];
        assert_eq!(rule(&cut, 0, 1), Rule::held());
        assert_eq!(rule(&cut, 1, 0), Rule::default());
        assert_eq!(rule(&cut, 1, 2), Rule::default());
    }

    #[test]
    fn faults_add_up() {
        let (delay, jitter) = (Duration::from_millis(30), Duration::from_millis(5));
        let narrow = |rate| Fault::Narrow {
            of: hosts(&[0]),
            bytes_per_second: NonZeroU32::new(rate).expect("not zero"),
        };
        let all = [
            Fault::Slow { of: hosts(&[0]), delay, jitter },
            Fault::Slow { of: hosts(&[0, 1, 2]), delay, jitter },
            narrow(9_000),
            narrow(5_000),
            Fault::Cut { how: Cut::Refused, from: hosts(&[1]), to: hosts(&[0]), both: true },
            Fault::Cut { how: Cut::Silent, from: hosts(&[0]), to: hosts(&[1]), both: false },
        ];
        let found = rule(&all, 0, 1);
        assert_eq!((found.flow, found.delay, found.jitter), (Flow::Refused, delay * 2, jitter * 2));
        assert_eq!(found.bytes_per_second, NonZeroU32::new(5_000));
        let found = rule(&all, 1, 2);
        assert_eq!((found.flow, found.delay), (Flow::Open, delay));
        assert_eq!(rule(&all, 0, 0), Rule::default());
    }
}
