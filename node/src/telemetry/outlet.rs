//! The queue between those who log and the one thread that writes.
//!
//! A write to standard error waits for as long as nobody reads: a full pipe, a stopped terminal. The
//! loop must not. So a line is put into a queue with a bound, and a thread of its own writes it. While
//! the queue is full, lines are counted and left out; the first one that fits again comes after a line
//! that says how many are missing. Nothing waits for the thread: at the end it gets a moment for what
//! is left, and ends with the process.
//!
//! A write that the system refuses is tried again once a second: what waits is written once it can be.
//!
//! Invariant: [`Outlet::push`] never waits for a reader. The queue holds at most [`BYTES_MAX`]. Each
//! line is written, or counted in the next notice that is written, or, if none is, in [`Health`].

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use crate::config::LogFormat;
use crate::parts::{Part, Pulse, Stop, Supervisor};

/// How many bytes of lines wait to be written.
const BYTES_MAX: usize = 1024 * 1024;
/// The longest line; the rest of a longer one is left out.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// How long a full pipe that does not block is left alone.
const PAUSE: Duration = Duration::from_millis(10);
/// How long it takes to try again after the system refused a line: the reader is gone, the disk is full.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long what is left may take at the end.
const FLUSH_MAX: Duration = Duration::from_millis(500);

/// How the log fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Health {
    /// How many lines were never written, since the start.
    pub(crate) lost: u64,
    /// For how long the line that is being written has been waiting for a reader.
    pub(crate) stuck: Duration,
}

/// What waits to be written.
#[derive(Debug)]
enum Item {
    Line(Vec<u8>),
    /// That so many lines are missing here.
    Missing(u64),
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    /// How many lines are missing after the last item.
    missing: u64,
    /// How many are missing in all.
    lost: u64,
    /// Since when a line has been on its way.
    writing: Option<Instant>,
    /// Whether the last write failed: then the next line has to come before another is tried.
    failed: bool,
}

impl Queue {
    fn push(&mut self, line: &[u8]) {
        let line = cut(line);
        if self.bytes + line.len() > BYTES_MAX {
            self.lost += 1;
            self.missing += 1;
            return;
        }
        if self.missing > 0 {
            self.items.push_back(Item::Missing(std::mem::take(&mut self.missing)));
        }
        self.bytes += line.len();
        self.items.push_back(Item::Line(line));
        self.failed = false;
    }

    /// The next one to write; none while there is nothing to say.
    fn pop(&mut self) -> Option<Item> {
        let item = match self.items.pop_front() {
            None if self.missing > 0 && !self.failed => {
                Some(Item::Missing(std::mem::take(&mut self.missing)))
            }
            item => item,
        }?;
        if let Item::Line(line) = &item {
            self.bytes -= line.len();
        }
        self.writing = Some(Instant::now());
        Some(item)
    }

    /// The one that was popped is lost: who wrote it is gone.
    fn abandon(&mut self) {
        if self.writing.take().is_some() {
            self.lost += 1;
        }
    }

    /// What became of the one that was popped.
    fn written(&mut self, item: &Item, ok: bool) {
        self.writing = None;
        self.failed = !ok;
        if ok {
            return;
        }
        let lines = match item {
            Item::Line(_) => 1,
            Item::Missing(lines) => *lines,
        };
        if matches!(item, Item::Line(_)) {
            self.lost += 1;
        }
        match self.items.front_mut() {
            Some(Item::Missing(more)) => *more += lines,
            Some(Item::Line(_)) => self.items.push_front(Item::Missing(lines)),
            None => self.missing += lines,
        }
    }
}

/// A descriptor of its own: whoever waits in the standard one holds a lock that others need.
fn descriptor() -> io::Result<File> {
    Ok(File::from(io::stderr().as_fd().try_clone_to_owned()?))
}

/// The line, or the beginning of it.
fn cut(line: &[u8]) -> Vec<u8> {
    if line.len() <= LINE_BYTES_MAX {
        return line.to_vec();
    }
    let mut cut = line[..LINE_BYTES_MAX - 5].to_vec();
    cut.extend_from_slice(b" ...\n");
    cut
}

/// Where log lines go. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Outlet(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    format: LogFormat,
}

impl Outlet {
    /// An outlet to standard error, with its thread, [`Part::Log`].
    ///
    /// # Errors
    /// What the system says when it has no descriptor or no thread left.
    pub(super) fn to_stderr(format: LogFormat, parts: &Supervisor) -> io::Result<Self> {
        let outlet = Self::new(format);
        outlet.start(parts, descriptor()?)?;
        parts.stops_thread(Part::Log, Stop::Never);
        Ok(outlet)
    }

