//! How the client's connection gets to the socket.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::codegen::Service;
use tonic::transport::Uri;

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

/// Whether the system said that nobody listens: then nothing was sent.
pub(super) fn is_nobody(err: &io::Error) -> bool {
    matches!(err.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}

/// Gives the channel its connections, whatever address it asks for.
#[derive(Debug)]
pub(super) struct Dialler {
    path: PathBuf,
    /// A connection that is there already.
    first: Option<UnixStream>,
}

impl Dialler {
    pub(super) const fn new(path: PathBuf, first: Option<UnixStream>) -> Self {
        Self { path, first }
    }
}

impl Service<Uri> for Dialler {
    type Response = TokioIo<UnixStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (first, path) = (self.first.take(), self.path.clone());
        Box::pin(async move {
            let stream = match first {
                Some(stream) => stream,
                None => dial(&path).await?,
            };
            Ok(TokioIo::new(stream))
        })
    }
}
