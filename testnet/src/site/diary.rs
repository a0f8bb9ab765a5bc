//! Everything that the pickets wrote of instances, in the order in which each wrote it.
//!
//! The nodes of a testnet share a machine, and so a clock: times of different nodes compare.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crux_picket::events::Event;

use super::Census;
use crate::Error;
use crate::process::{Cluster, NodeProcess};
use crate::wait::{self, Seen};

/// How long a picket may take to write its last events.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// The part of its life that an instance is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Happened {
    /// Its process runs.
    Started,
    /// It serves.
    Up,
    /// It ended: by itself, or because nobody wants it any longer.
    Ended,
}

/// One event of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The node, counted from 0.
    pub node: usize,
    /// Its number on that node.
    pub seq: u64,
    /// When, in milliseconds of Unix time.
    pub at: u64,
    /// Which.
    pub happened: Happened,
    /// The service.
    pub service: String,
    /// The revision, which the id of the instance has.
    pub rev: String,
    /// The id of the instance.
    pub instance: String,
    /// The process, of a start.
    pub pid: Option<u32>,
}

/// The events of instances on all nodes, started or not: by node, then by number.
#[derive(Debug, Clone, Default)]
pub struct Diary {
    /// All of them.
    pub all: Vec<Entry>,
}

impl Diary {
    /// Now, as an event would have it.
    #[must_use]
    pub fn now() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Reads what all pickets wrote.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Broken`] when an event cannot be understood, or when some are missing.
    pub fn read(cluster: &Cluster) -> Result<Self, Error> {
        let all = cluster.nodes().iter().enumerate().map(|(at, node)| read(at, node));
        Ok(Self { all: all.collect::<Result<Vec<_>, _>>()?.concat() })
    }

    /// Reads what all pickets wrote, once it has the start of everything that runs.
    ///
    /// # Errors
    ///
    /// As [`Diary::read`]; [`Error::TimedOut`] names what runs although no picket wrote of its start.
    pub async fn with(cluster: &Cluster, census: &Census) -> Result<Self, Error> {
        wait::until("the pickets wrote of every start", WRITTEN_WITHIN, async || {
            let diary = Self::read(cluster)?;
            let starts = diary.starts().map(|it| (it.node, it.pid)).collect::<Vec<_>>();
            let lacks = census.all.iter().find(|it| !starts.contains(&(it.node, Some(it.pid))));
            Ok(match lacks {
                None => Seen::Done(diary),
                Some(it) => Seen::NotYet(format!("  {it}")),
            })
        })
        .await
    }

    /// The part from one moment to another.
    #[must_use]
    pub fn between(&self, from: u64, to: u64) -> Self {
        let all = self.all.iter().filter(|it| (from..=to).contains(&it.at)).cloned().collect();
        Self { all }
    }

    /// The part of one service.
    #[must_use]
    pub fn of(&self, service: &str) -> Self {
        Self { all: self.all.iter().filter(|it| it.service == service).cloned().collect() }
    }

    /// The starts, by node, then by number.
    pub fn starts(&self) -> impl Iterator<Item = &Entry> {
        self.all.iter().filter(|it| it.happened == Happened::Started)
    }

    /// By time. Of one node in its own order.
    #[must_use]
    pub fn by_time(&self) -> Vec<&Entry> {
        let mut all: Vec<_> = self.all.iter().collect();
        all.sort_by_key(|it| it.at);
        all
    }

    /// The instances that serve at a moment, each with its node.
    #[must_use]
    pub fn up_at(&self, at: u64) -> BTreeMap<&str, usize> {
        let mut up = BTreeMap::new();
        for entry in self.by_time().into_iter().take_while(|it| it.at <= at) {
            match entry.happened {
                Happened::Started => {}
                Happened::Up => _ = up.insert(entry.instance.as_str(), entry.node),
                Happened::Ended => _ = up.remove(entry.instance.as_str()),
            }
        }
        up
    }

    /// Nothing, if no instance of that revision was started while an earlier one of it was on its way.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`] names the one that was.
    pub fn one_at_a_time(&self, rev: &str) -> Result<(), Error> {
        let mut waiting: Option<&Entry> = None;
        for entry in self.by_time().into_iter().filter(|it| it.rev == rev) {
            match (entry.happened, waiting) {
                (Happened::Started, Some(first)) if first.instance != entry.instance => {
                    return Err(Error::Broken(format!("{entry}, and it was too early: {first}")));
                }
                (Happened::Started, _) => waiting = Some(entry),
                (_, Some(first)) if first.instance == entry.instance => waiting = None,
                _ => {}
            }
        }
        Ok(())
    }

    /// Nothing, if every start is of a revision that has a number, greater by none than was applied by then, and on each
    /// node never one with a smaller number than before. `applied`: when each number was, in milliseconds of Unix time.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`] names the start, and says which rule it breaks.
    pub fn only_newer(
        &self,
        number: impl Fn(&str) -> Option<u64>,
        applied: &BTreeMap<u64, u64>,
    ) -> Result<usize, Error> {
        let mut newest: BTreeMap<(usize, &str), (u64, &Entry)> = BTreeMap::new();
        let mut starts = 0;
        for entry in self.starts() {
            let broken = |why: String| Err(Error::Broken(format!("{entry}: {why}")));
            let Some(n) = number(&entry.rev) else {
                return broken("nobody signed that".to_owned());
            };
            match applied.get(&n) {
                Some(at) if *at <= entry.at => {}
                other => return broken(format!("it was applied at {other:?}, if at all")),
            }
            if let Some((last, before)) = newest.get(&(entry.node, entry.service.as_str()))
                && *last > n
            {
                return broken(format!("it is older than {before}"));
            }
            newest.insert((entry.node, entry.service.as_str()), (n, entry));
            starts += 1;
        }
        Ok(starts)
    }
}

