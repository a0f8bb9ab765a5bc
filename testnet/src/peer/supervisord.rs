//! supervisord, spoken to in XML-RPC over its socket.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Packages, PeerProcess};
use crate::Error;
use crate::sample::WITH_PARENT;
use crate::wait::{self, Seen};

/// How long it may take until it answers: it is in Python.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long one call may take.
const CALL_WITHIN: Duration = Duration::from_secs(10);
/// How much of an answer is read, in bytes.
const ANSWER_MAX: u64 = 64 * 1024;
/// The main function of its package, wherever that is: the installed script names an interpreter.
const MAIN: &str = "from supervisor.supervisord import main; main()";

/// A supervisord that runs no program yet. Dropping kills it; its programs end with it.
#[derive(Debug)]
pub struct Supervisord {
    process: PeerProcess,
    socket: PathBuf,
}

impl Supervisord {
    /// Starts it with these programs and their ports; they are called 0, 1 and so on. `None`: it is not there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::TimedOut`] when it does not answer, [`Error::Died`].
    pub async fn start(
        exe: &Path,
        packages: &Packages,
        home: &Path,
        programs: &[(PathBuf, u16)],
    ) -> Result<Option<Self>, Error> {
        let found = packages.find("supervisord").zip(packages.find("python3"));
        let (Some((_, python)), Some(env)) = (found, packages.find("env")) else { return Ok(None) };
        let socket = home.join("supervisord.sock");
        let (file, log) = (home.join("supervisord.conf"), home.join("supervisord.out"));
        fs::write(&file, config(home, &socket, programs))
            .map_err(Error::io(format!("write {}", file.display())))?;
        let mut args: Vec<std::ffi::OsString> = Vec::new();
        for (name, value) in packages.environment() {
            let mut pair = std::ffi::OsString::from(name);
            pair.push("=");
            pair.push(value);
            args.push(pair);
        }
        args.extend([python.into(), "-c".into(), MAIN.into(), "-n".into(), "-c".into()]);
        args.push(file.into());
        let process = PeerProcess::start(exe, "supervisord", &env, &args, &log)?;
        let mut started = Self { process, socket };
        started.until_ready().await?;
        Ok(Some(started))
    }

    async fn until_ready(&mut self) -> Result<(), Error> {
        let Self { process, socket } = self;
        wait::until("supervisord answers", READY_WITHIN, async || {
            process.check()?;
            Ok(match call(socket, "supervisor.getState", "").await {
                Ok(_) => Seen::Done(()),
                Err(error) => Seen::NotYet(error.to_string()),
            })
        })
        .await
    }

    /// Asks it to start a program; returns when it says that it does.
    ///
    /// # Errors
    ///
    /// [`Error::Peer`] when it says something else.
    pub async fn start_program(&self, at: usize) -> Result<(), Error> {
        let params = format!(
            "<param><value><string>{at}</string></value></param>\
             <param><value><boolean>0</boolean></value></param>"
        );
        let said = call(&self.socket, "supervisor.startProcess", &params).await?;
        if said.contains("<boolean>1</boolean>") { Ok(()) } else { Err(odd(&said)) }
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }
}

fn config(home: &Path, socket: &Path, programs: &[(PathBuf, u16)]) -> String {
    let (home, socket) = (home.display(), socket.display());
    let mut text = format!(
        "[supervisord]\nnodaemon=true\nlogfile={home}/supervisord.log\npidfile={home}/supervisord.pid\n\
         [unix_http_server]\nfile={socket}\n[rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n"
    );
    for (at, (program, port)) in programs.iter().enumerate() {
        let program = program.display();
        // A String takes what is written to it.
        let _ = write!(
            text,
            "[program:{at}]\ncommand={program}\nenvironment=PORT=\"{port}\",{WITH_PARENT}=\"1\"\n\
             autostart=false\nautorestart=true\nstartsecs=1\n"
        );
    }
    text
}

/// Calls a method; returns the body of the answer.
async fn call(socket: &Path, method: &str, params: &str) -> Result<String, Error> {
    let body = format!(
        "<?xml version=\"1.0\"?><methodCall><methodName>{method}</methodName>\
         <params>{params}</params></methodCall>"
    );
    let request = format!(
        "POST /RPC2 HTTP/1.0\r\nHost: localhost\r\nContent-Type: text/xml\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let ask = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut said = String::new();
        stream.take(ANSWER_MAX).read_to_string(&mut said).await?;
        Ok::<_, std::io::Error>(said)
    };
    let said = timeout(CALL_WITHIN, ask).await;
    let said = said.map_err(|_| odd("nothing"))?.map_err(Error::io("call supervisord"))?;
    match said.split_once("\r\n\r\n") {
        Some((head, body)) if head.contains(" 200 ") && !body.contains("<fault>") => {
            Ok(body.to_owned())
        }
        _ => Err(odd(&said)),
    }
}

fn odd(said: &str) -> Error {
    Error::Peer { peer: "supervisord", what: format!("it said {said}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_has_its_port_and_waits_to_be_started() {
        let programs = [(PathBuf::from("/h/a"), 7), (PathBuf::from("/h/b"), 8)];
        let text = config(Path::new("/h"), Path::new("/h/s"), &programs);
        for part in [
            "file=/h/s\n",
            "[program:0]\ncommand=/h/a\nenvironment=PORT=\"7\",SAMPLE_WITH_PARENT=\"1\"\nautostart=false",
            "[program:1]\ncommand=/h/b\nenvironment=PORT=\"8\"",
        ] {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
    }
}
