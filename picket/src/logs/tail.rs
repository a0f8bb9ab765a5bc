//! The end of a log in memory: lines that wait to be written, and those that followers have not read.
//!
//! ```text
//!   index   0 … 41   42 … 57   58 … 63   64 …
//!           on disk  recent    writing   waiting, open
//!                    └ kept while somebody follows
//! ```
//!
//! Each line has an index, which counts from 0 since the log was opened. Lines are kept in blocks, so that
//! a small line costs no allocation.
//!
//! **Invariants.** Blocks are in the order of indices. Those that are not written have no gap between them; among
//! recent ones there is one where a disk took a part of a block and refused the rest. Waiting lines have at most
//! the bytes that the caller allows, what is recent [`RECENT_BYTES`], both with [`BLOCK_OVERHEAD`] for each
//! block. Where waiting lines had to be dropped, a marker holds the place of all of them: it has the index
//! of the last one and says how many there were, so that a reader who comes from before them reads it, once.

use std::collections::VecDeque;
use std::sync::Arc;

use super::gate::Missing;
use super::line::{Line, Stamp, Stream, newline};
use crate::clock::Moment;

/// How many bytes of written lines are kept for followers.
pub(super) const RECENT_BYTES: usize = 256 * 1024;
/// When a block is closed. A follower or the disk takes a few of these at once.
const BLOCK_BYTES: usize = 64 * 1024;
/// The memory that a block takes beside its lines, roughly.
const BLOCK_OVERHEAD: usize = 128;

/// Some lines that follow each other.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The index of the first line.
    pub(super) first: u64,
    /// How many lines.
    pub(super) lines: u64,
    /// The lines, each with its newline.
    pub(super) bytes: Vec<u8>,
    /// Of a marker: what was dropped before it.
    pub(super) missing: Option<Missing>,
    /// Of a marker: how many indices right before its own it accounts for.
    pub(super) covers: u64,
}

impl Block {
    /// The index after the last line.
    pub(super) const fn end(&self) -> u64 {
        self.first + self.lines
    }

    /// The index of the first line that this block has, or says is missing.
    pub(super) const fn begin(&self) -> u64 {
        self.first - self.covers
    }

    const fn cost(&self) -> usize {
        self.bytes.len() + BLOCK_OVERHEAD
    }

    /// The lines from an index on, with their newlines.
    pub(super) fn from(&self, index: u64) -> &[u8] {
        skip(&self.bytes, index.saturating_sub(self.first))
    }
}

/// The rest behind so many lines.
pub(super) fn skip(mut bytes: &[u8], lines: u64) -> &[u8] {
    for _ in 0..lines {
        let Some(at) = newline(bytes) else { return &[] };
        bytes = &bytes[at + 1..];
    }
    bytes
}

/// Blocks and what they cost.
#[derive(Debug, Default)]
struct Blocks {
    all: VecDeque<Arc<Block>>,
    cost: usize,
}

impl Blocks {
    fn push_back(&mut self, block: Arc<Block>) {
        self.cost += block.cost();
        self.all.push_back(block);
    }

    fn push_front(&mut self, block: Arc<Block>) {
        self.cost += block.cost();
        self.all.push_front(block);
    }

    fn pop_front(&mut self) -> Option<Arc<Block>> {
        let block = self.all.pop_front()?;
        self.cost -= block.cost();
        Some(block)
    }
}

/// The end of a log.
#[derive(Debug, Default)]
pub(super) struct Tail {
    recent: Blocks,
    writing: Blocks,
    waiting: Blocks,
    /// The block that lines are added to.
    open: Block,
    stamp: Stamp,
}

impl Tail {
    /// The index that the next line gets.
    pub(super) const fn next(&self) -> u64 {
        self.open.end()
    }

    /// The index of the first line that is not on the disk.
    pub(super) fn unwritten(&self) -> u64 {
        let block = self.writing.all.front().or(self.waiting.all.front());
        block.map_or(self.open.first, |block| block.begin())
    }

    /// The memory of lines that are not written, in bytes.
    pub(super) fn cost(&self) -> usize {
        self.writing.cost + self.waiting.cost + self.open.cost()
    }

    /// Adds a line.
    pub(super) fn push(&mut self, line: &Line<'_>) {
        line.write(&mut self.stamp, &mut self.open.bytes);
        self.open.lines += 1;
        if self.open.bytes.len() >= BLOCK_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        if self.open.lines == 0 {
            return;
        }
        let next = Block { first: self.open.end(), ..Block::default() };
        let mut block = std::mem::replace(&mut self.open, next);
        block.bytes.shrink_to_fit();
        self.waiting.push_back(Arc::new(block));
    }

