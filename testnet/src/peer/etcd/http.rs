//! One request to etcd's JSON gateway, over a connection of its own.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Error;

/// Answers longer than this are cut; those asked for here have a few hundred bytes.
const ANSWER_MAX: u64 = 64 * 1024;

/// Posts `body` and returns the JSON answer.
///
/// # Errors
///
/// [`Error::Io`] when the connection fails, [`Error::Peer`] when the answer is not 200.
pub(super) async fn post(
    addr: SocketAddr,
    path: &str,
    body: &str,
) -> Result<serde_json::Value, Error> {
    let mut stream =
        TcpStream::connect(addr).await.map_err(Error::io(format!("connect to {addr}")))?;
    stream.set_nodelay(true).map_err(Error::io("set TCP_NODELAY"))?;
    let request = format!(
        "POST {path} HTTP/1.0\r\nHost: {addr}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.map_err(Error::io("write to etcd"))?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await.map_err(Error::io("read from etcd"))?;
    parse(&String::from_utf8_lossy(&answer))
}

/// The JSON body of an answer with status 200.
fn parse(answer: &str) -> Result<serde_json::Value, Error> {
    let wrong = || Error::Peer { peer: "etcd", what: format!("answered {answer:?}") };
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(wrong)?;
    let status = head.split(' ').nth(1);
    if status != Some("200") {
        return Err(wrong());
    }
    serde_json::from_str(body).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_with_status_200_counts() {
        let ok = parse("HTTP/1.0 200 OK\r\nA: b\r\n\r\n{\"leader\":\"7\"}").expect("fine");
        assert_eq!(ok["leader"], "7");
        assert!(parse("HTTP/1.0 503 Unavailable\r\n\r\n{}").is_err());
        assert!(parse("").is_err());
    }
}