/// The events of instances of a node; none where it never ran.
fn read(at: usize, node: &NodeProcess) -> Result<Vec<Entry>, Error> {
    let path = node.spec().data_dir.join("picket/events");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read(&path).map_err(Error::io(format!("read {}", path.display())))?;
    let text = String::from_utf8_lossy(&text);
    // The last line may be one that is being written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let entries = whole.lines().map(|line| entry(at, line, &path));
    Ok(entries.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// The event of a line; none: it is not of an instance, or no part of its life.
fn entry(node: usize, line: &str, path: &Path) -> Result<Option<Entry>, Error> {
    let broken = |why: &str| Error::Broken(format!("{}: {why}: {line}", path.display()));
    let event: Event = serde_json::from_str(line).map_err(|error| broken(&error.to_string()))?;
    let happened = match event.kind.as_str() {
        "plugin.started" | "plugin.restarted" => Happened::Started,
        "plugin.up" => Happened::Up,
        "plugin.stopped" | "plugin.exited" | "plugin.oom_killed" => Happened::Ended,
        "suppressed" => return Err(broken("events are missing")),
        _ => return Ok(None),
    };
    let word = |key: &str| event.detail.get(key).and_then(|value| value.as_str());
    let (Some(service), Some(instance)) = (word("service"), word("instance")) else {
        return Err(broken("of which instance?"));
    };
    let rev = rev(service, instance).ok_or_else(|| broken("of which revision?"))?;
    let pid = word("reason").and_then(|it| it.strip_prefix("process ")?.parse().ok());
    Ok(Some(Entry {
        node,
        seq: event.seq,
        at: event.at,
        happened,
        service: service.to_owned(),
        rev: rev.to_owned(),
        instance: instance.to_owned(),
        pid: pid.filter(|_| happened == Happened::Started),
    }))
}

/// The revision in the id of an instance, which is `NAME-REV-K-XXXXXXXX`.
fn rev<'a>(service: &str, instance: &'a str) -> Option<&'a str> {
    let rest = instance.strip_prefix(service)?.strip_prefix('-')?;
    let (rest, _random) = rest.rsplit_once('-')?;
    rest.rsplit_once('-').map(|(rev, _ordinal)| rev)
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, at, happened, instance, .. } = self;
        let happened = match happened {
            Happened::Started => "started",
            Happened::Up => "was up",
            Happened::Ended => "ended",
        };
        write!(f, "{instance} {happened} on node {node} at {at}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn told(node: usize, at: u64, happened: Happened, instance: &str) -> Entry {
        let (service, seq) = ("web".to_owned(), at);
        let rev = rev("web", instance).expect("an id").to_owned();
        Entry { node, seq, at, happened, service, rev, instance: instance.to_owned(), pid: None }
    }

    fn diary(all: &[(usize, u64, Happened, &str)]) -> Diary {
        Diary { all: all.iter().map(|(node, at, it, id)| told(*node, *at, *it, id)).collect() }
    }

    #[test]
    fn a_line_of_the_picket_has_instance_revision_and_process() {
        let line = r#"{"seq":4,"at":9,"up_ms":1,"boot":"b","kind":"plugin.started","node":"n1",
            "principal":null,"detail":{"service":"a-web","instance":"a-web-v-2-1-5dhp6c47",
            "reason":"process 17"},"text":"x"}"#;
        let read = entry(1, line, Path::new("x")).expect("an event").expect("of an instance");
        assert_eq!((read.service.as_str(), read.rev.as_str()), ("a-web", "v-2"));
        assert_eq!((read.pid, read.node, read.seq, read.at), (Some(17), 1, 4, 9));
        assert!(entry(1, &line.replace("started", "adopted"), Path::new("x")).unwrap().is_none());
        assert!(entry(1, &line.replace("plugin.started", "suppressed"), Path::new("x")).is_err());
    }

    #[test]
    fn a_second_start_before_the_first_is_up_is_seen() {
        use Happened::{Ended, Started, Up};
        let mut steps = vec![
            (0, 1, Started, "web-v2-1-a"),
            (0, 2, Up, "web-v2-1-a"),
            (1, 3, Started, "web-v2-1-b"),
            (1, 4, Ended, "web-v2-1-b"),
            (2, 5, Started, "web-v2-1-c"),
        ];
        diary(&steps).one_at_a_time("v2").expect("each waits");
        steps.push((3, 5, Started, "web-v2-1-d"));
        let why = diary(&steps).one_at_a_time("v2").expect_err("two at once").to_string();
        assert!(why.contains("web-v2-1-d") && why.contains("web-v2-1-c"), "{why}");
        diary(&steps).one_at_a_time("v1").expect("there is none");
    }

    #[test]
    fn an_older_an_unsigned_and_an_early_version_are_seen() {
        use Happened::Started;
        let number = |rev: &str| rev.strip_prefix('g')?.parse().ok();
        let applied = BTreeMap::from([(1, 10), (2, 20)]);
        let judge =
            |all: &[_]| diary(all).only_newer(number, &applied).map_err(|it| it.to_string());
        let first = (0, 11, Started, "web-g1-1-a");
        let second = (0, 21, Started, "web-g2-1-b");
        // Another node may still be behind.
        assert_eq!(judge(&[first, second, (1, 22, Started, "web-g1-1-c")]), Ok(3));
        for (all, word) in [
            ([first, second, (0, 22, Started, "web-g1-1-c")], "older"),
            ([first, second, (0, 22, Started, "web-evil2-1-c")], "nobody signed"),
            ([first, (0, 19, Started, "web-g2-1-c"), second], "applied"),
            ([first, second, (0, 22, Started, "web-g3-1-c")], "applied"),
        ] {
            let why = judge(&all).expect_err("it breaks a rule");
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn an_instance_is_up_from_then_until_it_ends() {
        use Happened::{Ended, Started, Up};
        let all =
            [(0, 1, Started, "web-v1-1-a"), (0, 2, Up, "web-v1-1-a"), (0, 5, Ended, "web-v1-1-a")];
        let up = |at| diary(&all).up_at(at).len();
        assert_eq!([1, 2, 4, 5].map(up), [0, 1, 1, 0]);
    }
}
