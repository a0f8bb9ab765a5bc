//! The store's own time.
//!
//! Reservations and the order of last uses outlive the process, and anybody may set the wall clock. So
//! the store counts its **age**: for how long it was open so far. The age advances with the boot-time
//! clock, which nobody sets and which runs while the machine sleeps, and continues at the next start
//! from where it was.
//!
//! **Invariants**
//!
//! * While the store is open the age never decreases.
//! * At a start no time of use is later than the age: the age on disk is written before a reservation,
//!   at a stop, and at most [`WRITE_EVERY`] after anything was of use. A later one (a crash, a directory
//!   from another node) counts as of use just now.
//! * So a reservation lasts its whole time while the node runs. A stop does not use it up, and a crash
//!   gives back at most what it had at first.
//!
//! The time of use of a blob is the modification time of its record, as the age since 1970: it is
//! written without a flush, and one that is lost costs an eviction a little earlier. Directories that
//! earlier versions wrote have the wall clock there; without an age on disk the latest of them is the age.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crux_crdt::canon::{Canonical, DecodeError, Decoder, Encoder};

use super::BlobError;
use super::config::World;
use super::error::Doing as _;
use super::flush;
use super::layout::Layout;
use super::record;

/// How far the age on disk, and a time of use there, may be behind.
pub(super) const WRITE_EVERY: Duration = Duration::from_secs(60);
/// The latest time that is believed: later than 200 years, and what every file system can hold.
const AGE_MAX: Duration = Duration::from_secs(1 << 33);

/// The age of a store that is open.
#[derive(Debug)]
pub(super) struct Age {
    world: Arc<dyn World>,
    layout: Arc<Layout>,
    at_open: Duration,
    opened: Duration,
    // The age on disk. Held while it is written, so that an earlier one never replaces a later one.
    written: Mutex<Duration>,
}

/// The age as it is on disk, in milliseconds.
#[derive(Debug, PartialEq, Eq)]
struct Written(u64);

impl Canonical for Written {
    fn encode(&self, out: &mut Encoder) {
        out.u8(1).u64(self.0);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("age version", 1)?;
        input.u64("age").map(Self)
    }
}

impl Age {
    /// Continues from what the first directory says.
    pub(super) fn open(world: Arc<dyn World>, layout: Arc<Layout>) -> Result<Self, BlobError> {
        let at_open = match record::read::<Written>(&layout.age()) {
            Some(Written(millis)) => Duration::from_millis(millis).min(AGE_MAX),
            None => latest_use(&layout)?,
        };
        let (opened, written) = (world.since_boot(), Mutex::new(at_open));
        Ok(Self { world, layout, at_open, opened, written })
    }

    /// The age.
    pub(super) fn now(&self) -> Duration {
        self.at_open + self.world.since_boot().saturating_sub(self.opened)
    }

    /// Makes the age durable.
    pub(super) fn write(&self) -> Result<(), BlobError> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        // Rounded up: no time of use that was written before is later.
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        self.layout.check()?;
        record::write(&self.layout.age(), &Written(millis))?;
        flush::dir(self.layout.root())?;
        *written = now;
        Ok(())
    }

    /// Makes the age durable if that was long ago. An age that is lost costs the order of the last uses.
    pub(super) fn write_if_due(&self) {
        let written = *self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if self.now().saturating_sub(written) >= WRITE_EVERY {
            self.write().ok();
        }
    }
}

/// The latest time of use in a directory without an age.
fn latest_use(layout: &Layout) -> Result<Duration, BlobError> {
    let ids = layout.ids("meta").doing("reading", layout.root())?;
    Ok(ids.iter().map(|id| time_of_use(&layout.meta(id))).max().unwrap_or_default())
}

/// When a blob was last of use, by its record.
pub(super) fn time_of_use(record: &Path) -> Duration {
    let modified = std::fs::metadata(record).and_then(|meta| meta.modified());
    let since = modified.ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.unwrap_or_default().min(AGE_MAX)
}

/// Writes down when a blob was of use. One that is lost costs an eviction a little earlier.
pub(super) fn write_time_of_use(record: &Path, used: Duration) {
    if let Ok(file) = File::options().write(true).open(record) {
        stamp(&file, used);
    }
}

/// As [`write_time_of_use`], of a record that is open.
pub(super) fn stamp(record: &File, used: Duration) {
    record.set_modified(SystemTime::UNIX_EPOCH + used).ok();
}
