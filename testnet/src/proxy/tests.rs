//! Two nodes and the proxy between them. What is held back is shown by an echo that comes by another
//! way and was sent later; times are only ever too long, never too short.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{Place, Proxy, Rule};

const WITHIN: Duration = Duration::from_secs(20);

/// Two nodes, 0 and 1.
struct Pair {
    proxy: Proxy,
    listeners: [TcpListener; 2],
}

fn any_port(node: u8) -> SocketAddr {
    ([127, 0, 0, 201 + node], 0).into()
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(WITHIN, what).await.expect("in time")
}

impl Pair {
    async fn new() -> Self {
        let listen = async |node| TcpListener::bind(any_port(node)).await.expect("a port");
        let listeners = [listen(0).await, listen(1).await];
        let place = |node: u8| Place {
            front: any_port(node),
            node: listeners[usize::from(node)].local_addr().expect("bound"),
        };
        let proxy = Proxy::start(&[place(0), place(1)]).await.expect("it listens");
        Self { proxy, listeners }
    }

    async fn dial(&self, from: u8, to: usize) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(any_port(from)).expect("a port");
        soon(socket.connect(self.proxy.front(to))).await.expect("the proxy accepts")
    }

    /// A connection of node 0 to node 1, that has carried something: its ends there.
    async fn connect(&self) -> (TcpStream, TcpStream) {
        let mut dialled = self.dial(0, 1).await;
        let (mut accepted, seen) = soon(self.listeners[1].accept()).await.expect("dialled onwards");
        assert_eq!(seen.ip(), any_port(0).ip(), "seen as who it is");
        say(&mut dialled, "a").await;
        hear(&mut accepted, "a").await;
        (dialled, accepted)
    }
}

async fn say(stream: &mut TcpStream, text: &str) {
    soon(stream.write_all(text.as_bytes())).await.expect("written");
}

async fn hear(stream: &mut TcpStream, text: &str) {
    let mut heard = vec![0; text.len()];
    soon(stream.read_exact(&mut heard)).await.expect("said");
    assert_eq!(heard, text.as_bytes());
}

async fn is_reset(stream: &mut TcpStream) {
    let read = soon(stream.read(&mut [0; 16])).await;
    assert_eq!(read.expect_err("no end in order").kind(), ErrorKind::ConnectionReset);
}

