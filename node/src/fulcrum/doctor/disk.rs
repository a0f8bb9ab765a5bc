//! The room on the disks of the data directory and of blobs, in bytes and in files.

use std::path::Path;

use super::{Check, CheckResult, Surroundings, line, ok};
use crate::blobs::{Files, Room};

/// Less room than this is worth a warning: a database of a thousand nodes is about 20 MB.
const BYTES_MIN: u64 = 256 * 1024 * 1024;
/// Fewer files than this are worth a warning, or than a twentieth of all where that is less: from there
/// on blobs are evicted.
const FILES_MIN: u64 = 1024;
const FILES_SHARE: u64 = 20;

/// Looks at the disk of the data directory, and at those of blobs where they are worse off.
pub(super) fn check(around: &Surroundings, read_only: bool) -> Check {
    let mut worst = check_one(&around.data_dir, read_only);
    for dir in &around.blob_dirs {
        let mut found = check_one(dir, false);
        if found.result > worst.result {
            found.detail = format!("{}: {}", dir.display(), found.detail);
            worst = found;
        }
    }
    worst
}

fn check_one(dir: &Path, read_only: bool) -> Check {
    match Room::of(dir) {
        Ok(room) => judge(room, read_only),
        Err(err) => line("disk", CheckResult::Warn, format!("cannot tell: {err}"), ""),
    }
}

fn judge(room: Room, read_only: bool) -> Check {
    let mut detail = format!("{} MiB free", room.free / 1024 / 1024);
    if read_only {
        let hint = "Make room; the node then takes writes again by itself.";
        return line("disk", CheckResult::Fail, format!("full, {detail}: read-only"), hint);
    }
    if let Some(Files { free, total }) = room.files
        && free < FILES_MIN.min(total / FILES_SHARE).max(1)
    {
        detail.push_str(&format!(", room for {free} files more (inodes)"));
        let result = if free == 0 { CheckResult::Fail } else { CheckResult::Warn };
        let hint = "Remove files from the disk, or make its file system with more inodes; `df -i` \
                    counts them.";
        return line("disk", result, detail, hint);
    }
    if room.free < BYTES_MIN {
        return line("disk", CheckResult::Warn, detail, "Make room before the disk is full.");
    }
    ok("disk", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn found(free: u64, files: Option<(u64, u64)>, read_only: bool) -> (CheckResult, String) {
        let files = files.map(|(free, total)| Files { free, total });
        let check = judge(Room { free, total: 100 * GIB, files }, read_only);
        (check.result, check.detail)
    }

    #[test]
    fn room_for_bytes_and_for_files_is_looked_at() {
        let fine = (CheckResult::Ok, "1024 MiB free".to_owned());
        assert_eq!(found(GIB, None, false), fine);
        assert_eq!(found(GIB, Some((1024, 1_000_000)), false), fine);
        assert_eq!(found(GIB, Some((5, 100)), false), fine);
        assert_eq!(found(GIB, Some((1023, 1_000_000)), false).0, CheckResult::Warn);
        let few = "1024 MiB free, room for 4 files more (inodes)".to_owned();
        assert_eq!(found(GIB, Some((4, 100)), false), (CheckResult::Warn, few));
        assert_eq!(found(GIB, Some((0, 100)), false).0, CheckResult::Fail);
        assert_eq!(found(GIB, Some((0, 10)), false).0, CheckResult::Fail);
        assert_eq!(found(GIB / 8, None, false).0, CheckResult::Warn);
        assert_eq!(found(GIB, None, true).0, CheckResult::Fail);
    }
}
