//! A socket of the node: where it is, which users may connect, and how many connections there are.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::socket::{Door, path_of};
use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tonic::transport::server::Connected;

use super::limits::Limits;
use super::seats::{Line, Seats};
use crate::{Error, Kind};

/// How long to wait after the system refused to accept, as when it ran out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound socket. Removes its file when dropped.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// How much it takes at once.
    pub limits: Limits,
}

impl Socket {
    /// Binds a socket in a data directory, with mode 0600. A file that a killed node left behind is replaced. The caller holds the directory's lock, so nobody else binds meanwhile.
    ///
    /// # Errors
    /// [`Kind::SocketPathTooLong`]; [`Kind::DataDirInUse`] when somebody answers there;
    /// [`Kind::AlreadyExists`] when the file is not a socket; otherwise the system's.
    pub fn bind(data_dir: &Path, door: Door) -> Result<Self, Error> {
        let path = path_of(data_dir, door)?;
        let doing = || format!("binding the socket {}", path.display());
        clear(&path).map_err(|err| err.augment(doing()))?;
        let listener = UnixListener::bind(&path).map_err(|err| Error::io(doing(), &err))?;
        let socket = Self { listener, path, limits: Limits::of_process() };
        std::fs::set_permissions(&socket.path, std::fs::Permissions::from_mode(0o600))
            .map_err(|err| Error::io("setting the mode of the socket", &err))?;
        Ok(socket)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The connections of those who may connect, each with a seat of its own.
    pub fn incoming(self, seats: Seats) -> impl Stream<Item = io::Result<Connection>> {
        let state = (self, seats, false);
        futures::stream::unfold(state, |(socket, seats, mut failing)| async move {
            loop {
                seats.free().await;
                let accepted = tokio::select! {
                    accepted = socket.accept() => accepted,
                    () = seats.sweep() => continue,
                };
                match accepted {
                    Ok(stream) => {
                        failing = false;
                        if let Some(stream) = stream {
                            let connection = Connection::new(stream, &seats);
                            return Some((Ok(connection), (socket, seats, failing)));
                        }
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut failing, true) {
                            tracing::warn!(%error, path = %socket.path.display(), "socket: cannot accept connections now");
                        }
                        seats.spare_one();
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        })
    }

    /// The next connection; `None` when its user may not connect.
    async fn accept(&self) -> io::Result<Option<UnixStream>> {
        let (stream, _) = self.listener.accept().await?;
        let peer = stream.peer_cred()?.uid();
        if may_connect(peer, rustix::process::geteuid().as_raw()) {
            return Ok(Some(stream));
        }
        tracing::warn!(uid = peer, "socket: connection of another user refused");
        Ok(None)
    }
}

/// The node's own user and root may.
fn may_connect(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

/// Removes the socket that a killed node left behind.
fn clear(path: &Path) -> Result<(), Error> {
    let file = match std::fs::symlink_metadata(path) {
        Ok(file) => file,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(err) => return Err(Error::io("looking for an old socket", &err)),
    };
    if !file.file_type().is_socket() {
        return Err(Error::new(Kind::AlreadyExists, "a file that is not a socket is in the way")
            .with_hint("Move the file away."));
    }
    if StdStream::connect(path).is_ok() {
        return Err(Error::new(Kind::DataDirInUse, "a node already runs on this data directory"));
    }
    std::fs::remove_file(path).map_err(|err| Error::io("removing an old socket", &err))
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "socket: cannot remove");
        }
    }
}

/// A client's connection. Holds its seat, and breaks when the seat is taken away.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    line: Line,
    /// Resolves when the connection has to go.
    closed: oneshot::Receiver<()>,
    is_closed: bool,
}

impl Connection {
    fn new(stream: UnixStream, seats: &Seats) -> Self {
        let (line, closed) = seats.take();
        Self { stream, line, closed, is_closed: false }
    }

    /// An error once the connection has to go. Reading, writing and flushing all look, because one that
    /// waits for a client that takes nothing would otherwise wait for ever.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.is_closed = self.is_closed || Pin::new(&mut self.closed).poll(cx).is_ready();
        if self.is_closed { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.line.leave();
    }
}

impl Connected for Connection {
    type ConnectInfo = Line;

    fn connect_info(&self) -> Line {
        self.line.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use crate::socket::SOCKET_NAME;

    use super::*;

    #[test]
    fn own_user_and_root_may_connect() {
        assert!(may_connect(1000, 1000));
        assert!(may_connect(0, 1000));
        assert!(!may_connect(1001, 1000));
        assert!(!may_connect(1000, 0));
    }

    #[tokio::test]
    async fn binds_with_mode_0600_and_cleans_up() {
        let dir = tempfile::tempdir().unwrap();
        let socket = Socket::bind(dir.path(), Door::Control).unwrap();
        let mode = std::fs::metadata(socket.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let path = socket.path().to_owned();
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn replaces_what_a_killed_node_left_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(SOCKET_NAME);
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let socket = Socket::bind(dir.path(), Door::Control).unwrap();
        let err = Socket::bind(dir.path(), Door::Control).unwrap_err();
        assert_eq!(err.kind(), Kind::DataDirInUse);
        drop(socket);
        std::fs::write(&path, "precious").unwrap();
        let err = Socket::bind(dir.path(), Door::Control).unwrap_err();
        assert_eq!(err.kind(), Kind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn a_path_too_long_says_so() {
        let dir = tempfile::tempdir().unwrap().path().join("x".repeat(100));
        let err = Socket::bind(&dir, Door::Control).unwrap_err();
        assert_eq!(err.kind(), Kind::SocketPathTooLong);
        assert!(!dir.exists());
    }
}
