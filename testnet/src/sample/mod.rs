//! The program that the testnet runs as a service: `sample/main.rs`, which `build.rs` compiled.
//!
//! It answers each HTTP request with its process number, so that a caller knows which process answered.

mod service;

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Error;

pub use service::{PORT, UP_WITHIN, add, config, fields, read, until_up};

/// The program, as its bytes.
pub const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sample"));

/// The same, static; empty where that could not be made.
const STATIC: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sample-static"));

/// With this variable the program ends when the process that started it does: for supervisors that are killed, and
/// would leave it behind.
pub const WITH_PARENT: &str = "SAMPLE_WITH_PARENT";

/// How long one call may take.
const CALL_WITHIN: Duration = Duration::from_secs(2);

/// How much of an answer is read, in bytes: it is far shorter.
const ANSWER_MAX: u64 = 4096;

/// The program for a container with an empty root; `None`: this machine cannot make static programs.
#[must_use]
pub const fn static_program() -> Option<&'static [u8]> {
    if STATIC.is_empty() { None } else { Some(STATIC) }
}

/// The program with bytes after its end, so that it has `bytes` in all; they are like those of a large program, of
/// which each is read once.
///
/// # Panics
///
/// If the program is larger.
#[must_use]
pub fn padded(bytes: usize) -> Vec<u8> {
    let room = bytes.checked_sub(PROGRAM.len()).expect("the program is smaller than 1 MB");
    let padding =
        (0..room as u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()[7]);
    PROGRAM.iter().copied().chain(padding).collect()
}

/// An answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The process that gave it.
    pub pid: u32,
    /// Its revision; `-` where nobody told it.
    pub rev: String,
    /// The rest of its answer: of `write`, the microseconds of all, and of one write at most.
    pub more: Vec<u64>,
}

/// Calls the program.
///
/// # Errors
///
/// As [`call_at`].
pub async fn call(addr: SocketAddr) -> Result<Answer, Error> {
    call_at(addr, "/").await
}

/// Calls the program at a path.
///
/// # Errors
///
/// [`Error::Broken`] when nobody answers there, or somebody else does.
pub async fn call_at(addr: SocketAddr, path: &str) -> Result<Answer, Error> {
    let broken = |why: String| Error::Broken(format!("the call to {addr} failed: {why}"));
    let said = timeout(CALL_WITHIN, ask(addr, path)).await;
    let said = said.map_err(|_| broken(format!("no answer within {CALL_WITHIN:?}")))?;
    let said = said.map_err(|error| broken(error.to_string()))?;
    answer(&said).ok_or_else(|| broken(format!("it said {said:?}")))
}

/// Kills a process of the program, as a crash does.
///
/// # Errors
///
/// [`Error::Io`] when the system refuses, [`Error::Broken`] when it has no process of that number.
pub fn kill(number: u32) -> Result<(), Error> {
    kill_process(pid(number)?, Signal::KILL)
        .map_err(|errno| Error::io(format!("kill process {number}"))(errno.into()))
}

/// The number of a process as the system takes it.
///
/// # Errors
///
/// [`Error::Broken`] when it cannot be one.
pub fn pid(number: u32) -> Result<Pid, Error> {
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| Error::Broken(format!("no process has the number {number}")))
}

async fn ask(addr: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: sample\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut said = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut said).await?;
    Ok(said)
}

/// The answer in what it said.
fn answer(said: &str) -> Option<Answer> {
    let (head, body) = said.split_once("\r\n\r\n")?;
    let mut words = body.split_whitespace();
    let pid = words.next()?.parse().ok().filter(|_| head.starts_with("HTTP/1.1 200 "))?;
    let rev = words.next()?.to_owned();
    let more = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
    Some(Answer { pid, rev, more })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::{Child, Command};

    use super::*;
    use crate::wait::{self, Seen};

    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            self.0.kill().ok();
            self.0.wait().ok();
        }
    }

    async fn answers(program: &[u8]) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("sample");
        std::fs::write(&path, program).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
            .expect("it is ours");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let addr = free.local_addr().expect("it has one");
        drop(free);
        let mut command = Command::new(&path);
        command.env("PORT", addr.port().to_string()).env("CRUX_REV", "v7");
        let running = Running(command.spawn().expect("it runs"));
        let within = Duration::from_secs(10);
        let answer = wait::until("it answers", within, async || {
            Ok(match call(addr).await {
                Ok(answer) => Seen::Done(answer),
                Err(error) => Seen::NotYet(error.to_string()),
            })
        });
        let expected = Answer { pid: running.0.id(), rev: "v7".to_owned(), more: Vec::new() };
        assert_eq!(answer.await.expect("it answers"), expected);
        call_at(addr, "/sick").await.expect("it answers");
        call_at(addr, "/health").await.expect_err("it is sick");
        call_at(addr, "/health").await.expect("it was sick once");
        drop(running);
        assert!(call(addr).await.is_err(), "nobody is left to answer");
    }

    #[tokio::test]
    async fn the_program_answers_with_its_process() {
        answers(PROGRAM).await;
        answers(&padded(1_000_000)).await;
        if let Some(program) = static_program() {
            answers(program).await;
        }
    }

    #[test]
    fn what_somebody_else_says_is_no_answer() {
        let said = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n12 v1\n";
        let expected = |more| Some(Answer { pid: 12, rev: "v1".to_owned(), more });
        assert_eq!(answer(said), expected(Vec::new()));
        assert_eq!(answer("HTTP/1.1 200 OK\r\n\r\n12 v1 40 9\n"), expected(vec![40, 9]));
        let not_found = "HTTP/1.1 404 Not Found\r\n\r\n12 v1";
        for odd in ["", "12 v1", not_found, "HTTP/1.1 200 OK\r\n\r\nhi you"] {
            assert_eq!(answer(odd), None, "{odd:?}");
        }
    }
}
