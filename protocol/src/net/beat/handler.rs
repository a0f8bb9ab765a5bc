use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, SubstreamProtocol};
use libp2p::{Stream, StreamProtocol};
use tokio::time::Sleep;

use super::codec::Frame;
use super::stream::{Receiver, Sender};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/crux/beat/1");

/// Pause before a broken stream is opened again, doubled each time until one carries a beat.
/// A subject that restarted its side is back at once; one that refuses (this node is no member to
/// it) will not change its mind on this connection.
const REOPEN_MIN: Duration = Duration::from_millis(500);
const REOPEN_MAX: Duration = Duration::from_secs(30);

/// An order of the behaviour.
#[derive(Debug, Clone, Copy)]
pub(crate) enum In {
    /// Observe the peer on this connection, or stop it.
    Observe(bool),
    /// Send a beat, if the peer observes this node on this connection.
    Beat(Frame),
}

/// A report to the behaviour.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Out {
    /// The peer began to observe this node on this connection, or ended it.
    Observed(bool),
    /// A beat of the peer.
    Beat(Frame),
}

/// The beats of one connection.
#[derive(Default)]
pub(crate) struct Handler {
    /// The peer's stream, on which this node beats.
    beating: Option<Sender<Stream>>,
    /// This node's stream, on which the peer beats.
    watching: Watching,
    /// How long the next pause is.
    pause: Option<Duration>,
    /// At most two: a stream that ended and the one after it.
    reports: VecDeque<Out>,
}

/// A stream that this node opens.
#[derive(Default)]
enum Watching {
    /// Not wanted.
    #[default]
    Off,
    /// To be asked for.
    Wanted,
    /// Asked for. `kept` is false if it is no longer wanted.
    Opening { kept: bool },
    /// Open.
    Open(Receiver<Stream>),
    /// Broken, to be asked for again.
    Paused(Pin<Box<Sleep>>),
}

impl Handler {
    fn on_inbound(&mut self, stream: Stream) {
        if self.beating.is_some() {
            return; // One per connection. Dropping the second resets it.
        }
        self.beating = Some(Sender::new(stream));
        self.reports.push_back(Out::Observed(true));
    }

    fn on_outbound(&mut self, stream: Stream) {
        self.watching = match self.watching {
            Watching::Opening { kept: true } => Watching::Open(Receiver::new(stream)),
            _ => Watching::Off,
        };
    }

    fn on_broken(&mut self) {
        self.watching = match self.watching {
            Watching::Opening { kept: false } | Watching::Off => Watching::Off,
            _ => {
                let pause = self.pause.unwrap_or(REOPEN_MIN);
                self.pause = Some((pause * 2).min(REOPEN_MAX));
                Watching::Paused(Box::pin(tokio::time::sleep(pause)))
            }
        };
    }

    fn on_observe(&mut self, wanted: bool) {
        let now = std::mem::take(&mut self.watching);
        self.watching = match (now, wanted) {
            (Watching::Opening { .. }, kept) => Watching::Opening { kept },
            (Watching::Off, true) => Watching::Wanted,
            (now, true) => now,
            (_, false) => Watching::Off,
        };
    }

    /// Reads frames and opens streams. Ready with what is to be done.
    fn poll_watching(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Upgrade, (), Out>> {
        loop {
            match &mut self.watching {
                Watching::Off | Watching::Opening { .. } => return Poll::Pending,
                Watching::Wanted => {
                    self.watching = Watching::Opening { kept: true };
                    return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                        protocol: SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ()),
                    });
                }
                Watching::Paused(pause) => {
                    if pause.poll_unpin(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.watching = Watching::Wanted;
                }
                Watching::Open(receiver) => match std::task::ready!(receiver.poll(cx)) {
                    Some(frame) => {
                        self.pause = None;
                        let report = Out::Beat(frame);
                        return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(report));
                    }
                    None => self.on_broken(),
                },
            }
        }
    }
}

type Upgrade = ReadyUpgrade<StreamProtocol>;

impl ConnectionHandler for Handler {
    type FromBehaviour = In;
    type ToBehaviour = Out;
    type InboundProtocol = Upgrade;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Upgrade> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn on_behaviour_event(&mut self, order: In) {
        match order {
            In::Observe(wanted) => self.on_observe(wanted),
            In::Beat(frame) => {
                if let Some(beating) = &mut self.beating {
                    beating.offer(frame);
                }
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Upgrade, (), Out>> {
        if let Some(beating) = &mut self.beating
            && beating.poll(cx).is_ready()
        {
            self.beating = None;
            self.reports.push_back(Out::Observed(false));
        }
        if let Some(report) = self.reports.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(report));
        }
        self.poll_watching(cx)
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Upgrade, Upgrade>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            }) => self.on_inbound(protocol),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol, ..
            }) => self.on_outbound(protocol),
            ConnectionEvent::DialUpgradeError(_) => self.on_broken(),
            _ => {}
        }
    }
}
