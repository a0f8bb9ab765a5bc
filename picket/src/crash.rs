//! Named points at which a test kills the process that reaches them.
//!
//! `CRUX_CRASH_AT=name` aborts at the first time a point of that name is reached, `name:N` at the Nth.
//! Several, separated by commas, each count for themselves, and each process counts for itself. Without
//! the variable a point costs one load from memory.
//!
//! **Invariant**: every durable write and every start of a process has its points. [`durable::write`] takes a
//! [`Write`], and [`spawn`] a [`Spawn`]; nothing else in this crate renames a file, flushes one or starts a process
//! (a test reads the source). [`points`] has all names.
//!
//! [`durable::write`]: crate::durable::write

use std::collections::BTreeMap;
use std::io;
use std::process::{Child, Command};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The variable that names the points.
pub const VARIABLE: &str = "CRUX_CRASH_AT";

/// A file that is replaced as a whole. Its four points are `NAME.` and one of [`WRITE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// The desired services.
    Desired,
    /// That something was wanted.
    DesiredMark,
    /// That the node left or is refused.
    Ended,
    /// The events, when their file is made short.
    Events,
    /// The numbers of events.
    EventNumbers,
    /// The node's description of itself.
    Node,
    /// An instance.
    Record,
    /// The registrations that may have been made.
    Registered,
}

/// A process that is started. Its two points are `NAME.` and one of [`SPAWN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spawn {
    /// The fulcrum, by the picket.
    Fulcrum,
    /// A keeper, by the picket.
    Keeper,
    /// The launch step, by a keeper.
    Launch,
}

impl Write {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Desired,
        Self::DesiredMark,
        Self::Ended,
        Self::Events,
        Self::EventNumbers,
        Self::Node,
        Self::Record,
        Self::Registered,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Desired => "desired",
            Self::DesiredMark => "desired.mark",
            Self::Ended => "ended",
            Self::Events => "events",
            Self::EventNumbers => "events.seq",
            Self::Node => "node",
            Self::Record => "record",
            Self::Registered => "registered",
        }
    }
}

impl Spawn {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Fulcrum, Self::Keeper, Self::Launch];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fulcrum => "fulcrum",
            Self::Keeper => "handle",
            Self::Launch => "keeper",
        }
    }
}

/// The points of a durable write, in their order.
pub const WRITE: [&str; 4] = ["write.before", "rename.before", "rename.after", "write.after"];
/// The points of a start of a process.
pub const SPAWN: [&str; 2] = ["spawn.before", "spawn.after"];

/// All other points of this crate: between the steps of a start and of an end, and around what is appended or removed.
pub const OTHERS: &[&str] = &[
    "events.append.before",
    "events.append.after",
    "events.close.before",
    "events.close.after",
    "record.remove.before",
    "record.remove.after",
    "handle.listen.after",
    "handle.begin.before",
    "handle.begin.after",
    "keeper.begin.before",
    "keeper.begin.after",
    "keeper.errand.after",
    "keeper.started.before",
    "keeper.exited.before",
    "keeper.kill.before",
    "keeper.gone.before",
    "launch.execute.before",
];

/// The names of all points.
#[must_use]
pub fn points() -> Vec<String> {
    let of = |name: &str, points: &[&str]| -> Vec<String> {
        points.iter().map(|point| format!("{name}.{point}")).collect()
    };
    let writes = Write::ALL.iter().flat_map(|write| of(write.name(), &WRITE));
    let spawns = Spawn::ALL.iter().flat_map(|spawn| of(spawn.name(), &SPAWN));
    writes.chain(spawns).chain(OTHERS.iter().map(|&name| name.to_owned())).collect()
}

/// Starts a process, with a point before and one after.
///
/// # Errors
/// Those of the system.
pub fn spawn(of: Spawn, command: &mut Command) -> io::Result<Child> {
    point_of(of.name(), SPAWN[0]);
    let child = command.spawn()?;
    point_of(of.name(), SPAWN[1]);
    Ok(child)
}

