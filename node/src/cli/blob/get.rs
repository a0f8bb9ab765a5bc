//! `blob get`

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Ui;
use super::progress::Progress;
use super::stream::{self, Chunk, Source};
use crate::api::{Get, Got};
use crate::cli::duration;
use crate::cli::output::block_on;
use crate::error::{Error, Kind};
use crate::{parse, tar};

/// Get a blob as a file
///
/// From this node, or from those that have it. The file appears with all of its content or not at all,
/// and replaces one of that name.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which one
    id: String,
    /// File to write, or with --dir the directory to make
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
    let id = parse::blob(&args.id)?;
    let shown = args.out.display();
    let size = block_on(async {
        let client = ui.connect(args.timeout).await?;
        let mut get = client.get_blob(id, args.timeout).await?;
        let mut progress = Progress::new(ui, &id.short());
        let got = receive(&mut get, args, &mut progress, ui).await;
        progress.end(ui);
        got
    })
    .map_err(|err| err.augment(format!("getting {}", id.short())))?;
    let answer = json!({ "id": id.to_string(), "size": size, "out": args.out });
    ui.answer(&answer, || format!("Wrote {shown} ({size} bytes)"))
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
        if !place.write(bytes).await? {
            break;
        }
        progress.at(ui, done, size);
    }
    if done == size { place.finish().await.map(|()| size) } else { Err(place.failed().await) }
}

fn odd() -> Error {
    Error::new(Kind::Internal, "the node sent something else than the blob")
}

/// Where a blob is written to.
enum Place {
    File { temp: Temp, to: PathBuf },
    Dir { to: mpsc::Sender<Chunk>, unpacking: JoinHandle<Result<(), Error>> },
}

impl Place {
    fn make(args: &Args) -> Result<Self, Error> {
        if !args.dir {
            return Ok(Self::File { temp: Temp::make(&args.out)?, to: args.out.clone() });
        }
        let (to, from) = stream::channel();
        let out = args.out.clone();
        let unpack = move || tar::unpack(Source::new(from), &out).map_err(Error::from);
        Ok(Self::Dir { to, unpacking: tokio::task::spawn_blocking(unpack) })
    }

    /// False: it wants no more, and [`Place::failed`] says why.
    async fn write(&mut self, bytes: Bytes) -> Result<bool, Error> {
        match self {
            Self::File { temp, .. } => {
                temp.file.write_all(&bytes).map_err(|err| Error::io("writing", &err))?;
                Ok(true)
            }
            Self::Dir { to, .. } => Ok(to.send(Some(bytes)).await.is_ok()),
        }
    }

    async fn finish(self) -> Result<(), Error> {
        match self {
            Self::File { temp, to } => temp.become_file(&to),
            Self::Dir { to, unpacking } => {
                // When nobody listens, the other end knows why.
                to.send(None).await.ok();
                unpacking.await.unwrap_or_else(|_| Err(odd()))
            }
        }
    }

    /// Why it did not take all of it.
    async fn failed(self) -> Error {
        match self {
            Self::File { .. } => odd(),
            Self::Dir { to, unpacking } => {
                drop(to);
                unpacking.await.ok().and_then(Result::err).unwrap_or_else(odd)
            }
        }
    }
}

/// A file beside the one that is to be; deleted unless it became that.
struct Temp {
    path: PathBuf,
    file: File,
}

impl Temp {
    fn make(to: &Path) -> Result<Self, Error> {
        let shown = to.display();
        if to.is_dir() {
            return Err(Error::new(Kind::AlreadyExists, format!("{shown} is a directory")));
        }
        let Some(name) = to.file_name() else {
            return Err(Error::new(Kind::InvalidArgument, format!("{shown} names no file")));
        };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", std::process::id()));
        let path = to.with_file_name(hidden);
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|err| Error::io(format!("making {}", path.display()), &err))?;
        Ok(Self { path, file })
    }

    fn become_file(self, to: &Path) -> Result<(), Error> {
        let renamed = self.file.sync_data().and_then(|()| fs::rename(&self.path, to));
        renamed.map_err(|err: io::Error| Error::io(format!("writing {}", to.display()), &err))
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        fs::remove_file(&self.path).ok();
    }
}
