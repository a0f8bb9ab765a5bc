use std::collections::VecDeque;

use crux_protocol::link::{Command, Event};
use tokio::sync::mpsc;

use crate::error::{Error, Kind};

/// The loop's two channels to the network.
///
/// The network stops taking commands while its events are not taken, because a command that fails at
/// once makes one. The engine may ask for thousands of such at one event: in a flock of four thousand
/// a leader that asks every member dials nearly all of them, and more than a few hundred dials at once
/// fail.
///
/// **Invariant**: whoever waits here for the network to take a command takes its events meanwhile, so
/// the loop and the network never wait for each other. The events that are kept are those of commands
/// that failed, one each, and what the network had made already.
#[derive(Debug)]
pub struct Wire {
    network: mpsc::Sender<Command>,
    events: mpsc::Receiver<Event>,
    /// Events that came while a command waited.
    early: VecDeque<Event>,
}

impl Wire {
    /// A wire of these channels of the network.
    pub const fn new(network: mpsc::Sender<Command>, events: mpsc::Receiver<Event>) -> Self {
        Self { network, events, early: VecDeque::new() }
    }

    /// Gives a command to the network, as soon as it takes one.
    ///
    /// # Errors
    /// [`Kind::Internal`] when the network ended.
    pub(super) async fn send(&mut self, command: Command) -> Result<(), Error> {
        loop {
            tokio::select! {
                biased;
                permit = self.network.reserve() => {
                    permit.map_err(|_| ended())?.send(command);
                    return Ok(());
                }
                event = self.events.recv() => self.early.push_back(event.ok_or_else(ended)?),
            }
        }
    }

    /// The next event, in the order in which they happened.
    ///
    /// # Errors
    /// [`Kind::Internal`] when the network ended.
    pub(super) async fn next(&mut self) -> Result<Event, Error> {
        match self.early.pop_front() {
            Some(event) => Ok(event),
            None => self.events.recv().await.ok_or_else(ended),
        }
    }
}

fn ended() -> Error {
    Error::new(Kind::Internal, "the network task ended")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crux_crdt::Digest;
    use crux_protocol::link::DialId;
    use crux_protocol::net::{self, Config, Transport};
    use tokio::time::timeout;

    use super::*;

    /// More than the network's channels and its outbox hold together.
    const MANY: u64 = 10_000;

    #[tokio::test]
    async fn thousands_of_commands_that_fail_at_once_hold_up_nothing() {
        let config = Config {
            transport: Transport::Memory,
            ..Config::new([1; 32], Digest([2; 32]), Vec::new())
        };
        let net = net::spawn(config).await.expect("the network starts");
        let mut wire = Wire::new(net.commands, net.events);
        let all = async {
            for id in 0..MANY {
                // A dial to nowhere fails when it is taken.
                let dial = Command::Dial { id: DialId(id), addrs: Vec::new(), expect: None };
                wire.send(dial).await.expect("the network runs");
            }
            for expected in 0..MANY {
                match wire.next().await.expect("the network runs") {
                    Event::DialFailed { id, .. } => assert_eq!(id, DialId(expected), "in order"),
                    other => panic!("{other:?}"),
                }
            }
        };
        timeout(Duration::from_secs(60), all).await.expect("nobody waits for the other");
        assert!(wire.early.is_empty());
    }

    #[tokio::test]
    async fn an_end_of_the_network_is_told() {
        let (network, commands) = mpsc::channel(1);
        let (_events_in, events) = mpsc::channel(1);
        let mut wire = Wire::new(network, events);
        drop(commands);
        let dial = Command::Dial { id: DialId(1), addrs: Vec::new(), expect: None };
        assert!(wire.send(dial).await.is_err());
    }
}
