//! A picket in the process of a test.

use std::cell::RefCell;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crux_picket::handle::{Exit, GRACE, Keeper, Message, ORPHAN_TIME, Output, Start};
use crux_picket::image::{Image, source_of};
use crux_picket::launch::Spec;
use crux_picket::orphans::{self, Children};
use crux_picket::tree::{Process, Snapshot};

/// How long anything that should happen at once may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A picket with its directory.
pub(crate) struct World {
    pub(crate) dir: PathBuf,
    pub(crate) children: Rc<RefCell<Children>>,
    /// Removed when the world is.
    _temporary: Option<tempfile::TempDir>,
}

/// An instance of it, with what it printed.
pub(crate) struct Running {
    pub(crate) dir: PathBuf,
    pub(crate) keeper: Keeper,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) seen: Vec<Message>,
    outputs: Vec<(OwnedFd, bool)>,
    children: Rc<RefCell<Children>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = Self::at(dir.path());
        Self { _temporary: Some(dir), ..world }
    }

    /// In a directory that is another's.
    pub(crate) fn at(dir: &Path) -> Self {
        orphans::prepare().unwrap();
        Self { dir: dir.to_owned(), children: Rc::default(), _temporary: None }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A script of `/bin/sh`.
    pub(crate) fn script(&self, text: &str) -> Image {
        let path = self.path("image");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        Image::seal(&source_of(&path).unwrap()).unwrap()
    }

    /// The surroundings of a program: its directory, and arguments after its name.
    pub(crate) fn spec(&self, args: &[&str]) -> Spec {
        let argv = std::iter::once("web").chain(args.iter().copied());
        let dir = self.dir.to_str().unwrap().to_owned();
        Spec {
            argv: argv.map(str::to_owned).collect(),
            env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned()), ("D".to_owned(), dir)],
            dir: self.dir.clone(),
            user: None,
            nofile: 1024,
        }
    }

    pub(crate) fn order<'a>(&self, name: &str, image: &'a Image, program: Spec) -> Start<'a> {
        Start {
            dir: self.path("i").join(name),
            instance: name.to_owned(),
            detail: serde_json::Value::Null,
            image,
            program,
            orphan_time: ORPHAN_TIME,
            grace: GRACE,
        }
    }

    pub(crate) fn start(&self, name: &str, image: &Image, program: Spec) -> Running {
        self.run(self.order(name, image, program))
    }

    pub(crate) fn run(&self, start: Start<'_>) -> Running {
        let dir = start.dir.clone();
        let keeper = Keeper::start(start).unwrap();
        self.running(dir, keeper)
    }

    pub(crate) fn running(&self, dir: PathBuf, keeper: Keeper) -> Running {
        // An adopted one falls to this process too when its picket ends: that was its child.
        self.children.borrow_mut().keeper(keeper.process().unwrap());
        Running {
            dir,
            keeper,
            out: String::new(),
            err: String::new(),
            seen: Vec::new(),
            outputs: Vec::new(),
            children: Rc::clone(&self.children),
        }
    }
}

