//! Named points at which a test kills the process that reaches them.
//!
//! `CRUX_CRASH_AT=name` aborts at the first time a point of that name is reached, `name:N` at the Nth.
//! Several, separated by commas, each count for themselves, and each process counts for itself. Without
//! the variable a point costs one load from memory. [`POINTS`] has all names.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The variable that names the points.
pub const VARIABLE: &str = "CRUX_CRASH_AT";

/// All points of this crate: before and after each durable write and each start of a process.
pub const POINTS: &[&str] = &[
    "record.write.before",
    "record.rename.before",
    "record.rename.after",
    "record.write.after",
    "handle.listen.after",
    "handle.spawn.before",
    "handle.spawn.after",
    "handle.begin.before",
    "handle.begin.after",
    "keeper.begin.before",
    "keeper.begin.after",
    "keeper.spawn.before",
    "keeper.spawn.after",
    "keeper.errand.after",
    "keeper.started.before",
    "keeper.exited.before",
    "keeper.kill.before",
    "keeper.gone.before",
];

/// What is still to be reached, by point: 1 is the next time.
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

    use super::{POINTS, parse};

    #[test]
    fn a_name_counts_once_unless_it_says_how_often() {
        let points = parse("keeper.spawn.before, record.write.after:3,zero:0,bad:x,");
        let points: Vec<_> = points.iter().map(|(name, left)| (&**name, *left)).collect();
        assert_eq!(points, [("keeper.spawn.before", 1), ("record.write.after", 3)]);
    }

    #[test]
    fn the_list_has_every_point_once() {
        let mut found = BTreeSet::new();
        search(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        let listed: BTreeSet<String> = POINTS.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(listed.len(), POINTS.len(), "a name is listed twice");
        let unlisted: Vec<_> = found.difference(&listed).collect();
        assert!(unlisted.is_empty(), "add to POINTS: {unlisted:?}");
        // Those of durable writes are composed.
        let composed = |name: &str| name.contains(".write.") || name.contains(".rename.");
        let unused: Vec<_> = listed.difference(&found).filter(|name| !composed(name)).collect();
        assert!(unused.is_empty(), "no such point: {unused:?}");
    }

    fn search(dir: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).expect("listed").flatten() {
            if entry.path().is_dir() {
                search(&entry.path(), found);
                continue;
            }
            let text = std::fs::read_to_string(entry.path()).expect("read");
            let calls = text.split(concat!("crash::", "point(\"")).skip(1);
            found.extend(calls.filter_map(|call| Some(call.split_once('"')?.0.to_owned())));
        }
    }
}
