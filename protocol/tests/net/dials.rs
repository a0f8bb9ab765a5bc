//! Dials: one answer each, and the right reason.

use std::net::SocketAddr;
use std::time::Duration;

use crux_crdt::{Digest, Principal};
use crux_protocol::link::DialFailure;
use crux_protocol::net::{Config, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::harness::{Node, config};

/// A loopback address on which nobody listens, as long as the listener is not kept.
async fn dead_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("bound")
}

#[tokio::test]
async fn another_flock_fails_the_handshake() {
    for transport in [Transport::Tcp, Transport::Memory] {
        let mut a = Node::with(config(1, transport)).await;
        let b = Node::with(Config { genesis: Digest([43; 32]), ..config(2, transport) }).await;
        assert_eq!(a.dial(b.addr(), None).await, Err(DialFailure::OtherFlock));
        let expecting = a.dial(b.addr(), Some(b.me)).await;
        assert_eq!(expecting, Err(DialFailure::OtherFlock));
    }
}

#[tokio::test]
async fn another_key_is_the_wrong_peer() {
    let mut a = Node::start(1).await;
    let b = Node::start(2).await;
    let found = a.dial(b.addr(), Some(Principal([9; 32]))).await;
    assert_eq!(found, Err(DialFailure::WrongPeer { found: b.me }));
}

#[tokio::test]
async fn a_dead_port_refuses() {
    let mut a = Node::start_tcp(1).await;
    let dead = dead_port().await;
    assert_eq!(a.dial(dead, None).await, Err(DialFailure::Refused));
}

/// The first line of every libp2p handshake.
const FIRST_LINE: &[u8] = b"\x13/multistream/1.0.0\n";

/// What comes of a dial to a peer that does something with each connection.
async fn dial_one_that<F: Future<Output = ()>>(does: impl Fn(TcpStream) -> F) -> DialFailure {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("bound");
    let serve = async {
        loop {
            does(listener.accept().await.expect("a connection").0).await;
        }
    };
    let mut a = Node::start_tcp(1).await;
    tokio::select! {
        dialled = a.dial(addr, None) => dialled.expect_err("nobody of ours"),
        () = serve => panic!("it serves for ever"),
    }
}

/// Says something, and then keeps the connection until the other side has had enough.
async fn say(mut stream: TcpStream, what: &[u8]) {
    stream.write_all(what).await.ok();
    stream.read_to_end(&mut Vec::new()).await.ok();
}

#[tokio::test]
async fn somebody_who_speaks_something_else_is_not_crux() {
    let http = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    let ssh = b"SSH-2.0-OpenSSH_9.6\r\n";
    let tls_alert = b"\x15\x03\x03\x00\x02\x02\x28";
    let no_noise = [FIRST_LINE, b"\x03na\n"].concat();
    for what in [&http[..], &ssh[..], &tls_alert[..], b"\0", &no_noise] {
        let begun = Instant::now();
        let failure = dial_one_that(|stream| say(stream, what)).await;
        assert_eq!(failure, DialFailure::NotCrux, "{}", what.escape_ascii());
        assert!(begun.elapsed() < Duration::from_secs(2), "told when it is read");
    }
    // And whether or not it hangs up right after.
    let hang_up = |mut stream: TcpStream| async move {
        let _said = stream.read(&mut [0; 512]).await;
        stream.write_all(tls_alert).await.ok();
    };
    assert_eq!(dial_one_that(hang_up).await, DialFailure::NotCrux);
}

#[tokio::test]
async fn a_connection_that_is_closed_early_is_of_no_other_flock() {
    for what in [&b""[..], &FIRST_LINE[..7], FIRST_LINE] {
        let close = |mut stream: TcpStream| async move {
            // All that was sent is read, or the system resets the connection.
            let _said = stream.read(&mut [0; 512]).await;
            stream.write_all(what).await.ok();
        };
        let failure = dial_one_that(close).await;
        assert_eq!(failure, DialFailure::Closed, "{}", what.escape_ascii());
    }
    let reset = |stream: TcpStream| async move {
        stream.set_zero_linger().expect("a socket");
    };
    assert_eq!(dial_one_that(reset).await, DialFailure::Closed);
    // After the negotiation of Noise.
    let agree = |mut stream: TcpStream| async move {
        let _said = stream.read(&mut [0; 512]).await;
        stream.write_all(&[FIRST_LINE, b"\x07/noise\n"].concat()).await.ok();
        let _said = stream.read(&mut [0; 512]).await;
    };
    assert_eq!(dial_one_that(agree).await, DialFailure::Closed);
}