    fn start(&self, parts: &Supervisor, to: impl Write + Send + 'static) -> io::Result<()> {
        let writer = self.clone();
        parts.thread(Part::Log, move |pulse| writer.write_to(to, pulse))
    }

    /// Has another thread write what is left, where the first one panicked: the error that ends the node is
    /// a line, too. Does nothing while the thread runs.
    pub(crate) fn mend(&self, parts: &Supervisor) {
        if parts.running().contains(&Part::Log) {
            return;
        }
        // Without a thread or a descriptor nobody reads the last words; the exit code tells.
        descriptor().and_then(|file| self.restart(file)).ok();
    }

    /// What the thread had begun with is lost; what waits is written.
    fn restart(&self, to: impl Write + Send + 'static) -> io::Result<()> {
        self.queue().abandon();
        // Of its end nobody needs to know.
        self.start(&Supervisor::default(), to)
    }

    fn new(format: LogFormat) -> Self {
        let (queue, changed) = (Mutex::default(), Condvar::new());
        Self(Arc::new(Shared { queue, changed, format }))
    }

    /// Queues a line that ends in a newline. Never waits for a reader.
    pub(super) fn push(&self, line: &[u8]) {
        self.queue().push(line);
        self.0.changed.notify_all();
    }

    /// Waits until all is written, for a moment at most.
    pub(crate) fn flush(&self) {
        let idle = |queue: &mut Queue| !queue.items.is_empty() || queue.writing.is_some();
        drop(self.0.changed.wait_timeout_while(self.queue(), FLUSH_MAX, idle));
    }