    /// Drops the oldest waiting lines until what waits costs at most so much, and puts a marker there that
    /// says why. The newest block stays whatever it costs. Returns how many lines this dropped.
    pub(super) fn trim(&mut self, bytes: usize, now: Moment, instance: &str, why: &str) -> u64 {
        let (mut dropped, mut missing, mut range) = (0, Missing::default(), None);
        while self.waiting.cost > bytes && self.waiting.all.len() > 1 {
            let Some(block) = self.waiting.pop_front() else { break };
            match block.missing {
                Some(earlier) => missing.add(earlier.lines, earlier.bytes),
                None => {
                    missing.add(block.lines, block.bytes.len() as u64);
                    dropped += block.lines;
                }
            }
            range = Some((range.map_or(block.begin(), |(begin, _)| begin), block.end()));
        }
        if let Some((begin, end)) = range {
            let text = remark(missing, why);
            let mut block = Block { first: end - 1, lines: 1, ..Block::default() };
            (block.missing, block.covers) = (Some(missing), end - 1 - begin);
            crux(now, instance, &text).write(&mut self.stamp, &mut block.bytes);
            self.waiting.push_front(Arc::new(block));
        }
        dropped
    }

    /// The oldest lines that wait, about so many bytes, which from now on are being written.
    pub(super) fn take(&mut self, bytes: usize) -> Vec<Arc<Block>> {
        self.close();
        while self.writing.cost < bytes
            && let Some(block) = self.waiting.pop_front()
        {
            self.writing.push_back(block);
        }
        self.writing.all.iter().cloned().collect()
    }

    /// The first block that is being written was. It is kept if somebody follows.
    pub(super) fn written(&mut self, is_followed: bool) {
        if let Some(block) = self.writing.pop_front().filter(|_| is_followed) {
            self.recent.push_back(block);
            while self.recent.cost > RECENT_BYTES {
                self.recent.pop_front();
            }
        }
    }

    /// The writing failed: the rest of the first block, and the blocks after it, wait again.
    pub(super) fn failed(&mut self, rest: Block) {
        self.writing.pop_front();
        while let Some(block) = self.writing.all.pop_back() {
            self.waiting.push_front(block);
        }
        self.writing.cost = 0;
        self.waiting.push_front(Arc::new(rest));
    }

    /// Nobody follows any more.
    pub(super) fn forget_recent(&mut self) {
        self.recent = Blocks::default();
    }

    /// The blocks with the line of this index and those after it without a gap, of about so many bytes; none if that
    /// line is no longer in memory.
    pub(super) fn from(&mut self, index: u64, bytes: usize) -> Option<Vec<Arc<Block>>> {
        self.close();
        let all = self.recent.all.iter().chain(&self.writing.all).chain(&self.waiting.all);
        let mut all = all.skip_while(|block| block.end() <= index).peekable();
        all.peek().filter(|block| block.begin() <= index)?;
        let (mut cost, mut end) = (0, index);
        let some = all.take_while(|block| {
            let follows = cost < bytes && block.begin() <= end;
            (cost, end) = (cost + block.cost(), block.end());
            follows
        });
        Some(some.cloned().collect())
    }

    /// The index of the first line in memory that is this one or comes after it. There may be a gap before it: of a
    /// block that a disk took in part only the rest is kept.
    pub(super) fn first_from(&self, index: u64) -> u64 {
        let mut all = self.recent.all.iter().chain(&self.writing.all).chain(&self.waiting.all);
        let block = all.find(|block| block.end() > index);
        block.map_or(self.open.first, |block| block.begin())
    }
}

/// A remark of Crux in a log.
pub(super) const fn crux<'a>(now: Moment, instance: &'a str, text: &'a str) -> Line<'a> {
    let (at_ms, text) = (now.unix_ms, text.as_bytes());
    Line { at_ms, instance, stream: Stream::Crux, partial: false, text }
}

/// The text of a remark about missing lines.
pub(super) fn remark(missing: Missing, why: &str) -> String {
    let Missing { lines, bytes } = missing;
    let s = if lines == 1 { "" } else { "s" };
    format!("{lines} line{s} ({bytes} bytes) dropped: {why}")
}