/// Has a process of this crate whose environment is empty crash as well.
pub(crate) fn pass_on(command: &mut Command) {
    if let Some(points) = std::env::var_os(VARIABLE) {
        command.env(VARIABLE, points);
    }
}

/// How often each point must still be reached: at 1 the next time is the one.
static ARMED: OnceLock<Option<Mutex<BTreeMap<String, u32>>>> = OnceLock::new();

/// Aborts the process if the variable names this point, and this is its time.
pub fn point(name: &str) {
    point_of("", name);
}

/// The same for a point that several places share: its name is that of the place, a dot, and `name`.
pub fn point_of(place: &str, name: &str) {
    let Some(armed) = ARMED.get_or_init(read) else { return };
    let name = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    let mut armed = armed.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(left) = armed.get_mut(&name) else { return };
    *left = left.saturating_sub(1);
    if *left == 0 {
        std::process::abort();
    }
}

fn read() -> Option<Mutex<BTreeMap<String, u32>>> {
    let points = parse(&std::env::var(VARIABLE).ok()?);
    (!points.is_empty()).then(|| Mutex::new(points))
}

fn parse(text: &str) -> BTreeMap<String, u32> {
    let one = |word: &str| {
        let (name, times) = word.split_once(':').unwrap_or((word, "1"));
        times.parse().ok().filter(|&times| times > 0).map(|times| (name.to_owned(), times))
    };
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::{OTHERS, parse, points};

    #[test]
    fn a_name_counts_once_unless_it_says_how_often() {
        let points = parse("keeper.spawn.before, record.write.after:3,zero:0,bad:x,");
        let points: Vec<_> = points.iter().map(|(name, left)| (&**name, *left)).collect();
        assert_eq!(points, [("keeper.spawn.before", 1), ("record.write.after", 3)]);
    }

    /// The product's source, file by file; without tests.
    fn source() -> Vec<(String, String)> {
        fn search(dir: &Path, found: &mut Vec<(String, String)>) {
            for entry in std::fs::read_dir(dir).expect("listed").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    search(&path, found);
                    continue;
                }
                let text = std::fs::read_to_string(&path).expect("read");
                let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
                found.push((path.to_string_lossy().into_owned(), product.to_owned()));
            }
        }
        let mut found = Vec::new();
        search(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        found.retain(|(path, _)| !path.ends_with("tests.rs") && !path.contains("/tests/"));
        found
    }

    #[test]
    fn the_list_has_every_point_once() {
        let all = points();
        let listed: BTreeSet<&str> = all.iter().map(|name| &**name).collect();
        assert_eq!(listed.len(), all.len(), "a name is listed twice");
        let source = source();
        let calls = source.iter().flat_map(|(_, text)| text.split("crash::point(\"").skip(1));
        let found: BTreeSet<&str> =
            calls.filter_map(|call| call.split_once('"').map(|it| it.0)).collect();
        assert_eq!(found, OTHERS.iter().copied().collect());
    }

    /// A file that `durable::write` does not write, or a process that `crash::spawn` does not start, would
    /// have no points.
    #[test]
    fn nothing_is_written_or_started_past_the_points() {
        // Logs are not durable on purpose; events have points of their own.
        let allowed = [
            ("durable.rs", "fs::rename("),
            ("durable.rs", ".sync_all("),
            ("events/file.rs", ".sync_data("),
            ("logs/disk.rs", "fs::rename("),
            ("logs/store.rs", "fs::rename("),
            ("crash.rs", ".spawn()"),
        ];
        let words =
            ["fs::rename(", ".sync_all(", ".sync_data(", ".spawn()", ".output()", ".status()?"];
        for (path, text) in source() {
            for word in words.iter().filter(|word| text.contains(**word)) {
                let is_allowed = |(file, of): &(&str, &str)| path.ends_with(file) && of == word;
                assert!(allowed.iter().any(is_allowed), "{path} has {word}");
            }
        }
    }
}