    /// How the log fares.
    pub(super) fn health(&self) -> Health {
        let queue = self.queue();
        let stuck = queue.writing.map_or(Duration::ZERO, |since| since.elapsed());
        Health { lost: queue.lost, stuck }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is queued, for ever.
    fn write_to(&self, mut to: impl Write, pulse: &Pulse) {
        loop {
            let item = self.next();
            pulse.beat();
            let ok = match &item {
                Item::Line(line) => write_all(&mut to, line),
                Item::Missing(lines) => {
                    let text = format!("{lines} lines of this log are missing here");
                    write_all(&mut to, self.notice(&text, *lines).as_bytes())
                }
            };
            self.queue().written(&item, ok.is_ok());
            self.0.changed.notify_all();
            if ok.is_err() {
                std::thread::sleep(RETRY_AFTER);
            }
        }
    }

    fn next(&self) -> Item {
        let mut queue = self.queue();
        loop {
            if let Some(item) = queue.pop() {
                return item;
            }
            queue = self.0.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A line of the log about the log.
    pub(super) fn notice(&self, text: &str, lines: u64) -> String {
        let mut time = String::new();
        // Without the time where the clock is out of range.
        SystemTime.format_time(&mut Writer::new(&mut time)).ok();
        let mut line = String::new();
        let target = module_path!();
        let written = match self.0.format {
            LogFormat::Text => writeln!(line, "{time}  WARN {target}: {text}"),
            LogFormat::Json => writeln!(
                line,
                r#"{{"timestamp":"{time}","level":"WARN","message":"{text}","lines":{lines},"target":"{target}"}}"#
            ),
        };
        // A string takes everything.
        written.ok();
        line
    }
}

/// Writes all of it. Waits for a reader, also where the descriptor does not.
fn write_all(to: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = &bytes[n..],
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

/// Each write is a line. Flushing waits for a moment at most.
impl Write for Outlet {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Self::flush(self);
        Ok(())
    }
}

/// What formats a line: it writes it whole.
#[derive(Debug)]
pub(crate) struct Lines(Outlet);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Outlet {
    type Writer = Lines;

    fn make_writer(&self) -> Lines {
        Lines(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::parts;

    fn line(n: usize) -> String {
        format!("line {n:06} {}\n", "x".repeat(80))
    }

    /// Nobody reads the pipe; then somebody does.
    #[test]
    fn a_pipe_that_nobody_reads_stops_nobody_and_what_is_missing_is_counted() {
        let (mut reader, writer) = io::pipe().unwrap();
        let outlet = Outlet::new(LogFormat::Text);
        let thread = outlet.clone();
        thread.start(&Supervisor::default(), writer).unwrap();
        let begun = Instant::now();
        (0..20_000).for_each(|n| outlet.push(line(n).as_bytes()));
        outlet.flush();
        assert!(begun.elapsed() < FLUSH_MAX * 10, "it never waits for long");
        let health = outlet.health();
        assert!(health.lost > 1000 && health.stuck > Duration::ZERO, "{health:?}");
        let read = std::thread::spawn(move || {
            let (mut all, mut buf) = (String::new(), [0; 4096]);
            while !all.contains("the end") {
                let n = reader.read(&mut buf).unwrap();
                all.push_str(std::str::from_utf8(&buf[..n]).unwrap());
            }
            all
        });
        while outlet.health().stuck > Duration::ZERO || outlet.queue().bytes > 0 {
            std::thread::yield_now();
        }
        outlet.push(b"the end\n");
        let all = read.join().unwrap();
        let said: Vec<&str> = all.lines().filter(|line| line.contains("missing here")).collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(&format!(": {} lines", health.lost)), "{said:?}");
        assert_eq!(all.lines().count() as u64, 20_000 - health.lost + 2);
        assert_eq!(outlet.health().lost, health.lost);
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut queue = Queue::default();
        (0..100_000).for_each(|n| queue.push(line(n).as_bytes()));
        assert!(queue.bytes <= BYTES_MAX);
        assert_eq!(queue.items.len() as u64 + queue.lost, 100_000);
    }

    #[test]
    fn a_long_line_counts_as_what_is_kept_of_it() {
        let mut queue = Queue::default();
        let long = "x".repeat(LINE_BYTES_MAX * 2);
        for _ in 0..200 {
            queue.push(long.as_bytes());
            assert_eq!(queue.bytes, LINE_BYTES_MAX);
            let item = queue.pop().unwrap();
            queue.written(&item, true);
        }
        assert_eq!((queue.bytes, queue.lost), (0, 0));
    }

    /// The reader of the pipe is gone, and lines keep coming.
    #[test]
    fn a_write_that_fails_at_once_is_not_tried_again_and_again() {
        struct Gone(Arc<AtomicUsize>);
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                self.0.fetch_add(1, Ordering::Relaxed);
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (outlet, tried) = (Outlet::new(LogFormat::Text), Arc::new(AtomicUsize::new(0)));
        let (thread, gone) = (outlet.clone(), Gone(tried.clone()));
        thread.start(&Supervisor::default(), gone).unwrap();
        let begun = Instant::now();
        (0..10).for_each(|n| outlet.push(line(n).as_bytes()));
        outlet.flush();
        let times = tried.load(Ordering::Relaxed);
        let most = 1 + usize::try_from(begun.elapsed().as_secs()).unwrap();
        assert!((1..=most).contains(&times), "{times} times");
    }

    /// What the node says last is written although the thread that writes is gone.
    #[test]
    fn another_thread_writes_what_a_panic_left() {
        let (mut reader, writer) = io::pipe().unwrap();
        let fuse = parts::plant(Part::Log);
        let parts = Supervisor::default();
        let outlet = Outlet::new(LogFormat::Text);
        outlet.start(&parts, writer.try_clone().unwrap()).unwrap();
        fuse.light();
        outlet.push(b"lost\n");
        while parts.running().contains(&Part::Log) {
            std::thread::yield_now();
        }
        assert!(parts.failure().is_some_and(|err| err.to_string().contains("log")));
        outlet.push(b"last\n");
        outlet.restart(writer).unwrap();
        outlet.flush();
        let mut line = [0; 5];
        reader.read_exact(&mut line).unwrap();
        assert_eq!((&line, outlet.health().lost), (b"last\n", 1));
    }

    /// A disk that is full, or a pipe whose reader is gone.
    #[test]
    fn what_cannot_be_written_is_said_once_it_can() {
        let mut queue = Queue::default();
        queue.push(b"a\n");
        let item = queue.pop().unwrap();
        queue.written(&item, false);
        assert!(queue.pop().is_none(), "it is not tried again and again");
        queue.push(b"b\n");
        let item = queue.pop().unwrap();
        assert!(matches!(item, Item::Missing(1)));
        queue.written(&item, false);
        assert!(matches!(queue.pop(), Some(Item::Missing(1))));
        assert_eq!(queue.lost, 1, "what says so is no line");
        queue.written(&Item::Missing(1), true);
        assert!(matches!(queue.pop(), Some(Item::Line(line)) if line == b"b\n"));
    }

    #[test]
    fn what_it_says_is_a_line_of_the_log() {
        let text = Outlet::new(LogFormat::Text).notice("7 lines", 7);
        assert!(text.ends_with("Z  WARN crux_node::telemetry::outlet: 7 lines\n"), "{text}");
        let json = Outlet::new(LogFormat::Json).notice("7 lines", 7);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["level"], &json["lines"]), (&"WARN".into(), &7.into()));
    }
}