fn has_nothing(stream: &TcpStream) {
    let read = stream.try_read(&mut [0; 16]);
    assert_eq!(read.expect_err("nothing there").kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn bytes_and_the_end_pass_both_ways() {
    let pair = Pair::new().await;
    let (mut a, mut b) = pair.connect().await;
    say(&mut a, "hello").await;
    hear(&mut b, "hello").await;
    say(&mut b, "you, too").await;
    hear(&mut a, "you, too").await;
    drop(a);
    assert_eq!(soon(b.read(&mut [0; 16])).await.expect("an end in order"), 0);
    assert_eq!(pair.proxy.stats().connections, 1);
    assert_eq!(pair.proxy.stats().bytes, 14);
}

#[tokio::test]
async fn one_way_can_be_cut_and_nothing_is_lost() {
    let pair = Pair::new().await;
    let (mut a, mut b) = pair.connect().await;
    pair.proxy.set(0, 1, Rule::held());
    say(&mut a, "held").await;
    for _ in 0..20 {
        say(&mut b, "echo").await;
        hear(&mut a, "echo").await;
    }
    has_nothing(&b);
    pair.proxy.heal();
    hear(&mut b, "held").await;
}

#[tokio::test]
async fn a_dial_into_a_silent_cut_is_not_answered_until_it_heals() {
    let pair = Pair::new().await;
    pair.proxy.set(0, 1, Rule::held());
    let mut a = pair.dial(0, 1).await;
    say(&mut a, "syn").await;
    // The other way is open, and a connection there is carried meanwhile.
    let _back = pair.dial(1, 0).await;
    soon(pair.listeners[0].accept()).await.expect("dialled onwards");
    pair.proxy.set(0, 1, Rule::default());
    let (mut b, _) = soon(pair.listeners[1].accept()).await.expect("dialled onwards");
    hear(&mut b, "syn").await;
}

#[tokio::test]
async fn a_refused_link_resets_what_is_there_and_what_comes() {
    let pair = Pair::new().await;
    let (mut a, mut b) = pair.connect().await;
    // One direction is enough.
    pair.proxy.set(1, 0, Rule::refused());
    is_reset(&mut a).await;
    is_reset(&mut b).await;
    is_reset(&mut pair.dial(0, 1).await).await;
    pair.proxy.heal();
    let (mut a, mut b) = pair.connect().await;
    say(&mut a, "again").await;
    hear(&mut b, "again").await;
    assert_eq!(pair.proxy.stats().resets, 2);
}

#[tokio::test]
async fn bytes_take_as_long_as_they_are_told() {
    let delay = Duration::from_millis(120);
    let pair = Pair::new().await;
    let (mut a, mut b) = pair.connect().await;
    pair.proxy.set(0, 1, Rule { delay, jitter: delay, ..Rule::default() });
    let began = Instant::now();
    say(&mut a, "late").await;
    hear(&mut b, "late").await;
    assert!(began.elapsed() >= delay);
    for n in 0..50 {
        say(&mut a, &format!("{n:03}")).await;
    }
    for n in 0..50 {
        hear(&mut b, &format!("{n:03}")).await;
    }
}

#[tokio::test]
async fn a_narrow_link_takes_its_time() {
    let pair = Pair::new().await;
    let (mut a, mut b) = pair.connect().await;
    let bytes_per_second = NonZeroU32::new(20_000);
    pair.proxy.set(0, 1, Rule { bytes_per_second, ..Rule::default() });
    let began = Instant::now();
    let text = "x".repeat(5_000);
    say(&mut a, &text).await;
    hear(&mut b, &text).await;
    assert!(began.elapsed() >= Duration::from_millis(250));
}

#[tokio::test]
async fn connections_are_reset_by_hand_and_by_age() {
    let pair = Pair::new().await;
    let (mut a, mut b) = pair.connect().await;
    pair.proxy.reset(1, 0);
    is_reset(&mut a).await;
    is_reset(&mut b).await;
    let (mut a, mut b) = pair.connect().await;
    pair.proxy.set(0, 1, Rule { life: Some(Duration::from_millis(5)), ..Rule::default() });
    is_reset(&mut a).await;
    is_reset(&mut b).await;
}

#[tokio::test]
async fn a_half_open_connection_is_believed_in_until_it_heals() {
    for (believer, other) in [(0, 1), (1, 0)] {
        let pair = Pair::new().await;
        let (a, b) = pair.connect().await;
        let (mut left, mut gone) = if believer == 0 { (a, b) } else { (b, a) };
        pair.proxy.half_open(believer, other);
        is_reset(&mut gone).await;
        say(&mut left, "to nobody").await;
        has_nothing(&left);
        // New ones are whole.
        let (mut a, mut b) = pair.connect().await;
        say(&mut a, "new").await;
        hear(&mut b, "new").await;
        has_nothing(&left);
        pair.proxy.set(believer, other, Rule::default());
        is_reset(&mut left).await;
    }
}

#[tokio::test]
async fn a_stranger_is_turned_away_and_a_dead_node_refuses() {
    let pair = Pair::new().await;
    let mut stranger = soon(TcpStream::connect(pair.proxy.front(1))).await.expect("accepted");
    assert_eq!(soon(stranger.read(&mut [0; 16])).await.expect("closed"), 0);
    let Pair { proxy, listeners } = pair;
    drop(listeners);
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(any_port(0)).expect("a port");
    let mut dialled = soon(socket.connect(proxy.front(1))).await.expect("the proxy accepts");
    is_reset(&mut dialled).await;
}
