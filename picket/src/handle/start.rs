//! Starting an instance.
//!
//! The order of the steps is what makes a crash between any two of them harmless:
//!
//! 1. the record, without a keeper, on disk;
//! 2. the listening socket, held by this picket;
//! 3. the keeper's process, which waits for its order and ends if the picket does;
//! 4. the record, with the keeper's identity;
//! 5. one message with order, image and listener.
//!
//! Until 5 nothing can run. From 5 on the listener lives in the message, then in the keeper: a later
//! picket connects to it, whatever the keeper is doing, and so finds that the instance is held.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};

use super::Keeper;
use crate::crash::{self, Spawn};
use crate::durable::Sync;
use crate::image::{Image, Unusable};
use crate::keeper::{self, BEGIN, Order};
use crate::launch::{Spec, SpecError};
use crate::record::{Record, RecordError, SOCKET, Token};
use crate::tree::Process;
use crate::{fds, orphans};

/// How long a keeper waits for another picket before it ends its tree. Longer than a service manager
/// takes to start the picket again; from the design.
pub const ORPHAN_TIME: Duration = Duration::from_secs(30);
/// How long a program may take to end then, before it is killed. From the design.
pub const GRACE: Duration = Duration::from_secs(5);
/// How many connections wait for a keeper. Those beyond find it busy, and try again.
const BACKLOG: i32 = 8;

/// An instance to be started.
#[derive(Debug)]
pub struct Start<'a> {
    /// Its directory, which is made. No keeper may hold it: see [`super::adopt`].
    pub dir: PathBuf,
    /// Its id.
    pub instance: String,
    /// The facts about it that a later picket needs.
    pub detail: serde_json::Value,
    /// The image that it runs.
    pub image: &'a Image,
    /// And with what.
    pub program: Spec,
    /// How long its keeper waits for a picket; [`ORPHAN_TIME`].
    pub orphan_time: Duration,
    /// How long its tree may take to end then; [`GRACE`].
    pub grace: Duration,
}

/// Why an instance was not started. Nothing of it runs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The machine cannot run the image.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The program cannot have this.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// It could not be recorded.
    #[error("the instance could not be recorded, so it was not started: {0}")]
    Record(#[from] RecordError),
    /// The system refuses.
    #[error("{doing}: {source}; the program was not started")]
    Io {
        /// The step that failed.
        doing: &'static str,
        /// The error of the system.
        source: io::Error,
    },
}

impl StartError {
    fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}

impl Keeper {
    /// Starts an instance, and returns before its program is executed.
    ///
    /// # Errors
    /// [`StartError`]. The directory may be left; the caller removes it as after an end.
    pub fn start(start: Start<'_>) -> Result<Self, StartError> {
        start.image.program().check()?;
        start.program.check()?;
        let record = record(&start.dir, &start.instance, start.detail.clone())?;
        Self::start_recorded(start, record)
    }

    /// The same for an instance that was [recorded](record) before.
    ///
    /// # Errors
    /// [`StartError`], as [`Keeper::start`].
    pub fn start_recorded(start: Start<'_>, mut record: Record) -> Result<Self, StartError> {
        let (dir, token) = (start.dir.clone(), record.token.clone());
        let listener = || listener(&dir.join(SOCKET));
        Self::begin(start, token, listener, |process| {
            record.keeper = Some(process);
            // Worth nothing in another boot, so it does not wait for the disk.
            record.write(&dir, Sync::Memory)
        })
    }

    /// Starts a program that is worth nothing without this picket: nothing of it is written anywhere, and no later
    /// picket finds it. Its keeper ends it as soon as this picket ends.
    ///
    /// # Errors
    /// [`StartError`], as [`Keeper::start`].
    pub fn start_passing(start: Start<'_>) -> Result<Self, StartError> {
        let token = Token::random().map_err(StartError::io("getting randomness"))?;
        let start = Start { orphan_time: Duration::ZERO, grace: Duration::ZERO, ..start };
        Self::begin(start, token, nameless_listener, |_| Ok(()))
    }

    fn begin(
        start: Start<'_>,
        token: Token,
        listener: impl FnOnce() -> io::Result<OwnedFd>,
        note: impl FnOnce(Process) -> Result<(), RecordError>,
    ) -> Result<Self, StartError> {
        start.image.program().check()?;
        start.program.check()?;
        let order = Order {
            instance: start.instance,
            token,
            orphan_ms: millis(start.orphan_time),
            grace_ms: millis(start.grace),
            script: start.image.program().is_script(),
            program: start.program,
        };
        let order = order.write().map_err(StartError::io("writing the keeper's order"))?;
        let listener = listener().map_err(StartError::io("making the keeper's socket"))?;
        crash::point("handle.listen.after");
        let spawned = spawn().map_err(StartError::io("starting the keeper"));
        let (socket, process) = spawned?;
        note(process)?;
        crash::point("handle.begin.before");
        fds::send(&socket, BEGIN, &[order.as_fd(), start.image.as_fd(), listener.as_fd()])
            .map_err(StartError::io("handing the keeper its order"))?;
        crash::point("handle.begin.after");
        Ok(Self::new(socket, Some(process)))
    }
}

/// Records an instance that is to be started: the first step.
///
/// # Errors
/// [`StartError`]. The directory may be left; the caller removes it as after an end.
pub fn record(dir: &Path, instance: &str, detail: serde_json::Value) -> Result<Record, StartError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(StartError::io("making the instance's directory"))?;
    let record = Record::new(instance, detail);
    let record = record.map_err(StartError::io("naming this boot"))?;
    record.write(dir, Sync::Disk)?;
    Ok(record)
}

fn spawn() -> io::Result<(OwnedFd, Process)> {
    let (ours, theirs) = fds::pair()?;
    let mut command = keeper::bare(keeper::VERB);
    command.stdin(theirs);
    // Reaped with all other children of this process.
    let (_child, process) = orphans::spawn(Spawn::Keeper, &mut command)?;
    Ok((ours, process))
}

fn listener(path: &Path) -> io::Result<OwnedFd> {
    match std::fs::remove_file(path) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
        _ => {}
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    let (_dir, address) = address(path)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// A listener that has no name in any file system. The keeper shows it to nobody, and whoever guesses the name of it
/// is asked for the token all the same.
fn nameless_listener() -> io::Result<OwnedFd> {
    use rustix::rand::{GetRandomFlags, getrandom};

    let mut name = [0; 16];
    getrandom(&mut name, GetRandomFlags::empty())?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    bind(&socket, &SocketAddrUnix::new_abstract_name(&name)?)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// The address of a keeper's socket, good while the descriptor is open. Addresses of sockets have at most 107 bytes, and
/// names of instances alone may be longer; so it leads there through the directory's descriptor.
pub(super) fn address(path: &Path) -> rustix::io::Result<(OwnedFd, SocketAddrUnix)> {
    use rustix::fs::{Mode, OFlags, open};

    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(rustix::io::Errno::INVAL);
    };
    let dir = open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&dir);
    let address =
        SocketAddrUnix::new(Path::new("/proc/self/fd").join(number.to_string()).join(name))?;
    Ok((dir, address))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
