//! It opens connections and says nothing. What is closed is opened again.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::join_all;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use crate::output::say;

/// The pause before a connection is opened again.
const PAUSE: Duration = Duration::from_millis(50);

/// Keeps so many connections to each target open, from this address, until it is killed.
pub(in super::super) async fn silent(from: IpAddr, targets: &[SocketAddr], count: usize) {
    let all = targets.len() * count;
    let opened = Cell::new(0);
    let told = || {
        opened.set(opened.get() + 1);
        if opened.get() == all {
            say(format_args!("opened {all} connections"));
        }
    };
    let places = targets.iter().flat_map(|target| std::iter::repeat_n(*target, count));
    join_all(places.map(|target| hold(from, target, &told))).await;
}

async fn hold(from: IpAddr, target: SocketAddr, opened: &impl Fn()) {
    let mut told = false;
    loop {
        if let Ok(mut stream) = connect(from, target).await {
            if !std::mem::replace(&mut told, true) {
                opened();
            }
            // Ends when the other side closes it.
            let mut heard = [0; 256];
            while stream.read(&mut heard).await.is_ok_and(|length| length > 0) {}
        }
        sleep(PAUSE).await;
    }
}

async fn connect(from: IpAddr, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(target).await
}
