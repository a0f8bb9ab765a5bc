//! Where in the files the lines are: an index with a mark every [`MARK_BYTES`].
//!
//! A follower that has fallen behind what is in memory finds its next line here. Files have serial
//! numbers, which count up with each rotation, because their names change.
//!
//! **Invariant.** From a mark to the next one, or to the end, lines have successive indices.

use std::collections::VecDeque;

/// A mark at most every so many bytes; what a follower reads at once.
const MARK_BYTES: u64 = 128 * 1024;
/// How many marks are kept: those of 64 MiB, 16 KiB of memory. A `log_max` above that has marks for its
/// newest part only, and a follower that is further behind is told that it lost lines.
const MARKS_MAX: usize = 512;

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    index: u64,
    /// How many indices right before this one its line accounts for.
    covers: u64,
    serial: u64,
    offset: u64,
}

/// A run of lines in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The file.
    pub(super) serial: u64,
    /// Its bytes from here.
    pub(super) offset: u64,
    /// To here.
    pub(super) end: u64,
    /// The index of the first line.
    pub(super) first: u64,
    /// The index after the last one.
    pub(super) next: u64,
    /// The index of the first line that this run has, or says is missing.
    pub(super) begin: u64,
}

/// Lines that were written to a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) serial: u64,
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) first: u64,
    pub(super) lines: u64,
    /// As of [`super::tail::Block`].
    pub(super) covers: u64,
}

/// The marks of a log.
#[derive(Debug)]
pub(super) struct Marks {
    marks: VecDeque<Mark>,
    /// Where the next line would be, if it is in the same file.
    end: Mark,
}

impl Marks {
    /// Of a log whose current file has this serial number and length.
    pub(super) fn new(serial: u64, offset: u64) -> Self {
        Self { marks: VecDeque::new(), end: Mark { index: 0, covers: 0, serial, offset } }
    }

    /// Where the files end: serial number of the last one, its length, and the index of the next line.
    pub(super) const fn end(&self) -> (u64, u64, u64) {
        (self.end.serial, self.end.offset, self.end.index)
    }

    /// Lines were written.
    pub(super) fn add(&mut self, new: Written) {
        let Written { serial, offset, first, covers, .. } = new;
        let continues = self.end.index == first && self.end.serial == serial;
        let is_near = |mark: &Mark| offset < mark.offset + MARK_BYTES;
        if covers > 0 || !continues || !self.marks.back().is_some_and(is_near) {
            self.marks.push_back(Mark { index: first, covers, serial, offset });
            if self.marks.len() > MARKS_MAX {
                self.marks.pop_front();
            }
        }
        let (index, offset) = (first + new.lines, offset + new.bytes);
        self.end = Mark { index, covers: 0, serial, offset };
    }

    /// Files before this one are gone.
    pub(super) fn forget_before(&mut self, serial: u64) {
        while self.marks.front().is_some_and(|mark| mark.serial < serial) {
            self.marks.pop_front();
        }
    }

    /// The run with the line of this index, or else the first one after it.
    pub(super) fn find(&self, index: u64) -> Option<Run> {
        let after = self.marks.partition_point(|mark| mark.index <= index);
        let run = after.checked_sub(1).map(|at| self.run(at)).filter(|run| index < run.next);
        run.or_else(|| (after < self.marks.len()).then(|| self.run(after)))
    }

    fn run(&self, at: usize) -> Run {
        let mark = self.marks[at];
        let next = self.marks.get(at + 1).copied().unwrap_or(self.end);
        // The end of the last run in a file is the beginning of none: it was full, or its end is unknown
        // here, and reading stops after so many lines.
        let bytes_end = if next.serial == mark.serial { next.offset } else { u64::MAX };
        Run {
            serial: mark.serial,
            offset: mark.offset,
            end: bytes_end,
            first: mark.index,
            next: next.index - next.covers,
            begin: mark.index - mark.covers,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every line that is in a file is found, at its place.
        #[test]
        fn each_written_line_is_in_the_run_that_is_found(
            writes in proptest::collection::vec((1..50_u64, 1..3000_u64, 0..10_u64, 0..12_u8), 1..120),
        ) {
            let mut marks = Marks::new(4, 0);
            let (mut serial, mut offset, mut index) = (4, 0, 0);
            let mut lines = Vec::new();
            for (count, length, covers, turn) in writes {
                if turn == 0 {
                    (serial, offset) = (serial + 1, 0);
                }
                // Some were dropped, and the first line says so.
                let covers = if turn == 1 { covers } else { 0 };
                index += covers;
                let bytes = count * length;
                marks.add(Written { serial, offset, bytes, first: index, lines: count, covers });
                lines.extend((0..count).map(|k| (index + k, serial, offset + k * length, length, covers)));
                (offset, index) = (offset + bytes, index + count);
            }
            for (index, serial, offset, length, _) in &lines {
                let run = marks.find(*index).unwrap();
                prop_assert_eq!(run.serial, *serial);
                prop_assert!(run.first <= *index && *index < run.next);
                let within = lines.iter().filter(|l| (run.first..*index).contains(&l.0));
                let ahead: u64 = within.map(|line| line.3).sum();
                prop_assert_eq!(run.offset + ahead, *offset);
                prop_assert!(offset + length <= run.end);
                prop_assert!(run.begin <= run.first);
            }
            prop_assert_eq!(marks.find(index), None);
        }
    }

    #[test]
    fn marks_are_bounded_and_go_with_their_files() {
        let mut marks = Marks::new(0, 0);
        for n in 0..2000 {
            let written = Written {
                serial: n / 50,
                offset: n % 50 * MARK_BYTES,
                bytes: MARK_BYTES,
                first: n,
                lines: 1,
                covers: 0,
            };
            marks.add(written);
        }
        assert_eq!(marks.marks.len(), MARKS_MAX);
        assert_eq!(marks.find(0).unwrap().first, 2000 - 512);
        marks.forget_before(38);
        assert_eq!(marks.find(0).unwrap().first, 1900);
    }
}
