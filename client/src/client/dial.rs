//! How the client's connections get to the sockets.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::codegen::Service;
use tonic::transport::Uri;

use crate::socket::Door;

/// How long to wait before the socket is dialled again whose queue is full.
const REDIAL: Duration = Duration::from_millis(20);

/// Connects to a socket of a data directory. One whose queue is full refuses in a way that means: in a moment.
pub(super) async fn dial(data_dir: &Path, door: Door) -> Result<UnixStream, Undialled> {
    let path = data_dir.join(door.name());
    loop {
        match UnixStream::connect(&path).await {
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(REDIAL).await,
            Ok(stream) => return Ok(stream),
            Err(cause) => {
                let other = UnixStream::connect(data_dir.join(door.other().name())).await;
                let other = match other {
                    Ok(_) => true,
                    Err(err) => err.kind() == io::ErrorKind::WouldBlock,
                };
                return Err(Undialled { data_dir: data_dir.to_owned(), door, other, cause });
            }
        }
    }
}

/// No connection was made: whatever was to be sent over it was not.
#[derive(Debug)]
pub(super) struct Undialled {
    pub(super) data_dir: PathBuf,
    pub(super) door: Door,
    /// Whether the node's other socket takes connections.
    pub(super) other: bool,
    pub(super) cause: io::Error,
}

impl Undialled {
    /// Nobody took the connection in time.
    pub(super) fn late(data_dir: &Path, door: Door) -> Self {
        let cause = io::ErrorKind::TimedOut.into();
        Self { data_dir: data_dir.to_owned(), door, other: false, cause }
    }
}

impl fmt::Display for Undialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no connection to the node of {}", self.data_dir.display())
    }
}

impl Error for Undialled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

/// Gives the channel its connections, whatever address it asks for.
#[derive(Debug)]
pub(super) struct Dialler {
    data_dir: PathBuf,
    door: Door,
    /// A connection that is there already.
    first: Option<UnixStream>,
    /// Whether the node answered over the connection; a new one begins without.
    answered: Arc<AtomicBool>,
}

impl Dialler {
    /// Of a socket of the node of a data directory.
    pub(super) fn new(data_dir: PathBuf, door: Door, first: Option<UnixStream>) -> Self {
        Self { data_dir, door, first, answered: Arc::default() }
    }

    /// Whether the node answered over the connection that this made last.
    pub(super) fn answered(&self) -> Arc<AtomicBool> {
        self.answered.clone()
    }
}

impl Service<Uri> for Dialler {
    type Response = TokioIo<UnixStream>;
    type Error = Undialled;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Undialled>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Undialled>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        self.answered.store(false, Ordering::Relaxed);
        let (first, data_dir, door) = (self.first.take(), self.data_dir.clone(), self.door);
        Box::pin(async move {
            let stream = match first {
                Some(stream) => stream,
                None => dial(&data_dir, door).await?,
            };
            Ok(TokioIo::new(stream))
        })
    }
}