#[tokio::test]
async fn silence_times_out() {
    // Accepts by its backlog, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("bound");
    let mut a = Node::start_tcp(1).await;
    assert_eq!(a.dial(addr, None).await, Err(DialFailure::TimedOut));
}

#[tokio::test]
async fn a_node_dials_from_where_it_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("bound");
    // On Linux all of 127/8 is this machine; elsewhere the node could not listen there.
    let own = SocketAddr::from(([127, 0, 0, 29], 0));
    if std::net::TcpListener::bind(own).is_err() {
        return;
    }
    let mut a = Node::with(Config { listen: vec![own], ..config(1, Transport::Tcp) }).await;
    let seen = async { listener.accept().await.expect("a connection").1.ip() };
    let (seen, _) = tokio::join!(seen, a.dial(addr, None));
    assert_eq!(seen, own.ip());
}

#[tokio::test]
async fn this_node_knows_itself() {
    let mut a = Node::start_tcp(1).await;
    let me = Some(a.me);
    assert_eq!(a.dial(a.addr(), None).await, Err(DialFailure::Myself));
    assert_eq!(a.dial(a.addr(), me).await, Err(DialFailure::Myself));
    // By an address that it does not know for its own.
    let other = format!("localhost:{}", a.addr().port());
    let id = a.begin_dial(vec![other], Some(Principal([9; 32]))).await;
    assert_eq!(a.dial_result(id).await, Err(DialFailure::Myself));
}

#[tokio::test]
async fn the_address_that_works_is_found_among_those_that_do_not() {
    let mut a = Node::start_tcp(1).await;
    let b = Node::start_tcp(2).await;
    let c = Node::start_tcp(3).await;
    let dead = dead_port().await;
    let addrs = vec![
        "no such name.invalid:1".into(),
        dead.to_string(),
        a.addr().to_string(),
        c.addr().to_string(),
        format!("localhost:{}", b.addr().port()),
    ];
    let id = a.begin_dial(addrs, Some(b.me)).await;
    assert_eq!(a.dial_result(id).await, Ok(b.me));
}

#[tokio::test]
async fn of_several_reasons_the_most_telling_is_told() {
    let mut a = Node::start_tcp(1).await;
    let c = Node::start_tcp(3).await;
    let dead = dead_port().await;
    let mut addrs = vec![dead.to_string(), a.addr().to_string()];
    let id = a.begin_dial(addrs.clone(), Some(Principal([9; 32]))).await;
    assert_eq!(a.dial_result(id).await, Err(DialFailure::Myself));
    addrs.push(c.addr().to_string());
    let id = a.begin_dial(addrs, Some(Principal([9; 32]))).await;
    let wrong = Err(DialFailure::WrongPeer { found: c.me });
    assert_eq!(a.dial_result(id).await, wrong);
}

#[tokio::test]
async fn nowhere_is_unreachable() {
    let mut a = Node::start_tcp(1).await;
    for addr in ["0.0.0.0:4001", "127.0.0.1:0"] {
        let id = a.begin_dial(vec![addr.into()], None).await;
        let failed = a.dial_result(id).await;
        assert_eq!(failed, Err(DialFailure::Unreachable), "{addr}");
    }
    let id = a.begin_dial(vec![], None).await;
    assert_eq!(a.dial_result(id).await, Err(DialFailure::Unreachable));
}

#[tokio::test]
async fn a_name_that_stands_for_nothing_is_unresolved() {
    let mut a = Node::start_tcp(1).await;
    for addr in ["nobody.invalid:4001", "no port"] {
        let id = a.begin_dial(vec![addr.into()], None).await;
        assert_eq!(a.dial_result(id).await, Err(DialFailure::Unresolved), "{addr}");
    }
    let addrs = vec!["nobody.invalid:4001".into(), dead_port().await.to_string()];
    let id = a.begin_dial(addrs, None).await;
    assert_eq!(a.dial_result(id).await, Err(DialFailure::Refused));
}
