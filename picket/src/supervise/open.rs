//! How the shell begins: what is wanted, what is known, what runs already.

use std::path::Path;
use std::sync::Arc;

use crux_client::{Error, Kind};
use crux_protocol::picket::{Event, Record, Version};
use rustix::rand::{GetRandomFlags, getrandom};
use tokio::sync::watch;

use super::adopt::{self, All, Old, Taken};
use super::calls::Desk;
use super::health::{Book, Health};
use super::instance::Instance;
use super::node::Node;
use super::places::Places;
use super::post::{self, Post};
use super::shell::{Beginning, Shell};
use super::work::Done;
use crate::clock;
use crate::desired::{DesiredError, Store};
use crate::events::Events;
use crate::record::boot_id;

/// The largest list of registrations that is read: a few hundred of them are 50 kB.
const LEDGER_BYTES_MAX: u64 = 1 << 20;

/// A shell that has begun to look for instances of an earlier picket, with what its API asks and shows. Must be called
/// within the runtime, in a data directory that this process has locked.
///
/// The log and callers hear of a service config that is damaged; then services that run continue, and none is
/// started.
///
/// # Errors
/// The directory cannot be used; or the service config has another build's format, or is an old copy.
pub(crate) fn open(data_dir: &Path) -> Result<(Shell, Desk, Health), Error> {
    let io = |doing: &'static str| move |err: std::io::Error| Error::io(doing, &err);
    let places = Places::new(data_dir).map_err(io("finding the data directory"))?;
    make(&places.picket()).map_err(io("making the picket's directory"))?;
    let desired = match Store::open(&places.picket()) {
        Ok(opened) => Ok(opened),
        Err(err) if err.is_damage() => {
            tracing::error!(error = %err, "no service is started");
            Err(damaged(&err))
        }
        Err(err) => return Err(damaged(&err)),
    };
    let ledger = read(&places.registered()).map_err(io("reading the list of registrations"))?;
    let mut seed = [0; 32];
    getrandom(&mut seed, GetRandomFlags::empty())
        .map_err(|err| Error::io("getting randomness", &err.into()))?;
    let (desk, calls) = Desk::new();
    let (book, shown) = watch::channel(Arc::new(Book::default()));
    let node = Node::read(&places.node());
    let boot = boot_id().map_err(io("finding out which boot of the machine this is"))?;
    let events = Events::open(&places.picket(), &boot, clock::now());
    let events = events.map_err(|err| Error::new(Kind::Io, err.to_string()))?;
    let post = Post::new(post::read(&ledger));
    let instances = places.instances();
    let mut shell = Shell::new(Beginning {
        places,
        desired,
        seed,
        node,
        post,
        events: Arc::new(events),
        calls,
        book,
    });
    shell.tasks.spawn_blocking(move || Done::Found(adopt::find(&instances)));
    Ok((shell, desk, Health(shown)))
}

impl Shell {
    /// Takes in the instances of an earlier picket.
    pub(super) fn on_found(&mut self, found: std::io::Result<All>) {
        let All { old, unknown } = match found {
            Ok(found) => found,
            Err(error) => {
                // Nothing is known of what runs, so nothing is started beside it.
                tracing::error!(%error, "the records of instances cannot be read; no service is started");
                self.damage = Some(Error::io("reading the records of instances", &error));
                self.is_adopted = true;
                return;
            }
        };
        for Old { record, found, taken } in old {
            self.tell(Event::Found { record: record.clone(), found });
            if let Some(taken) = taken {
                self.take_over(&record, taken);
            }
        }
        if unknown.is_empty() {
            return self.on_free();
        }
        self.tasks.spawn_blocking(move || {
            adopt::wait_and_clear(&unknown);
            Done::Free
        });
    }

    fn take_over(&mut self, record: &Record, taken: Taken) {
        let id = record.instance.clone();
        let mut instance = Instance::new(record.clone(), self.version_of(record));
        (instance.program, instance.told) = (taken.program, true);
        instance.leader = taken.program.or(taken.noted);
        if let Some(program) = taken.program.filter(|_| taken.noted.is_none()) {
            // The picket before ended when it was just started.
            self.note_program(&id, program);
        }
        match instance.attach(taken.keeper) {
            Ok(()) => {
                self.instances.insert(id.clone(), instance);
                self.drain(&id, taken.output);
            }
            Err((keeper, error)) => {
                tracing::error!(instance = %id, %error, "a keeper cannot be waited for; it is ended");
                self.tasks.spawn_blocking(move || {
                    keeper.kill();
                    adopt::until_gone(keeper);
                    Done::Lost(id)
                });
            }
        }
    }

    /// Nothing of earlier instances is left that was not taken over. From here on the engine starts others.
    pub(super) fn on_free(&mut self) {
        self.is_adopted = true;
        self.adopted();
        self.prune_logs(true);
    }
}

impl Shell {
    /// The content that a recorded instance was made from.
    fn version_of(&self, record: &Record) -> Option<Arc<Version>> {
        let wanted = self.engine.wanted_of(&record.service)?;
        let all = [Some(&wanted.current), wanted.previous.as_ref()];
        all.into_iter().flatten().find(|version| version.number == record.version).cloned()
    }
}

fn damaged(err: &DesiredError) -> Error {
    Error::new(err.kind(), err.to_string()).augment("the node's service config")
}

/// Makes a directory, and that durable: what is written in it later is flushed with it only.
fn make(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    crate::durable::sync_parent(dir)
}

/// A file that may be missing.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    match std::fs::File::open(path) {
        Ok(file) => file.take(LEDGER_BYTES_MAX).read_to_end(&mut bytes).map(|_| bytes),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(bytes),
        Err(err) => Err(err),
    }
}
