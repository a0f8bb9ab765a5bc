//! The program that the testnet runs as a service. It needs nothing but the kernel, and is small.
//!
//! ```text
//! sample [NAME]          answers each HTTP request at $CRUX_ADDR:$PORT with its process number and its revision
//! sample exit CODE       ends at once, as a bad update does
//! sample write BYTES     writes so many bytes of lines to standard output; then answers as above, and with how many
//!                        microseconds that took, and one write at most
//! sample call ADDR PATH  asks another one, and prints what it answers
//! sample orphan          starts `sample nap`, and ends; that one is nobody's child then, and ends after a second
//! ```
//!
//! Some supervisors give a program its NAME. `GET /sick` has the next `GET /health` fail, once, and `GET /abort` ends
//! it by a signal, as a crash does. With $SAMPLE_WITH_PARENT it ends when the process that started it does.

#![forbid(unsafe_code)]

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::parent_id;
use std::process::{Command, ExitCode, abort, exit};
use std::thread;
use std::time::{Duration, Instant};

/// How long a caller may take to ask.
const ASKED_WITHIN: Duration = Duration::from_secs(2);
/// How much of a request is read, in bytes: the testnet's are shorter.
const REQUEST_MAX: usize = 1024;
/// A line that is written, in bytes with its end.
const LINE: usize = 100;
/// How many bytes are written at a time: about as many as a pipe holds.
const WRITE: usize = 640 * LINE;

/// How often it looks whether its parent is there.
const PARENT_EVERY: Duration = Duration::from_secs(1);
/// How long an orphan is there.
const NAP: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    if std::env::var_os("SAMPLE_WITH_PARENT").is_some() {
        end_with(parent_id());
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["nap"] => {
            thread::sleep(NAP);
            Ok(())
        }
        ["orphan"] => Command::new("/proc/self/exe").arg("nap").spawn().map(drop),
        [] | [_] => serve(""),
        ["call", addr, path] => call(addr, path),
        ["exit", code] => return code.parse::<u8>().map_or(ExitCode::from(2), ExitCode::from),
        ["write", bytes] => write(bytes).and_then(|took| serve(&took)),
        _ => Err(io::Error::other(
            "usage: sample [NAME | exit CODE | write BYTES | call ADDR PATH | orphan]",
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(io::stderr(), "sample: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

/// Ends this process when it has another parent.
fn end_with(parent: u32) {
    thread::spawn(move || {
        while parent_id() == parent {
            thread::sleep(PARENT_EVERY);
        }
        exit(1);
    });
}

/// Answers until it is killed, one caller after the other. `more`: what it says beside its number.
fn serve(more: &str) -> io::Result<()> {
    let variable = |name: &str| std::env::var(name).ok();
    let addr = variable("CRUX_ADDR").unwrap_or_else(|| "127.0.0.1".to_owned());
    let port = variable("PORT").ok_or_else(|| io::Error::other("PORT is not set"))?;
    let addr: IpAddr = addr.parse().map_err(io::Error::other)?;
    let port: u16 = port.parse().map_err(io::Error::other)?;
    let listener = TcpListener::bind(SocketAddr::new(addr, port))?;
    let rev = variable("CRUX_REV").unwrap_or_else(|| "-".to_owned());
    let body = format!("{} {rev} {more}\n", std::process::id());
    let mut sick = 0_u32;
    for caller in listener.incoming() {
        // A caller that hangs up does not end the program.
        caller.and_then(|caller| answer(caller, &body, &mut sick)).ok();
    }
    Ok(())
}

fn answer(mut caller: TcpStream, body: &str, sick: &mut u32) -> io::Result<()> {
    caller.set_read_timeout(Some(ASKED_WITHIN))?;
    let mut request = Vec::new();
    let mut part = [0; REQUEST_MAX];
    while !request.ends_with(b"\r\n\r\n") && request.len() < REQUEST_MAX {
        match caller.read(&mut part)? {
            0 => return Ok(()),
            count => request.extend_from_slice(&part[..count]),
        }
    }
    let status = match request.split(|byte| *byte == b' ').nth(1) {
        Some(b"/health") if *sick > 0 => {
            *sick -= 1;
            "503 Service Unavailable"
        }
        Some(b"/sick") => {
            *sick += 1;
            "200 OK"
        }
        Some(b"/abort") => abort(),
        _ => "200 OK",
    };
    let (head, length) = (format!("HTTP/1.1 {status}\r\nConnection: close\r\n"), body.len());
    caller.write_all(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes())
}

/// Prints what another one answers.
fn call(addr: &str, path: &str) -> io::Result<()> {
    let addr: SocketAddr = addr.parse().map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&addr, ASKED_WITHIN)?;
    stream.set_read_timeout(Some(ASKED_WITHIN))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes())?;
    let mut said = String::new();
    stream.take(REQUEST_MAX as u64).read_to_string(&mut said)?;
    let (_, body) = said.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    io::stdout().write_all(body.as_bytes())
}

/// Writes as fast as the reader takes it. Returns how many microseconds that took, and one write at most.
fn write(bytes: &str) -> io::Result<String> {
    let bytes: u64 = bytes.parse().map_err(io::Error::other)?;
    let mut line = vec![b'x'; LINE - 1];
    line.push(b'\n');
    let lines = line.repeat(WRITE / LINE);
    let (begun, mut longest) = (Instant::now(), Duration::ZERO);
    let mut out = io::stdout().lock();
    let mut left = bytes;
    while left > 0 {
        let count = usize::try_from(left).map_or(WRITE, |left| left.min(WRITE));
        let one = Instant::now();
        out.write_all(&lines[..count])?;
        longest = longest.max(one.elapsed());
        left -= count as u64;
    }
    out.flush()?;
    Ok(format!("{} {}", begun.elapsed().as_micros(), longest.as_micros()))
}
