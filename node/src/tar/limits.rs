//! The one place that decides what a tree may be, for packing and for unpacking: so what is packed can be
//! unpacked.

use super::TarError;
use super::error::shown;

/// How large a tree may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How many files, directories and links are below its root. A bound, not a measure: a million empty
    /// files take a disk a while.
    pub(super) entries: u64,
    /// How many parts a name has. Each costs an open directory.
    pub(super) depth: usize,
    /// How many bytes a name has, with its parts joined by single slashes, and a link's target.
    pub(super) name_bytes: usize,
}

impl Limits {
    /// What everybody gets.
    pub(super) const STANDARD: Self = Self { entries: 1_000_000, depth: 128, name_bytes: 4096 };
}

/// Counts what a tree has.
#[derive(Debug)]
pub(super) struct Tally {
    limits: Limits,
    entries: u64,
}

impl Tally {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { limits, entries: 0 }
    }

    /// Refuses a name that no tree may have.
    pub(super) fn check_name(&self, parts: &[&[u8]]) -> Result<(), TarError> {
        if parts.len() > self.limits.depth {
            return Err(TarError::TooMuch { what: "levels", max: self.limits.depth as u64 });
        }
        let bytes = parts.iter().map(|part| part.len() + 1).sum::<usize>().saturating_sub(1);
        if bytes > self.limits.name_bytes {
            return Err(TarError::not_safe(&parts.join(&b'/'), "the name is too long"));
        }
        if parts.iter().any(|part| part.contains(&0)) {
            return Err(TarError::not_safe(&parts.join(&b'/'), "there is a zero in the name"));
        }
        Ok(())
    }

    /// Counts one more.
    pub(super) fn count(&mut self) -> Result<(), TarError> {
        self.expect(1)?;
        self.entries += 1;
        Ok(())
    }

    /// Refuses when so many more would be too many.
    pub(super) fn expect(&self, more: u64) -> Result<(), TarError> {
        if self.entries.saturating_add(more) > self.limits.entries {
            return Err(TarError::TooMuch { what: "entries", max: self.limits.entries });
        }
        Ok(())
    }

    /// Refuses a link at a name that could lead out of the tree: its target goes up only at its beginning,
    /// and no higher than the root.
    pub(super) fn check_link(&self, parts: &[&[u8]], target: &[u8]) -> Result<(), TarError> {
        let is_name = !target.is_empty()
            && target.len() <= self.limits.name_bytes
            && !target.contains(&0)
            && target[0] != b'/';
        let steps = target.split(|byte| *byte == b'/').filter(|step| !matches!(*step, b"" | b"."));
        let steps: Vec<_> = steps.collect();
        let ups = steps.iter().take_while(|step| **step == b"..").count();
        if is_name && ups < parts.len() && !steps[ups..].contains(&&b".."[..]) {
            return Ok(());
        }
        let name = shown(&parts.join(&b'/'));
        Err(TarError::Unsafe { name, why: "it is a link that leads out of the tree" })
    }
}

/// The permissions that an archive keeps: all but those of others to write, which differ with how people
/// set their umask, and those that say as whom a program runs. So nobody may do more with what is unpacked
/// than with what was packed.
pub(super) const fn kept(mode: u32) -> u32 {
    mode & 0o755
}
