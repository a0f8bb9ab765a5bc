//! `blob put`

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crux_client::Client;
use crux_client::op::Taken;
use futures::StreamExt as _;
use futures::stream::iter as stream_of;
use serde_json::json;
use tokio::task::JoinHandle;

use super::progress::Progress;
use super::stream::{self, Sink};
use super::{Ui, Wait};
use crate::cli::output::block_on;
use crate::error::{Error, Kind};
use crate::tar;

/// How many files are put at a time: small ones then wait for the disk together.
const AT_ONCE: usize = 16;
/// How often progress is polled.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Put files, and print their ids
///
/// Returns when they are durable on the node. With --json, one line for each file, in their order.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files to put, or with --dir directories
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Put directories: each as one blob, the same for the same tree wherever it is packed
    #[arg(long)]
    dir: bool,
    #[command(flatten)]
    wait: Wait,
}

/// The bytes read so far, and of how many; shared by all files.
#[derive(Debug, Clone, Default)]
struct Meter {
    done: Arc<AtomicU64>,
    size: Arc<AtomicU64>,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    block_on(async {
        let client = ui.connect(args.wait.timeout).await?;
        let meter = Meter::default();
        let what = match args.files.as_slice() {
            [file] => file.display().to_string(),
            files => format!("{} files", files.len()),
        };
        let mut progress = Progress::new(ui, &what);
        let done = put_all(&client, args, &meter, &mut progress, ui).await;
        meter.show(&mut progress, ui);
        progress.end(ui);
        done
    })
}

/// Puts several at a time and prints their ids in order.
async fn put_all<'a>(
    client: &'a Client,
    args: &'a Args,
    meter: &'a Meter,
    progress: &mut Progress,
    ui: &mut Ui,
) -> Result<(), Error> {
    let put = |path: &'a PathBuf| put(client, path, args.dir, meter);
    let mut puts = stream_of(&args.files).map(put).buffered(AT_ONCE);
    let mut files = args.files.iter();
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            put = puts.next() => {
                let (Some(put), Some(path)) = (put, files.next()) else { return Ok(()) };
                let Taken { id, size } = put?;
                let answer = json!({ "id": id.to_string(), "size": size });
                ui.answer(&answer, || format!("{id}  {}", path.display()))?;
            }
            _ = look.tick() => meter.show(progress, ui),
        }
    }
}

/// Puts one file, and shows how far it is.
///
/// # Errors
/// The file cannot be read or changes meanwhile, and what the node answers.
pub(in crate::cli) async fn put_one(
    client: &Client,
    path: &Path,
    ui: &mut Ui,
) -> Result<Taken, Error> {
    let meter = Meter::default();
    let mut progress = Progress::new(ui, &path.display().to_string());
    let put = put(client, path, false, &meter);
    tokio::pin!(put);
    let mut look = tokio::time::interval(LOOK_EVERY);
    let taken = loop {
        tokio::select! {
            taken = &mut put => break taken,
            _ = look.tick() => meter.show(&mut progress, ui),
        }
    };
    meter.show(&mut progress, ui);
    progress.end(ui);
    taken
}

impl Meter {
    fn show(&self, progress: &mut Progress, ui: &mut Ui) {
        let [done, size] = [&self.done, &self.size].map(|count| count.load(Ordering::Relaxed));
        progress.at(ui, done, size);
    }
}

async fn put(client: &Client, path: &Path, dir: bool, meter: &Meter) -> Result<Taken, Error> {
    let doing = |err: Error| err.augment(format!("putting {}", path.display()));
    let size = if dir { 0 } else { size(path).map_err(doing)? };
    meter.size.fetch_add(size, Ordering::Relaxed);
    let (to, from) = stream::channel();
    let sink = Sink::new(to, meter.done.clone());
    let owned = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || match dir {
        true => pack(&owned, sink),
        false => read(&owned, size, sink),
    });
    let answered = client.put_blob(size, stream::chunks(from)).await;
    outcome(reading, answered).await.map_err(doing)
}

/// Of two errors the one that came first: when a file cannot be read the node only sees a stream that
/// breaks, and when the node refuses the reader only sees that nobody listens.
async fn outcome<T>(
    reading: JoinHandle<Result<(), Error>>,
    answered: Result<T, Error>,
) -> Result<T, Error> {
    let is_cut = |err: &Error| err.fields().contains_key("cut");
    match (reading.await, answered) {
        (Ok(Err(err)), Err(_)) if !is_cut(&err) => Err(err),
        (_, answered) => answered,
    }
}

/// A stream whose other end is gone says nothing by itself.
fn sending(err: &io::Error) -> Error {
    Error::io("sending", err).with_field("cut", "the node")
}

fn size(path: &Path) -> Result<u64, Error> {
    let meta = std::fs::metadata(path).map_err(|err| missing(&err))?;
    if meta.is_file() {
        return Ok(meta.len());
    }
    let hint = if meta.is_dir() { "Add --dir to put a directory." } else { "Put a file." };
    Err(Error::new(Kind::InvalidArgument, "it is not a regular file").with_hint(hint))
}

fn missing(err: &io::Error) -> Error {
    match err.kind() {
        io::ErrorKind::NotFound => Error::new(Kind::NotFound, "there is no such file"),
        _ => Error::io("reading", err),
    }
}

fn pack(path: &Path, mut sink: Sink) -> Result<(), Error> {
    if !path.is_dir() {
        let kind = if path.exists() { Kind::InvalidArgument } else { Kind::NotFound };
        return Err(Error::new(kind, "there is no such directory"));
    }
    tar::pack(path, &mut sink).map_err(|err| match err {
        tar::TarError::Io { source, .. } if source.kind() == io::ErrorKind::ConnectionAborted => {
            sending(&source)
        }
        err => err.into(),
    })?;
    sink.finish().map_err(|err| sending(&err))
}

/// Sends a file, unless it changes meanwhile.
fn read(path: &Path, size: u64, mut sink: Sink) -> Result<(), Error> {
    let mut file = File::open(path).map_err(|err| missing(&err))?;
    let state = |file: &File| {
        let meta = file.metadata().map_err(|err| Error::io("reading", &err))?;
        Ok::<_, Error>((meta.len(), meta.ctime(), meta.ctime_nsec()))
    };
    let before = state(&file)?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer).map_err(|err| Error::io("reading", &err))? {
            0 => break,
            count => sink.write_all(&buffer[..count]).map_err(|err| sending(&err))?,
        }
    }
    if before.0 != size || state(&file)? != before {
        return Err(Error::new(Kind::ChangedWhileRead, "the file changed while it was read"));
    }
    sink.finish().map_err(|err| sending(&err))
}
