//! How the client's connection gets to the socket.

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

use crate::socket::SOCKET_NAME;

/// How long to wait before the socket is dialled again whose queue is full.
const REDIAL: Duration = Duration::from_millis(20);

/// Connects to the socket. One whose queue is full refuses in a way that means: in a moment.
pub(super) async fn dial(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(REDIAL).await,
            done => return done,
        }
    }
}

/// No connection was made: whatever was to be sent over it was not.
#[derive(Debug)]
pub(super) struct Undialled {
    pub(super) data_dir: PathBuf,
    pub(super) cause: io::Error,
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
    /// A connection that is there already.
    first: Option<UnixStream>,
    /// Whether the node answered over the connection; a new one begins without.
    answered: Arc<AtomicBool>,
}

impl Dialler {
    /// Of the node of a data directory.
    pub(super) fn new(data_dir: PathBuf, first: Option<UnixStream>) -> Self {
        Self { data_dir, first, answered: Arc::default() }
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
        let (first, data_dir) = (self.first.take(), self.data_dir.clone());
        Box::pin(async move {
            let stream = match first {
                Some(stream) => stream,
                None => match dial(&data_dir.join(SOCKET_NAME)).await {
                    Ok(stream) => stream,
                    Err(cause) => return Err(Undialled { data_dir, cause }),
                },
            };
            Ok(TokioIo::new(stream))
        })
    }
}
