use std::io;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::{FRAME_BYTES_MAX, QUEUE_BYTES_MAX};

/// How many bytes the length of a body takes.
pub(super) const LENGTH_BYTES: usize = 4;

/// How much is read at once: several usual messages.
const CHUNK: usize = 16 * 1024;

/// Why a link ended, or did not take a message.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The other end is gone.
    #[error("the other end closed the link")]
    Closed,
    /// The other end does not read. The message was not sent.
    #[error("the other end takes nothing: {QUEUE_BYTES_MAX} bytes wait for it")]
    Full,
    /// A message is longer than the link allows.
    #[error("a message of {bytes} bytes, at most {FRAME_BYTES_MAX} are allowed")]
    TooLong {
        /// How long.
        bytes: usize,
    },
    /// Something that is not a message of this version.
    #[error("not a message: {0}")]
    Garbled(String),
    /// The other end speaks another version.
    #[error("the other end speaks version {found}, this one {}", super::VERSION)]
    Version {
        /// Which one.
        found: u32,
    },
    /// The system refused to read or write.
    #[error("{0}")]
    Io(io::Error),
}

impl From<io::Error> for LinkError {
    fn from(err: io::Error) -> Self {
        use io::ErrorKind as Io;
        match err.kind() {
            Io::UnexpectedEof | Io::BrokenPipe | Io::ConnectionReset => Self::Closed,
            _ => Self::Io(err),
        }
    }
}

/// One end of a link: reads messages of one type and writes those of another.
///
/// Messages that wait are written while [`Link::next`] is awaited, so an end that sends MUST also read.
#[derive(Debug)]
pub struct Link<In, Out> {
    stream: UnixStream,
    /// Bytes that were read and are not a whole message yet.
    input: Vec<u8>,
    /// Bytes that wait to be written, from `written` on.
    output: Vec<u8>,
    written: usize,
    types: PhantomData<fn(Out) -> In>,
}

impl<In: DeserializeOwned, Out: Serialize> Link<In, Out> {
    /// An end of a pair. Must be called inside a runtime.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let stream = UnixStream::from_std(stream)?;
        Ok(Self { stream, input: Vec::new(), output: Vec::new(), written: 0, types: PhantomData })
    }

    /// Has a message be written.
    ///
    /// # Errors
    /// [`LinkError::Full`] and [`LinkError::TooLong`]; the message was not sent then, and the link continues.
    pub fn send(&mut self, message: &Out) -> Result<(), LinkError> {
        let frame = frame(message)?;
        if self.waiting() + frame.len() > QUEUE_BYTES_MAX {
            return Err(LinkError::Full);
        }
        self.output.drain(..self.written);
        self.written = 0;
        self.output.extend_from_slice(&frame);
        Ok(())
    }

    /// The next message. Writes what waits meanwhile. May be dropped at any time and called again.
    ///
    /// # Errors
    /// Why the link ended.
    pub async fn next(&mut self) -> Result<In, LinkError> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            let writes = self.waiting() > 0;
            let interest =
                if writes { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            let ready = self.stream.ready(interest).await?;
            if writes && ready.is_writable() {
                self.write()?;
            }
            if ready.is_readable() {
                self.read()?;
            }
        }
    }

    /// A message that arrived already; none: no whole message. Waits for nothing, for a peer that has ended.
    pub fn left(&mut self) -> Option<In> {
        loop {
            match self.take() {
                // Past the runtime, which may not have heard of it yet.
                Ok(None) => {
                    let mut buf = [0; CHUNK];
                    let read = rustix::io::read(&self.stream, &mut buf);
                    let read = read.ok().filter(|read| *read > 0)?;
                    self.input.extend_from_slice(&buf[..read]);
                }
                found => return found.ok().flatten(),
            }
        }
    }

    /// Writes what waits, until it is written.
    ///
    /// # Errors
    /// Why the link ended.
    pub async fn flush(&mut self) -> Result<(), LinkError> {
        while self.waiting() > 0 {
            self.stream.writable().await?;
            self.write()?;
        }
        Ok(())
    }

    /// How many bytes wait to be written.
    fn waiting(&self) -> usize {
        self.output.len() - self.written
    }

    /// A whole message of what was read.
    fn take(&mut self) -> Result<Option<In>, LinkError> {
        let Some((head, rest)) = self.input.split_first_chunk() else { return Ok(None) };
        let length = length(*head, FRAME_BYTES_MAX)?;
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let message = read_body(body)?;
        self.input.drain(..LENGTH_BYTES + length);
        // Memory for one great message is not kept for the next.
        self.input.shrink_to(CHUNK);
        Ok(Some(message))
    }

    fn read(&mut self) -> Result<(), LinkError> {
        match self.read_now() {
            Ok(0) => Err(LinkError::Closed),
            Ok(_) => Ok(()),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(err) => Err(err.into()),
        }
    }

    /// Reads what is there. Reads at most one frame ahead of what was taken, because it is called only while
    /// no whole message is there.
    fn read_now(&mut self) -> io::Result<usize> {
        let mut buf = [0; CHUNK];
        let read = self.stream.try_read(&mut buf)?;
        self.input.extend_from_slice(&buf[..read]);
        Ok(read)
    }

    fn write(&mut self) -> Result<(), LinkError> {
        match self.stream.try_write(&self.output[self.written..]) {
            Ok(written) => self.written += written,
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
            Err(err) => return Err(err.into()),
        }
        if self.waiting() == 0 {
            (self.output, self.written) = (Vec::new(), 0);
        }
        Ok(())
    }
}

