//! Requests and responses on the wire: a length (u32, big-endian), then that many bytes.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response;

/// How much room a body has beyond its end.
const SPARE: usize = 64;

/// Reads and writes bodies of at most `max` bytes.
#[derive(Debug, Clone)]
pub(super) struct Codec {
    max: usize,
}

impl Codec {
    pub(super) fn new(max: usize) -> Self {
        Self { max }
    }

    /// Reads one body. The claimed length is checked first. For a request memory is taken as bytes
    /// arrive, not as they are claimed; for a response, which was asked for, all `at_once`, so that what
    /// came is not copied again and again.
    async fn read<T: AsyncRead + Unpin + Send>(
        &self,
        io: &mut T,
        at_once: bool,
    ) -> io::Result<Vec<u8>> {
        let mut prefix = [0; 4];
        io.read_exact(&mut prefix).await?;
        let claimed = u32::from_be_bytes(prefix);
        if usize::try_from(claimed).map_or(true, |claimed| claimed > self.max) {
            let error = format!("a body of {claimed} bytes, of {} allowed", self.max);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        let mut body = Vec::new();
        if at_once {
            // With some to spare: a vector that is full grows before it finds that nothing follows.
            body.reserve_exact(usize::try_from(claimed).unwrap_or(0) + SPARE);
        }
        io.take(u64::from(claimed)).read_to_end(&mut body).await?;
        if body.len() as u64 != u64::from(claimed) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(body)
    }

    async fn write<T: AsyncWrite + Unpin + Send>(&self, io: &mut T, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len())
            .ok()
            .filter(|_| body.len() <= self.max)
            .ok_or(io::ErrorKind::InvalidInput)?;
        io.write_all(&length.to_be_bytes()).await?;
        io.write_all(body).await?;
        io.flush().await
    }
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        self.read(io, false).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        self.read(io, true).await
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        body: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        self.write(io, &body).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        body: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        self.write(io, &body).await
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::io::Cursor;

    use super::*;

    fn read(max: usize, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let codec = Codec::new(max);
        let mut read = [false, true].map(|at_once| {
            let read = codec.read(&mut Cursor::new(bytes), at_once).now_or_never();
            read.expect("a cursor never waits")
        });
        let [one, other] = &read;
        assert_eq!(one.as_ref().ok(), other.as_ref().ok());
        std::mem::replace(&mut read[0], Ok(Vec::new()))
    }

    fn write(max: usize, body: &[u8]) -> io::Result<Vec<u8>> {
        let mut wire = Vec::new();
        let codec = Codec::new(max);
        let written = codec.write(&mut wire, body).now_or_never();
        written.expect("a vector never waits").map(|()| wire)
    }

    #[test]
    fn bodies_round_trip() {
        for length in [0, 1, 10, 5000] {
            let body = vec![9; length];
            let wire = write(5000, &body).expect("within the bound");
            assert_eq!(wire.len(), 4 + length);
            assert_eq!(read(5000, &wire).expect("what was written"), body);
        }
    }

    #[test]
    fn what_is_too_large_is_refused_on_both_sides() {
        assert!(write(3, &[0; 4]).is_err());
        assert!(read(3, &[0, 0, 0, 4, 1, 2, 3, 4]).is_err());
        assert!(read(3, &[255; 8]).is_err());
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        for bytes in [&[][..], &[0, 0], &[0, 0, 0, 2], &[0, 0, 0, 2, 1]] {
            assert!(read(10, bytes).is_err());
        }
    }
}
