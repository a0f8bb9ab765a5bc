use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crux_client::Error;

use super::FromFulcrum;
use super::stream::frame;

/// How long a picket may take to read what waits before it. It reads at once, unless somebody stopped it.
const SAID_WITHIN: Duration = Duration::from_secs(1);

/// A second hold of the fulcrum's end of the link, to say why it ends when nothing else uses the link any more.
#[derive(Debug)]
pub struct LastWord(UnixStream);

impl LastWord {
    /// Of a link, before that is used.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(stream: &UnixStream) -> io::Result<Self> {
        stream.try_clone().map(Self)
    }

    /// Says why the fulcrum ends. To be called last: the picket takes it for the last message.
    ///
    /// # Errors
    /// The picket is gone, or does not read.
    pub fn say(mut self, error: &Error) -> io::Result<()> {
        // The link, which is the same socket, may have it otherwise.
        self.0.set_nonblocking(false)?;
        self.0.set_write_timeout(Some(SAID_WITHIN))?;
        let message = frame(&FromFulcrum::Ends(error.into())).map_err(io::Error::other)?;
        self.0.write_all(&message)
    }
}

#[cfg(test)]
mod tests {
    use crux_client::Kind;

    use super::super::{FromPicket, Link};
    use super::*;

    #[tokio::test]
    async fn it_comes_after_all_that_was_said_and_is_read_when_the_fulcrum_is_gone() {
        let (mine, theirs) = UnixStream::pair().unwrap();
        let word = LastWord::of(&theirs).unwrap();
        let mut fulcrum: Link<FromPicket, FromFulcrum> = Link::new(theirs).unwrap();
        let done = FromFulcrum::Done { seq: 1, outcome: Ok(()) };
        fulcrum.send(&done).unwrap();
        fulcrum.flush().await.unwrap();
        drop(fulcrum);
        let error = Error::new(Kind::PortInUse, "taken").with_hint("another one");
        word.say(&error).unwrap();
        let mut picket: Link<FromFulcrum, FromPicket> = Link::new(mine).unwrap();
        assert_eq!(picket.left(), Some(done));
        assert_eq!(picket.left(), Some(FromFulcrum::Ends((&error).into())));
        assert_eq!(picket.left(), None);
    }

    #[test]
    fn a_picket_that_is_gone_is_an_error_and_no_signal() {
        let (mine, theirs) = UnixStream::pair().unwrap();
        drop(mine);
        let word = LastWord::of(&theirs).unwrap();
        assert!(word.say(&Error::new(Kind::Refused, "left")).is_err());
    }
}
