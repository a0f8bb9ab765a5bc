use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch::Receiver;
use tokio::time::{sleep, timeout};

use super::Flow;
use super::links::{Links, Seen};
use super::pump::{Way, pump};

/// How long a dial is held, and how long one onwards may take: longer than a node waits for either.
const DIAL_WITHIN: Duration = Duration::from_secs(10);

/// Between whom a connection is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    /// The dialling host,
    pub(super) dialler: usize,
    /// from where,
    pub(super) from: IpAddr,
    /// to whom,
    pub(super) node: usize,
    /// and where that one listens.
    pub(super) behind: SocketAddr,
}

/// How a connection was broken.
enum Broken {
    Reset,
    /// One side is gone, and only this one believes in it.
    HalfOpen(Side),
}

enum Side {
    Dialler,
    Node,
}

/// Carries one connection to its end.
pub(super) async fn run(mut dialled: TcpStream, ends: Ends, links: &Links) {
    let mut watch = Watch::new(links, ends);
    let onward = tokio::select! {
        // In this order: nobody is dialled in vain.
        biased;
        _ = watch.broken() => None,
        onward = dial(links, ends) => onward.ok(),
    };
    let Some(mut onward) = onward else { return reset(dialled, links) };
    // Rules are about time; the kernel shall not add any.
    dialled.set_nodelay(true).ok();
    onward.set_nodelay(true).ok();
    let broken = tokio::select! {
        broken = watch.broken() => Some(broken),
        passed = relay(&mut dialled, &mut onward, links, ends) => match passed {
            Ok(()) => None,
            Err(_) => Some(Broken::Reset),
        },
    };
    match broken {
        None => {}
        Some(Broken::Reset) => {
            abort(&onward);
            reset(dialled, links);
        }
        Some(Broken::HalfOpen(Side::Dialler)) => {
            reset(onward, links);
            watch.believe(dialled).await;
        }
        Some(Broken::HalfOpen(Side::Node)) => {
            reset(dialled, links);
            watch.believe(onward).await;
        }
    }
}

/// Dials onwards when the first packet gets through.
async fn dial(links: &Links, ends: Ends) -> io::Result<TcpStream> {
    let mut there = links.watch(ends.dialler, ends.node);
    let dialling = async {
        let open = there.wait_for(|seen| seen.rule.flow == Flow::Open).await;
        drop(open.map_err(io::Error::other)?);
        let socket = if ends.from.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind((ends.from, 0).into())?;
        socket.connect(ends.behind).await
    };
    timeout(DIAL_WITHIN, dialling).await?
}

/// Carries bytes both ways until both sides have closed, or one has failed.
async fn relay(
    dialled: &mut TcpStream,
    onward: &mut TcpStream,
    links: &Links,
    ends: Ends,
) -> io::Result<()> {
    let (from_dialler, to_dialler) = dialled.split();
    let (from_node, to_node) = onward.split();
    let there = Way { links, from: ends.dialler, to: ends.node };
    let back = Way { links, from: ends.node, to: ends.dialler };
    tokio::try_join!(pump(from_dialler, to_node, there), pump(from_node, to_dialler, back))?;
    Ok(())
}

/// Closes with a reset, and counts.
fn reset(stream: TcpStream, links: &Links) {
    links.counters.resets.fetch_add(1, Ordering::Relaxed);
    abort(&stream);
    drop(stream);
}

/// Has the stream end with a reset when it is dropped.
fn abort(stream: &TcpStream) {
    // A socket that refuses the option ends in order, which the other side survives, too.
    stream.set_zero_linger().ok();
}

/// Both rules of a connection, and what they were when it began.
struct Watch {
    there: Receiver<Seen>,
    back: Receiver<Seen>,
    began: (Seen, Seen),
    /// When its life ends, if it is drawn.
    end: Option<Duration>,
}

impl Watch {
    fn new(links: &Links, ends: Ends) -> Self {
        let there = links.watch(ends.dialler, ends.node);
        let back = links.watch(ends.node, ends.dialler);
        let began = (*there.borrow(), *back.borrow());
        Self { there, back, began, end: None }
    }

    /// Returns when a rule breaks the connection. May be called again, and cancelled.
    async fn broken(&mut self) -> Broken {
        loop {
            let (there, back) = (*self.there.borrow_and_update(), *self.back.borrow_and_update());
            if let Some(broken) = self.judge(&there, &back) {
                return broken;
            }
            let mean = there.rule.life.or(back.rule.life);
            self.end = mean.map(|mean| self.end.unwrap_or_else(|| drawn(mean)));
            tokio::select! {
                Ok(()) = self.there.changed() => {}
                Ok(()) = self.back.changed() => {}
                () = sleep(self.end.unwrap_or_default()), if self.end.is_some() => {
                    return Broken::Reset;
                }
                // The proxy is gone, and its tasks with it.
                else => return Broken::Reset,
            }
        }
    }

    fn judge(&self, there: &Seen, back: &Seen) -> Option<Broken> {
        let refused = [there, back].iter().any(|seen| seen.rule.flow == Flow::Refused);
        if refused || there.resets != self.began.0.resets || back.resets != self.began.1.resets {
            Some(Broken::Reset)
        } else if there.half_opens != self.began.0.half_opens {
            Some(Broken::HalfOpen(Side::Dialler))
        } else if back.half_opens != self.began.1.half_opens {
            Some(Broken::HalfOpen(Side::Node))
        } else {
            None
        }
    }

    /// Swallows what one side says to nobody, until a rule is set or that side has had enough.
    async fn believe(&mut self, mut believer: TcpStream) {
        let mut nowhere = [0; 4096];
        let swallow =
            async { while believer.read(&mut nowhere).await.is_ok_and(|read| read > 0) {} };
        tokio::select! {
            () = swallow => {}
            _ = self.there.changed() => {}
            _ = self.back.changed() => {}
        }
        abort(&believer);
    }
}

/// A life of this mean, as of something that does not age.
fn drawn(mean: Duration) -> Duration {
    let luck: f64 = rand::random_range(0.001..1.0);
    mean.mul_f64(-luck.ln())
}
