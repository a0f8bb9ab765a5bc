//! An instance's output on its way into the log of its service.

use std::sync::Arc;

use crux_protocol::time::Instant;

use super::cutter::Cutter;
use super::line::Stream;
use super::service::ServiceLog;
use crate::clock::Moment;

/// The two outputs of one instance. Dropped, it is as if they had ended; what had no newline is kept only
/// by [`Input::finish`].
#[derive(Debug)]
pub struct Input {
    log: Arc<ServiceLog>,
    instance: String,
    stdout: Cutter,
    stderr: Cutter,
}

impl Input {
    /// For an instance that starts, or was adopted.
    pub fn new(log: Arc<ServiceLog>, instance: &str) -> Self {
        log.opened(instance);
        let (stdout, stderr) = Default::default();
        Self { log, instance: instance.to_owned(), stdout, stderr }
    }

    /// The log that it belongs to.
    pub const fn log(&self) -> &Arc<ServiceLog> {
        &self.log
    }

    /// Puts in what was read from an output. Never waits for a disk or a reader.
    pub fn feed(&mut self, stream: Stream, bytes: &[u8], now: Moment) {
        let cutter = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr | Stream::Crux => &mut self.stderr,
        };
        self.log.put(now, &self.instance, |into| {
            cutter.feed(bytes, now.at, &mut |piece| into.line(stream, piece));
        });
    }

    /// When [`Input::tick`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let all = [self.stdout.deadline(), self.stderr.deadline(), self.log.deadline()];
        all.into_iter().flatten().min()
    }

    /// Puts in what has waited for its newline for long enough, and the remark that lines are missing.
    pub fn tick(&mut self, now: Moment) {
        let Self { log, instance, stdout, stderr } = self;
        log.put(now, instance, |into| {
            stdout.flush(now.at, &mut |piece| into.line(Stream::Stdout, piece));
            stderr.flush(now.at, &mut |piece| into.line(Stream::Stderr, piece));
        });
    }

    /// Both outputs ended: puts in what had no newline.
    pub fn finish(mut self, now: Moment) {
        let Self { log, instance, stdout, stderr } = &mut self;
        log.put(now, instance, |into| {
            stdout.finish(&mut |piece| into.line(Stream::Stdout, piece));
            stderr.finish(&mut |piece| into.line(Stream::Stderr, piece));
            into.end();
        });
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.log.closed(&self.instance);
    }
}
