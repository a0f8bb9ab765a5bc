//! A node as a process of its own, in a directory of its own.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long anything may take on a loaded machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A directory with a secret, and a node in it once it was started.
pub(crate) struct Node {
    pub(crate) dir: TempDir,
    pub(crate) child: Option<Child>,
}

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crux-node"));
    for name in ["CRUX_DATA_DIR", "CRUX_CONFIG", "CRUX_SECRET", "CRUX_SECRET_FILE", "CRUX_LOG"] {
        command.env_remove(name);
    }
    // What runs for the person who runs the tests is none of their business.
    for name in ["XDG_RUNTIME_DIR", "XDG_STATE_HOME", "HOME"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

impl Node {
    /// With a secret, and not started.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let node = Self { dir, child: None };
        let made = program()
            .args(["keygen", "--flock", "lab", "--no-operator", "--out"])
            .arg(node.path("secret"))
            .output()
            .expect("it runs");
        assert!(made.status.success(), "{made:?}");
        node
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `run` on this directory, without a secret.
    pub(crate) fn bare_command(&self) -> Command {
        let mut command = program();
        command.args(["run", "--listen", "127.0.0.1:0", "--data-dir"]).arg(self.path("d"));
        command
    }

    /// `run` on this directory, with the secret's file.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.bare_command();
        command.arg("--secret-file").arg(self.path("secret"));
        command
    }

    /// Starts it, and returns once it answers.
    pub(crate) fn start(&mut self, mut command: Command) {
        self.child = Some(command.spawn().expect("it runs"));
        self.until("it answers", |node| node.status().status.success());
    }

    /// Where its log goes if it goes to a file.
    pub(crate) fn log_file(&self) -> std::fs::File {
        let options = std::fs::OpenOptions::new().create(true).append(true).open(self.path("log"));
        options.expect("a file")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("it was started"))
    }

    /// The process below that, of a node that answers.
    pub(crate) fn fulcrum(&self) -> Pid {
        let status = self.ask(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("it answers");
        let pid = status["pid"].as_i64().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        pid.expect("a number")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it is there");
    }

    pub(crate) fn ask(&self, args: &[&str]) -> Output {
        program().args(args).arg("--data-dir").arg(self.path("d")).output().expect("it runs")
    }

    /// The same for a command line that ends with words that are not the command's own.
    pub(crate) fn ask_first(&self, args: &[&str]) -> Output {
        let mut command = program();
        command.arg("--data-dir").arg(self.path("d")).args(args);
        command.output().expect("it runs")
    }

    pub(crate) fn status(&self) -> Output {
        self.ask(&["status", "--timeout", "5s"])
    }

    /// Waits until something holds.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            let log = self.log();
            assert!(begun.elapsed() < LIMIT, "not within {LIMIT:?}: {what}\n{log}");
            if let Some(status) = self.ended() {
                panic!("it ended: {status}, before {what}\n{log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().expect("it can be asked"))
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn stop(&mut self, within: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                self.child = None;
                return status;
            }
            assert!(begun.elapsed() < within, "it does not end within {within:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}