/// A message as it is written.
pub(super) fn frame(message: &impl Serialize) -> Result<Vec<u8>, LinkError> {
    // The length goes before it once it is known.
    let mut frame = vec![0; LENGTH_BYTES];
    serde_json::to_writer(&mut frame, message)
        .map_err(|err| LinkError::Garbled(err.to_string()))?;
    let bytes = frame.len() - LENGTH_BYTES;
    let length = u32::try_from(bytes).ok().filter(|_| bytes <= FRAME_BYTES_MAX);
    let length = length.ok_or(LinkError::TooLong { bytes })?;
    frame[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// The length of a body.
pub(super) fn length(head: [u8; LENGTH_BYTES], most: usize) -> Result<usize, LinkError> {
    let bytes = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
    if bytes > most { Err(LinkError::TooLong { bytes }) } else { Ok(bytes) }
}

pub(super) fn read_body<M: DeserializeOwned>(body: &[u8]) -> Result<M, LinkError> {
    serde_json::from_slice(body).map_err(|err| LinkError::Garbled(err.to_string()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream as Std;
    use std::time::Duration;

    use super::*;

    type Words = Link<String, String>;

    fn pair() -> (Words, Words) {
        let (one, other) = Std::pair().unwrap();
        (Link::new(one).unwrap(), Link::new(other).unwrap())
    }

    #[tokio::test]
    async fn what_is_sent_arrives_in_order_whatever_its_size() {
        let (mut one, mut other) = pair();
        let words =
            ["a".to_owned(), "b".repeat(FRAME_BYTES_MAX - 2), String::new(), "c".repeat(99_999)];
        for word in &words {
            one.send(word).unwrap();
        }
        let mut got = Vec::new();
        while got.len() < words.len() {
            tokio::select! {
                word = other.next() => got.push(word.unwrap()),
                nothing = one.next() => panic!("{nothing:?}"),
            }
        }
        assert_eq!(got, words);
        assert!(
            one.output.capacity() == 0 && other.input.capacity() <= 2 * CHUNK,
            "memory is given back"
        );
        drop(one);
        assert!(matches!(other.next().await, Err(LinkError::Closed)));
    }

    /// A next that is dropped in the middle of a message loses nothing of it.
    #[tokio::test]
    async fn reading_may_be_given_up_at_any_time() {
        let (mut raw, end) = Std::pair().unwrap();
        let mut link: Words = Link::new(end).unwrap();
        let frame = [&[0, 0, 0, 4][..], b"\"ab\""].concat();
        for byte in frame {
            assert!(tokio::time::timeout(Duration::from_millis(2), link.next()).await.is_err());
            raw.write_all(&[byte]).unwrap();
        }
        assert_eq!(link.next().await.unwrap(), "ab");
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_costs_a_bound() {
        let (mut one, other) = pair();
        let word = "x".repeat(FRAME_BYTES_MAX / 2);
        let sent = (0..100).take_while(|_| one.send(&word).is_ok()).count();
        assert_eq!(sent, 7);
        assert!(matches!(one.send(&word), Err(LinkError::Full)));
        assert!(one.output.len() <= QUEUE_BYTES_MAX);
        assert!(one.send(&"short".to_owned()).is_ok(), "what fits is taken all the same");
        drop(other);
        assert!(matches!(one.flush().await, Err(LinkError::Closed)));
    }

    #[tokio::test]
    async fn a_message_too_long_is_neither_sent_nor_read() {
        let (mut one, _other) = pair();
        let word = "x".repeat(FRAME_BYTES_MAX);
        assert!(matches!(one.send(&word), Err(LinkError::TooLong { .. })));
        let (mut raw, end) = Std::pair().unwrap();
        let mut link: Words = Link::new(end).unwrap();
        raw.write_all(&[0, 0x10, 0, 1]).unwrap();
        assert!(
            matches!(link.next().await, Err(LinkError::TooLong { bytes }) if bytes == FRAME_BYTES_MAX + 1)
        );
    }

    #[tokio::test]
    async fn what_an_ended_peer_left_is_read() {
        let (mut raw, end) = Std::pair().unwrap();
        let mut link: Words = Link::new(end).unwrap();
        raw.write_all(&[0, 0, 0, 3, b'"', b'a', b'"', 0, 0, 0, 3, b'"']).unwrap();
        drop(raw);
        assert_eq!(link.left().as_deref(), Some("a"));
        assert_eq!(link.left(), None, "half a message is none");
    }

    #[tokio::test]
    async fn frames_are_a_length_and_json() {
        let (mut one, end) = Std::pair().unwrap();
        let mut link: Words = Link::new(end).unwrap();
        link.send(&"é".to_owned()).unwrap();
        link.flush().await.unwrap();
        let mut got = [0; 8];
        one.read_exact(&mut got).unwrap();
        assert_eq!(&got, &[0, 0, 0, 4, b'"', 0xc3, 0xa9, b'"']);
    }
}
