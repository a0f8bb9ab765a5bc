//! A picket in a process of its own, with a fulcrum that only answers, asked over its socket.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crux_client::model::{Instance, InstanceState, Settled};
use crux_client::op::{AddService, Call, Goal, ListInstances, Until};
use crux_client::socket::Door;
use crux_client::{Client, Error};
use crux_picket::tree::Process;
use rustix::process::Signal;

use crate::world::SOON;

/// A picket in a process of its own, and its data directory.
pub(crate) struct Picket {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) child: Option<Child>,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl Picket {
    pub(crate) fn new() -> Self {
        let mut picket = Self::not_started();
        picket.start();
        picket
    }

    pub(crate) fn not_started() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("blobs")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { dir, child: None, runtime }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("/proc/self/exe");
        command.args(["run", self.dir.path().to_str().unwrap()]).stdin(Stdio::null());
        command
    }

    pub(crate) fn start(&mut self) {
        self.child = Some(self.command().spawn().unwrap());
        self.until("it answers", |picket| picket.ask(&ListInstances::default()).is_ok());
    }

    /// Has the fulcrum end by itself, with this kind of error.
    pub(crate) fn end_fulcrum(&self, kind: &str) {
        fs::write(self.path("end.new"), kind).unwrap();
        fs::rename(self.path("end.new"), self.path("end")).unwrap();
    }

    pub(crate) fn answers(&self) -> bool {
        self.ask(&ListInstances::default()).is_ok()
    }

    pub(crate) fn process(&self) -> Process {
        Process::now(i32::try_from(self.child.as_ref().unwrap().id()).unwrap()).unwrap()
    }

    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM; the fulcrum's exit code says that it was told to stop.
    pub(crate) fn stop(&mut self) {
        self.process().signal(Signal::TERM);
        let begun = Instant::now();
        let status = self.child.take().unwrap().wait().unwrap();
        assert_eq!(status.code(), Some(3));
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    }

    pub(crate) fn ask<C: Call>(&self, op: &C) -> Result<C::Answer, Error> {
        self.runtime.block_on(async {
            let client = Client::connect_at(self.dir.path(), Door::Picket, SOON).await?;
            client.call(op).await
        })
    }

    /// A script that is a blob, and its id.
    pub(crate) fn script(&self, text: &str) -> String {
        let hash = blake3::hash(text.as_bytes()).to_hex().to_string();
        let path = self.path("blobs").join(&hash);
        fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
        hash
    }

    pub(crate) fn add(&self, name: &str, script: &str, more: &str) -> Result<Settled, Error> {
        let image = self.script(script);
        let config = format!(r#"{{"name": "{name}", "image": "{image}", "drain": "0ms"{more}}}"#);
        let config = serde_json::from_str(&config).unwrap();
        self.ask(&AddService { config, until: until(Goal::Up) })
    }

    pub(crate) fn rows(&self) -> Vec<Instance> {
        self.ask(&ListInstances { service: None, all: true }).unwrap()
    }

    pub(crate) fn row(&self) -> Instance {
        let rows = self.rows();
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.into_iter().next().unwrap()
    }

    /// The program of the one instance, if it runs.
    pub(crate) fn pid_of_one(&self) -> Option<Process> {
        let rows = self.ask(&ListInstances { service: None, all: true }).ok()?;
        rows.iter().find_map(|row| Process::now(i32::try_from(row.pid?).ok()?))
    }

    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < SOON, "{what}: {ended:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn registered(&self) -> String {
        fs::read_to_string(self.path("registered")).unwrap_or_default()
    }
}

impl Drop for Picket {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

pub(crate) fn until(goal: Goal) -> Until {
    Until { goal, within: SOON, generation: None }
}

pub(crate) fn process(row: &Instance) -> Process {
    Process::now(i32::try_from(row.pid.unwrap()).unwrap()).unwrap()
}

pub(crate) fn is_up(picket: &Picket) -> bool {
    picket.rows().iter().all(|row| row.state == InstanceState::Up)
}

/// Whether the one instance is up, as another process than before.
pub(crate) fn is_another(picket: &Picket, before: Process) -> bool {
    let row = picket.row();
    let pid = row.pid.and_then(|pid| i32::try_from(pid).ok());
    row.state == InstanceState::Up && pid.is_some_and(|pid| pid != before.pid)
}
