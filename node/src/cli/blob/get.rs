//! `blob get`

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use crux_client::model::BlobRef;
use crux_client::op::FindBlob;
use crux_client::{Get, Got, parse};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Ui;
use super::progress::Progress;
use super::stream::{self, Chunk, Source};
use crate::cli::duration;
use crate::cli::output::block_on;
use crate::error::{Error, Kind};
use crate::outfile::{Content, OutFile, is_stdout};
use crate::tar;

/// Get a blob as a file
///
/// From this node, or from those that have it. The file appears with all of its content or not at all,
/// and keeps the mode and owner of one that it replaces. A link stays, and the file that it leads to is
/// written; devices and pipes are written into. `-` is standard output.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its id, or its first digits: 4 or more if this node has it, 32 or more if only others do
    id: String,
    /// File to write, `-` for standard output; with --dir the directory to make
    #[arg(long, value_name = "F")]
    out: PathBuf,
    /// Unpack a directory that was put with --dir; it must not be there yet
    #[arg(long)]
    dir: bool,
    /// How long to wait for a node that has it
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    timeout: Duration,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let blob = parse::blob_ref(&args.id)?;
    let to_stdout = is_stdout(&args.out);
    if to_stdout && args.dir {
        let message = "a directory cannot be written to standard output";
        return Err(Error::new(Kind::InvalidArgument, message)
            .with_hint("Without --dir its archive is written there, as tar reads it."));
    }
    ui.clean_up_on_signals()?;
    let (id, size) = block_on(async {
        let client = ui.connect(args.timeout).await?;
        let id = match blob {
            BlobRef::Id(id) => id,
            BlobRef::Prefix(prefix) => client.call(&FindBlob { prefix, elsewhere: true }).await?,
        };
        let mut get = client.get_blob(id, args.timeout).await?;
        let mut progress = Progress::new(ui, &id.short());
        let got = receive(&mut get, args, &mut progress, ui).await;
        progress.end(ui);
        got.map(|size| (id, size))
    })
    .map_err(|err| err.augment(format!("getting {}", short(&args.id))))?;
    let answer = json!({ "id": id.to_string(), "size": size, "out": args.out });
    let shown = if to_stdout { "standard output".into() } else { args.out.display().to_string() };
    ui.told(&answer, || format!("Wrote {shown} ({size} bytes)"), to_stdout)
}

/// As much of an id as people are shown.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

async fn receive(
    get: &mut Get,
    args: &Args,
    progress: &mut Progress,
    ui: &mut Ui,
) -> Result<u64, Error> {
    let size = loop {
        match get.next().await? {
            Some(Got::Progress(now)) => progress.at(ui, now.held, now.size),
            Some(Got::Size(size)) => break size,
            Some(Got::Chunk(_)) | None => return Err(odd()),
        }
    };
    let mut place = Place::make(args)?;
    let mut done = 0;
    while let Some(part) = get.next().await? {
        let Got::Chunk(bytes) = part else { return Err(odd()) };
        done += bytes.len() as u64;
        if !place.write(bytes, ui).await? {
            break;
        }
        progress.at(ui, done, size);
    }
    if done == size { place.finish(ui).await.map(|()| size) } else { Err(place.failed().await) }
}

fn odd() -> Error {
    Error::new(Kind::Internal, "the node sent something else than the blob")
}

/// Where a blob is written to.
enum Place {
    File(OutFile),
    Dir { to: mpsc::Sender<Chunk>, unpacking: JoinHandle<Result<(), Error>> },
    Stdout,
}

impl Place {
    fn make(args: &Args) -> Result<Self, Error> {
        if is_stdout(&args.out) {
            return Ok(Self::Stdout);
        }
        if !args.dir {
            return OutFile::create(&args.out, Content::Plain).map(Self::File);
        }
        let (to, from) = stream::channel();
        let out = args.out.clone();
        let unpack = move || tar::unpack(Source::new(from), &out).map_err(Error::from);
        Ok(Self::Dir { to, unpacking: tokio::task::spawn_blocking(unpack) })
    }

    /// False: it wants no more, and [`Place::failed`] says why.
    async fn write(&mut self, bytes: Bytes, ui: &mut Ui) -> Result<bool, Error> {
        match self {
            Self::File(out) => {
                out.write_all(&bytes).map_err(|err| Error::io("writing", &err))?;
                Ok(true)
            }
            Self::Dir { to, .. } => Ok(to.send(Some(bytes)).await.is_ok()),
            Self::Stdout => ui.write(&bytes).map(|()| true),
        }
    }

    async fn finish(self, ui: &mut Ui) -> Result<(), Error> {
        match self {
            Self::File(out) => out.finish(),
            Self::Dir { to, unpacking } => {
                // When nobody listens, the other end knows why.
                to.send(None).await.ok();
                unpacking.await.unwrap_or_else(|_| Err(odd()))
            }
            Self::Stdout => ui.flush(),
        }
    }

    /// Why it did not take all of it.
    async fn failed(self) -> Error {
        match self {
            Self::File(_) | Self::Stdout => odd(),
            Self::Dir { to, unpacking } => {
                drop(to);
                unpacking.await.ok().and_then(Result::err).unwrap_or_else(odd)
            }
        }
    }
}
