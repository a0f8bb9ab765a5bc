//! Checks by HTTP/1.1.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};

use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::outcome::{Tried, with_words};

/// How much of an answer is read: its header, and its body.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// How many lines of header an answer has.
const HEADERS_MAX: usize = 100;

pub(super) async fn get(at: SocketAddr, path: &str) -> Tried {
    let stream = super::run::connect(at).await?;
    let (status, body) = exchange(stream, at, path).await?;
    let text = with_words(&format!("HTTP {status}"), &body);
    if (200..400).contains(&status) { Ok(format!("HTTP {status}")) } else { Err(text.into()) }
}

/// Sends the request, and reads the beginning of the answer.
async fn exchange(stream: TcpStream, at: SocketAddr, path: &str) -> Result<(u16, Vec<u8>), String> {
    let mut http = Builder::new();
    http.max_buf_size(BODY_BYTES_MAX).max_headers(HEADERS_MAX);
    let io = TokioIo::new(stream);
    let (sender, connection) = http.handshake(io).await.map_err(|err| no_answer(&err))?;
    let (mut answer, mut connection) = (pin!(answer(sender, at, path)), pin!(connection));
    tokio::select! {
        answer = &mut answer => answer,
        // Closed by the program; what it sent before is still there.
        _ = &mut connection => answer.await,
    }
}

async fn answer(
    mut sender: SendRequest<String>,
    at: SocketAddr,
    path: &str,
) -> Result<(u16, Vec<u8>), String> {
    let request = Request::get(path)
        .header(HOST, at.to_string())
        .header(USER_AGENT, "crux-check")
        .header(CONNECTION, "close")
        .body(String::new())
        .map_err(|_| format!("invalid path {path:?}"))?;
    let answer = sender.send_request(request).await.map_err(|err| no_answer(&err))?;
    Ok((answer.status().as_u16(), beginning(answer).await))
}

/// The beginning of a body. That it breaks off later changes nothing.
async fn beginning(answer: Response<Incoming>) -> Vec<u8> {
    let (mut body, mut bytes) = (answer.into_body(), Vec::new());
    while bytes.len() < BODY_BYTES_MAX
        && let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await
    {
        if let Some(data) = frame.data_ref() {
            let room = BODY_BYTES_MAX - bytes.len();
            bytes.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    bytes
}

fn no_answer(err: &hyper::Error) -> String {
    format!("no HTTP answer: {err}")
}
