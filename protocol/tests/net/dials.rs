//! Dials: one answer each, and the right reason.

use std::net::SocketAddr;

use crux_crdt::{Digest, Principal};
use crux_protocol::link::DialFailure;
use crux_protocol::net::{Config, Transport};
use tokio::net::TcpListener;

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
        assert_eq!(a.dial(b.addr(), None).await, Err(DialFailure::Handshake));
        let expecting = a.dial(b.addr(), Some(b.me)).await;
        assert_eq!(expecting, Err(DialFailure::Handshake));
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

#[tokio::test]
async fn somebody_who_speaks_something_else_fails_the_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("bound");
    let babble = async {
        use tokio::io::AsyncWriteExt;
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let answer = b"HTTP/1.1 400 Bad Request\r\nServer: something else altogether\r\n\
                Content-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer).await.expect("the other side is there");
            // Kept open until the other side has had enough.
            let mut rest = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await.ok();
        }
    };
    let mut a = Node::start_tcp(1).await;
    tokio::select! {
        dialled = a.dial(addr, None) => assert_eq!(dialled, Err(DialFailure::Handshake)),
        () = babble => {}
    }
}

#[tokio::test]
async fn silence_is_unreachable() {
    // Accepts by its backlog, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("bound");
    let mut a = Node::start_tcp(1).await;
    assert_eq!(a.dial(addr, None).await, Err(DialFailure::Unreachable));
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
    for addr in ["nobody.invalid:4001", "no port", "0.0.0.0:4001", "127.0.0.1:0"] {
        let id = a.begin_dial(vec![addr.into()], None).await;
        let failed = a.dial_result(id).await;
        assert_eq!(failed, Err(DialFailure::Unreachable), "{addr}");
    }
    let id = a.begin_dial(vec![], None).await;
    assert_eq!(a.dial_result(id).await, Err(DialFailure::Unreachable));
}
