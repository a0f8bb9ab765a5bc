//! What may be registered under a key, by all that its client was told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::history::{Asked, Call, Fate, History, KeyId, Outcome, Value};
use super::WIPE_MARGIN;

/// What may be there; `None` is nothing.
pub(super) type May = BTreeSet<Option<Value>>;

/// Something that bears on a key.
#[derive(Debug, Clone, Copy)]
enum Event<'a> {
    Call(&'a Call),
    Fate(Fate),
}

/// All that bears on a key, in the order of time.
#[derive(Debug, Default)]
pub(super) struct Track<'a> {
    events: Vec<(Duration, Event<'a>)>,
}

/// What is known of a key at some time.
#[derive(Debug, Clone)]
struct Known {
    may: May,
    /// What calls of unknown outcome may still bring about, as long as the process lives.
    floating: May,
    /// Whether the node has lost its disk.
    forgot: bool,
}

impl Known {
    fn new() -> Self {
        Self { may: May::from([None]), floating: May::new(), forgot: false }
    }

    fn all(&self) -> May {
        self.may.union(&self.floating).copied().collect()
    }
}

/// What a call leaves behind if it is carried out.
pub(super) fn effect(asked: &Asked) -> Option<(KeyId, Option<Value>)> {
    match asked {
        Asked::Register(key, value) | Asked::RegisterSynced(key, value) => {
            Some((*key, Some(*value)))
        }
        Asked::Deregister(key) => Some((*key, None)),
        Asked::Query(_) | Asked::Ping(_) | Asked::Other(_) => None,
    }
}

/// The track of each key that a client wrote to.
pub(super) fn tracks(history: &History) -> BTreeMap<KeyId, Track<'_>> {
    let mut tracks: BTreeMap<KeyId, Track<'_>> = BTreeMap::new();
    for call in &history.calls {
        if let Some((key, _)) = effect(&call.asked) {
            tracks.entry(key).or_default().events.push((call.to, Event::Call(call)));
        }
    }
    for (key, track) in &mut tracks {
        let host = history.key_of(*key).host;
        let fates = history.fates.iter().filter(|(_, whose, _)| *whose == host);
        track.events.extend(fates.map(|(at, _, fate)| (*at, Event::Fate(*fate))));
        track.events.sort_by_key(|(at, _)| *at);
    }
    tracks
}

impl Track<'_> {
    /// What may be there when everything has ended.
    pub(super) fn at_the_end(&self) -> May {
        self.until(Duration::MAX).all()
    }

    /// What a query may show that began and ended at these times.
    pub(super) fn during(&self, from: Duration, to: Duration) -> May {
        let mut may = self.until(from).all();
        let calls = self.events.iter().filter_map(|(_, event)| match event {
            Event::Call(call) => Some(call),
            Event::Fate(_) => None,
        });
        let meanwhile = calls.filter(|call| {
            call.from < to
                && call.to > from
                && matches!(call.outcome, Outcome::Done | Outcome::Unknown(_))
        });
        may.extend(meanwhile.filter_map(|call| effect(&call.asked)).map(|(_, value)| value));
        may
    }

    /// The last thing that was acknowledged.
    pub(super) fn last_acknowledged(&self) -> Option<&Call> {
        self.events.iter().rev().find_map(|(_, event)| match event {
            Event::Call(call) if call.outcome == Outcome::Done => Some(*call),
            Event::Call(_) | Event::Fate(_) => None,
        })
    }

    /// What is known of what ended by then.
    fn until(&self, end: Duration) -> Known {
        let mut known = Known::new();
        // What was known when, for what a lost disk takes along.
        let mut before: Vec<(Duration, May)> = vec![(Duration::ZERO, known.may.clone())];
        for (at, event) in self.events.iter().take_while(|(at, _)| *at <= end) {
            match event {
                Event::Call(call) => {
                    known.note(call);
                    let synced = matches!(call.asked, Asked::RegisterSynced(..));
                    if synced && call.outcome == Outcome::Done {
                        // It is on another disk, too.
                        before.clear();
                    }
                }
                // What was asked of a process that is gone is not carried out any more. What it had
                // begun may be on its disk.
                Event::Fate(Fate::Killed | Fate::Left) => {
                    known.may = known.all();
                    known.floating.clear();
                }
                Event::Fate(Fate::Wiped) => {
                    known.forgot = true;
                    let since = at.saturating_sub(WIPE_MARGIN);
                    let first = before.iter().rposition(|(at, _)| *at <= since).unwrap_or(0);
                    known.may.extend(before[first..].iter().flat_map(|(_, may)| may));
                }
                Event::Fate(Fate::Rekeyed) => known = Known::new(),
                Event::Fate(Fate::Started) => {}
            }
            before.push((*at, known.all()));
        }
        known
    }
}

impl Known {
    fn note(&mut self, call: &Call) {
        let Some((_, value)) = effect(&call.asked) else { return };
        match call.outcome {
            Outcome::Done => self.may = May::from([value]),
            // A node that lost its disk may have had it, does not know that yet, and sees to it that
            // it does not come back.
            Outcome::Absent if self.forgot => {
                self.may.insert(None);
            }
            Outcome::Absent | Outcome::Failed(_) => {}
            Outcome::Unknown(_) => {
                self.may.insert(value);
                self.floating.insert(value);
            }
        }
    }
}

/// A set of values as a person reads it.
pub(super) fn show(may: &May) -> String {
    let show = |value: &Option<Value>| value.map_or_else(|| "nothing".to_owned(), Value::address);
    may.iter().map(show).collect::<Vec<_>>().join(" or ")
}