impl Running {
    /// Handles what happens until a condition holds.
    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + SOON;
        loop {
            self.look();
            if done(self) {
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "no {what}: {:?}; out {:?}, err {:?}",
                self.seen,
                self.out,
                self.err
            );
            // In steps: conditions may be about other things than descriptors.
            let step = Timespec::try_from(left.min(Duration::from_millis(20))).unwrap();
            let mut all = vec![PollFd::new(&self.keeper, PollFlags::IN)];
            all.extend(self.outputs.iter().map(|(pipe, _)| PollFd::new(pipe, PollFlags::IN)));
            poll(&mut all, Some(&step)).unwrap();
        }
    }

    fn look(&mut self) {
        while let Some(message) = self.keeper.receive().unwrap() {
            let message = match message {
                Message::Started { program, output } => {
                    self.take(output);
                    Message::Started { program, output: None }
                }
                Message::Adopted { output, .. } => {
                    self.take(Some(output));
                    continue;
                }
                other => other,
            };
            self.seen.push(message);
        }
        let mut outputs = std::mem::take(&mut self.outputs);
        outputs.retain(|(pipe, is_err)| {
            let mut bytes = [0; 65536];
            loop {
                let mut file = fs::File::from(pipe.as_fd().try_clone_to_owned().unwrap());
                match file.read(&mut bytes) {
                    Ok(0) => return false,
                    Ok(read) => {
                        let text = if *is_err { &mut self.err } else { &mut self.out };
                        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
                    }
                    Err(err) if err.kind() == ErrorKind::WouldBlock => return true,
                    Err(err) => panic!("{err}"),
                }
            }
        });
        self.outputs = outputs;
    }

    pub(crate) fn take(&mut self, output: Option<Output>) {
        let Some(output) = output else { return };
        self.outputs = vec![(output.stdout, false), (output.stderr, true)];
    }

    pub(crate) fn started(&mut self) -> Process {
        let started = |message: &Message| match message {
            Message::Started { program, .. } => Some(*program),
            _ => None,
        };
        self.until("start", |this| this.seen.iter().any(|message| started(message).is_some()));
        self.seen.iter().find_map(started).unwrap()
    }

    pub(crate) fn exited(&mut self) -> Exit {
        let exited = |message: &Message| match message {
            Message::Exited(exit) => Some(*exit),
            _ => None,
        };
        self.until("exit", |this| this.seen.iter().any(|message| exited(message).is_some()));
        self.seen.iter().find_map(exited).unwrap()
    }

    /// Why it failed.
    pub(crate) fn failed(&mut self) -> String {
        let failed = |message: &Message| match message {
            Message::Failed { text } => Some(text.clone()),
            _ => None,
        };
        self.until("failure", |this| this.seen.iter().any(|message| failed(message).is_some()));
        self.seen.iter().find_map(failed).unwrap()
    }

    pub(crate) fn prints(&mut self, text: &str) {
        self.until(text, |this| this.out.contains(text));
    }

    /// Whether it ended clean, and how many were killed. All of it is gone then.
    pub(crate) fn gone(&mut self) -> (bool, u32) {
        let gone = |message: &Message| match message {
            Message::Gone { clean, killed } => Some((*clean, *killed)),
            _ => None,
        };
        self.until("end", |this| this.seen.iter().any(|message| gone(message).is_some()));
        let answer = self.seen.iter().find_map(gone).unwrap();
        assert_eq!(self.children.borrow_mut().sweep().left, 0);
        answer
    }

    /// Kills it, and has its output to the end.
    pub(crate) fn kill(&mut self) -> u32 {
        self.keeper.kill();
        let (clean, killed) = self.gone();
        assert!(clean, "{:?}", self.seen);
        self.until("end of output", |this| this.outputs.is_empty());
        crux_picket::record::remove(&self.dir).unwrap();
        killed
    }
}

/// Waits for a condition.
pub(crate) fn soon(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + SOON;
    while !done() {
        assert!(Instant::now() < end, "not soon: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The processes of this machine with a text in their command line.
pub(crate) fn with_command(text: &str) -> Vec<i32> {
    let has = |pid: &i32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).replace('\0', " ").contains(text)
    };
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(has)
        .filter(|&pid| crux_picket::tree::stat(pid).is_some_and(|s| s.is_alive()))
        .collect()
}

/// The number of processes alive below this one.
pub(crate) fn below_me() -> usize {
    Snapshot::take().below(i32::try_from(std::process::id()).unwrap()).len()
}

/// A keeper closes its socket, and then it ends.
pub(crate) fn nothing_below_me() {
    soon("nothing is left", || below_me() == 0);
}

/// The test's own program as an image.
pub(crate) fn own_program() -> Image {
    Image::seal(&source_of(Path::new("/proc/self/exe")).unwrap()).unwrap()
}
