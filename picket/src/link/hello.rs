use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crux_client::Error;
use serde::{Deserialize, Serialize};

use super::stream::{LENGTH_BYTES, frame, length, read_body};
use super::{FRAME_BYTES_MAX, FromFulcrum, FromPicket, LinkError};

/// Which messages both ends know. Raised with every change that an older end would misread.
pub const VERSION: u32 = 2;

/// How long a fulcrum waits for the first message. The picket writes it right after it started the process.
const HELLO_MAX: Duration = Duration::from_secs(10);

/// The first message of a picket.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// See [`VERSION`].
    pub version: u32,
    /// The picket's process id.
    pub picket: u32,
    /// The settings of the node, as the node itself writes and reads it. Holds the flock's keys.
    pub settings: serde_json::Value,
}

/// Without the settings, which hold keys.
impl std::fmt::Debug for Hello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Hello");
        shown.field("version", &self.version).field("picket", &self.picket).finish_non_exhaustive()
    }
}

/// Reads the first message of the picket, and nothing after it. Waits for it, at most ten seconds.
///
/// # Errors
/// [`LinkError::Closed`] when the picket is gone, [`LinkError::Version`] when it speaks another version,
/// [`LinkError::Garbled`] when something else is said, [`LinkError::Io`] when nothing is.
pub fn receive(mut stream: &UnixStream) -> Result<Hello, LinkError> {
    stream.set_read_timeout(Some(HELLO_MAX))?;
    let mut head = [0; LENGTH_BYTES];
    stream.read_exact(&mut head)?;
    let mut body = vec![0; length(head, FRAME_BYTES_MAX)?];
    stream.read_exact(&mut body)?;
    stream.set_read_timeout(None)?;
    match read_body(&body)? {
        FromPicket::Hello(hello) if hello.version == VERSION => Ok(hello),
        FromPicket::Hello(hello) => Err(LinkError::Version { found: hello.version }),
        _ => Err(LinkError::Garbled("the first message is not a hello".to_owned())),
    }
}

/// Tells the picket why this fulcrum ends: the last thing that is written, past the [`super::Link`]. Whatever the link
/// had not written yet is cut off then. Waits for nothing: to a picket that reads nothing, nothing is told, and it
/// takes the end for one that is not final.
pub fn last_words(mut stream: &UnixStream, error: &Error) {
    if let Ok(frame) = frame(&FromFulcrum::Ends { failure: error.into() }) {
        // One write is all or, into a full queue, a part, which is not a message.
        stream.set_nonblocking(true).and_then(|()| stream.write_all(&frame)).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hears(bytes: &[u8]) -> Result<Hello, LinkError> {
        let (mut picket, fulcrum) = UnixStream::pair().unwrap();
        picket.write_all(bytes).unwrap();
        drop(picket);
        receive(&fulcrum)
    }

    fn frame(message: &FromPicket) -> Vec<u8> {
        let body = serde_json::to_vec(message).unwrap();
        let head = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&head[..], &body].concat()
    }

    fn hello(version: u32) -> FromPicket {
        FromPicket::Hello(Hello { version, picket: 1, settings: serde_json::Value::Null })
    }

    #[test]
    fn the_first_message_is_read_and_no_more() {
        let (mut picket, fulcrum) = UnixStream::pair().unwrap();
        picket.write_all(&frame(&hello(VERSION))).unwrap();
        picket.write_all(b"next").unwrap();
        assert_eq!(receive(&fulcrum).unwrap().picket, 1);
        let mut next = [0; 4];
        (&fulcrum).read_exact(&mut next).unwrap();
        assert_eq!(&next, b"next");
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        assert!(matches!(hears(b""), Err(LinkError::Closed)));
        assert!(matches!(hears(&[0, 0, 0, 9, b'x']), Err(LinkError::Closed)));
        assert!(matches!(hears(&[0xff; 8]), Err(LinkError::TooLong { .. })));
        assert!(matches!(hears(&[0, 0, 0, 1, b'x']), Err(LinkError::Garbled(_))));
        assert!(matches!(hears(&frame(&FromPicket::Stop)), Err(LinkError::Garbled(_))));
        let newer = hears(&frame(&hello(VERSION + 1)));
        assert!(matches!(newer, Err(LinkError::Version { found }) if found == VERSION + 1));
    }

    #[test]
    fn settings_are_not_shown() {
        let settings = serde_json::json!({ "keys": "precious" });
        let hello = Hello { version: VERSION, picket: 1, settings };
        assert!(!format!("{:?}", FromPicket::Hello(hello)).contains("precious"));
    }
    #[tokio::test]
    async fn last_words_come_after_all_that_was_said_and_are_read_when_the_fulcrum_is_gone() {
        use super::super::Link;
        let (mine, theirs) = UnixStream::pair().unwrap();
        let word = theirs.try_clone().unwrap();
        let mut fulcrum: Link<FromPicket, FromFulcrum> = Link::new(theirs).unwrap();
        let done = FromFulcrum::Done { seq: 1, outcome: Ok(()) };
        fulcrum.send(&done).unwrap();
        fulcrum.flush().await.unwrap();
        drop(fulcrum);
        let error = Error::new(crux_client::Kind::PortInUse, "taken").with_hint("another one");
        last_words(&word, &error);
        drop(word);
        let mut picket: Link<FromFulcrum, FromPicket> = Link::new(mine).unwrap();
        assert_eq!(picket.left(), Some(done));
        assert_eq!(picket.left(), Some(FromFulcrum::Ends { failure: (&error).into() }));
        assert_eq!(picket.left(), None);
    }

    #[test]
    fn last_words_to_a_picket_that_is_gone_are_no_signal() {
        let (mine, theirs) = UnixStream::pair().unwrap();
        drop(mine);
        last_words(&theirs, &Error::new(crux_client::Kind::Refused, "left"));
    }
}
