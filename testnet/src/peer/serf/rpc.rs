//! serf's RPC protocol, as far as the benchmarks need it.
//!
//! Every request is a header map with `Command` and `Seq`, then a body map. What comes back is not
//! decoded: the names that the benchmarks look for have a prefix and a width of their own, so they
//! are searched for in the bytes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::msgpack::{Value, map};
use super::{AGENT_PREFIX, DIGITS, EVENT_PREFIX};
use crate::Error;

/// How long an agent may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Bytes kept of a stream that holds no name; agents' answers are far below it.
const BUFFER_MAX: usize = 1 << 20;

/// How the state of a living member is encoded: key and value, each with its length.
const ALIVE: &[u8] = b"\xa6Status\xa5alive";

/// What comes before the name in the log line of a failed member. The log is used, because the
/// stream of member events holds them back for a second to coalesce them.
const FAILED: &str = "EventMemberFailed: ";

/// A connection to one agent.
#[derive(Debug)]
pub struct Rpc {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Rpc {
    /// Connects and shakes hands.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the agent does not listen.
    pub async fn connect(addr: SocketAddr) -> Result<Self, Error> {
        let stream =
            TcpStream::connect(addr).await.map_err(Error::io(format!("connect to {addr}")))?;
        stream.set_nodelay(true).map_err(Error::io("set TCP_NODELAY"))?;
        let mut rpc = Self { stream, buffer: Vec::new() };
        rpc.send("handshake", &[("Version", Value::Small(1))]).await?;
        rpc.answer().await?;
        Ok(rpc)
    }

    /// Fires user event `number` and waits until the agent has taken it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], or [`Error::Peer`] when the agent refuses.
    pub async fn fire(&mut self, number: usize) -> Result<(), Error> {
        let name = format!("{EVENT_PREFIX}{number:0DIGITS$}");
        let body = [
            ("Name", Value::Text(&name)),
            ("Payload", Value::Text("")),
            ("Coalesce", Value::Bool(false)),
        ];
        self.send("event", &body).await?;
        self.answer().await
    }

    /// Asks for user events from now on; see [`Rpc::next_event`].
    ///
    /// # Errors
    ///
    /// [`Error::Io`], or [`Error::Peer`] when the agent refuses.
    pub async fn subscribe_events(&mut self) -> Result<(), Error> {
        self.send("stream", &[("Type", Value::Text("user"))]).await?;
        self.answer().await
    }

    /// Asks for the log from now on; see [`Rpc::next_failed`].
    ///
    /// # Errors
    ///
    /// [`Error::Io`], or [`Error::Peer`] when the agent refuses.
    pub async fn subscribe_log(&mut self) -> Result<(), Error> {
        self.send("monitor", &[("LogLevel", Value::Text("INFO"))]).await?;
        self.answer().await
    }

    /// The number of the next user event.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the agent is gone.
    pub async fn next_event(&mut self) -> Result<usize, Error> {
        self.next_number(EVENT_PREFIX.as_bytes()).await
    }

    /// The number of the next agent that this one shows as failed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the agent is gone.
    pub async fn next_failed(&mut self) -> Result<usize, Error> {
        self.next_number(format!("{FAILED}{AGENT_PREFIX}").as_bytes()).await
    }

    /// How many members the agent shows alive, as soon as it shows at least `enough`; fewer if
    /// nothing more comes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the agent is gone.
    pub async fn alive(&mut self, enough: usize) -> Result<usize, Error> {
        self.buffer.clear();
        self.send_bare("members").await?;
        let deadline = Instant::now() + Duration::from_millis(500);
        loop {
            let alive = count(&self.buffer, ALIVE);
            if alive >= enough {
                return Ok(alive);
            }
            match timeout_at(deadline, self.read()).await {
                Ok(read) => read?,
                Err(_) => return Ok(alive),
            }
        }
    }

    async fn next_number(&mut self, prefix: &[u8]) -> Result<usize, Error> {
        loop {
            if let Some((number, end)) = find_number(&self.buffer, prefix) {
                self.buffer.drain(..end);
                return Ok(number);
            }
            if self.buffer.len() > BUFFER_MAX {
                // A name cut by the end of the buffer is kept.
                self.buffer.drain(..BUFFER_MAX - prefix.len() - DIGITS);
            }
            self.read().await?;
        }
    }

    /// Waits for the header of an answer. Requests are sent one at a time, so it is ours.
    async fn answer(&mut self) -> Result<(), Error> {
        const OK: &[u8] = b"\xa5Error\xa0";
        let refused = |buffer: &[u8]| Error::Peer {
            peer: "serf",
            what: format!("refused: {}", String::from_utf8_lossy(buffer)),
        };
        let answered = timeout(ANSWER_WITHIN, async {
            loop {
                if let Some(at) = find(&self.buffer, OK) {
                    self.buffer.drain(..at + OK.len());
                    return Ok(());
                }
                if find(&self.buffer, b"\xa5Error").is_some_and(|at| at + 8 < self.buffer.len()) {
                    return Err(refused(&self.buffer));
                }
                self.read().await?;
            }
        });
        answered.await.unwrap_or_else(|_| Err(refused(b"no answer")))
    }

    async fn send(&mut self, command: &str, body: &[(&str, Value<'_>)]) -> Result<(), Error> {
        let mut bytes = header(command);
        bytes.extend(map(body));
        self.write(&bytes).await
    }

    async fn send_bare(&mut self, command: &str) -> Result<(), Error> {
        self.write(&header(command)).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.write_all(bytes).await.map_err(Error::io("write to a serf agent"))
    }

    async fn read(&mut self) -> Result<(), Error> {
        let read = self
            .stream
            .read_buf(&mut self.buffer)
            .await
            .map_err(Error::io("read from a serf agent"))?;
        match read {
            0 => Err(Error::Peer { peer: "serf", what: "closed the connection".to_owned() }),
            _ => Ok(()),
        }
    }
}

fn header(command: &str) -> Vec<u8> {
    map(&[("Command", Value::Text(command)), ("Seq", Value::Small(1))])
}

/// Where `needle` starts.
fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// How often `needle` occurs.
fn count(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).filter(|window| *window == needle).count()
}

/// The first number behind `prefix`, and where it ends; `None` while it has not wholly arrived.
fn find_number(bytes: &[u8], prefix: &[u8]) -> Option<(usize, usize)> {
    let from = find(bytes, prefix)? + prefix.len();
    let digits = bytes.get(from..from + DIGITS)?;
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, from + DIGITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_only_when_all_of_it_has_arrived() {
        let whole = b"..crux-event-000017..";
        assert_eq!(find_number(whole, EVENT_PREFIX.as_bytes()), Some((17, 19)));
        assert_eq!(find_number(&whole[..18], EVENT_PREFIX.as_bytes()), None);
        assert_eq!(find_number(b"....", EVENT_PREFIX.as_bytes()), None);
    }

    #[test]
    fn living_members_are_counted_by_their_encoding() {
        let two = b"\xa6Status\xa5alive..\xa6Status\xa6failed..\xa6Status\xa5alive";
        assert_eq!(count(two, ALIVE), 2);
    }
}
