//! Instances of an earlier picket: found by their records, taken over where they run, cleared away where not.
//!
//! | record | keeper | what becomes of it |
//! |---|---|---|
//! | of this boot | answers | taken over, with its program or with how that ended |
//! | of this boot | ends its tree already | helped with that, then gone |
//! | of this boot | is stopped, or refuses the token | ended from outside, then gone |
//! | of this boot | none | what its program left is killed, then gone |
//! | of another boot | – | gone; no process id in it means anything, and nothing is signalled |
//! | damaged, or of another build | may be | waited for: it ends its tree by itself, and until then nothing starts |
//!
//! **Invariant**: when this is over, nothing of an instance runs that was not taken over, also not what its program had
//! started. So nothing is started twice. The picket watches an instance that it took over as soon as it finds
//! it; only new starts wait for those that are waited for.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crux_protocol::picket::{Found, Record};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::AsFd as _;
use tracing::{error, warn};

use super::detail::Detail;
use super::instance::exit;
use super::work::was_up;
use crate::handle::{self, Adoption, Exit, Keeper, Message, Output};
use crate::record::{self, Record as Kept};
use crate::tree::{self, Mark, Process};

/// How long all keepers together may take to answer. They wait for nothing else: one that takes longer is stopped, or
/// the machine is.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How long a keeper may take to finish the start that was under way, and to kill its tree.
const SETTLE_MAX: Duration = Duration::from_secs(5);
/// How long a keeper may go on that is not ours to talk to: the time that it waits for a picket, that which its program
/// has to end, and some.
const HELD_MAX: Duration =
    Duration::from_secs(handle::ORPHAN_TIME.as_secs() + handle::GRACE.as_secs() + 5);
/// How often a keeper is asked again, and after how long, that could not be asked for want of descriptors.
const ASK_AGAIN: u32 = 10;
const ASK_EVERY: Duration = Duration::from_millis(500);
/// How often it is looked whether it is there.
const HELD_EVERY: Duration = Duration::from_millis(50);

/// An instance that was found.
#[derive(Debug)]
pub(super) struct Old {
    pub(super) record: Record,
    pub(super) found: Found,
    pub(super) taken: Option<Taken>,
}

/// The keeper that was taken over, with its program and its output.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) keeper: Keeper,
    pub(super) program: Option<Process>,
    /// The program, or the one that was, as its record has it.
    pub(super) noted: Option<Process>,
    pub(super) output: Output,
}

/// All that an earlier picket left.
#[derive(Debug)]
pub(super) struct All {
    pub(super) old: Vec<Old>,
    /// Directories of which nothing is known, and that a keeper may hold: see [`wait_and_clear`].
    pub(super) unknown: Vec<PathBuf>,
}

/// Finds the instances below a directory. Takes as long as their keepers do.
///
/// # Errors
/// The directory cannot be read.
pub(super) fn find(instances: &Path) -> io::Result<All> {
    let mut known = Vec::new();
    let mut all = All { old: Vec::new(), unknown: Vec::new() };
    for (dir, read) in record::all(instances)? {
        match read {
            Ok(kept) => known.push((dir, kept)),
            Err(error) => {
                if !matches!(error, record::RecordError::Missing(_)) {
                    warn!(%error, "the record of an instance says nothing");
                }
                all.unknown.push(dir);
            }
        }
    }
    let mut marks = Vec::new();
    for ((dir, kept), adoption) in known.iter().zip(ask(&known)?) {
        if !matches!(adoption, Adoption::Adopted(..) | Adoption::OtherBoot) {
            marks.push(Mark::new(&kept.instance, kept.program));
        }
        match old(dir, kept, adoption) {
            Some(old) => all.old.push(old),
            None => all.unknown.push(dir.clone()),
        }
    }
    clear_up(&marks);
    Ok(all)
}

/// Asks all keepers, and those again that could not be asked.
fn ask(known: &[(PathBuf, Kept)]) -> io::Result<Vec<Adoption>> {
    let mut all = handle::adopt(known, ANSWER_MAX)?;
    for _ in 0..ASK_AGAIN {
        let left = all.iter().enumerate().filter(|(_, it)| matches!(it, Adoption::NotAsked(_)));
        let left: Vec<usize> = left.map(|(at, _)| at).collect();
        if left.is_empty() {
            break;
        }
        std::thread::sleep(ASK_EVERY);
        for at in left {
            all[at] = handle::adopt(&known[at..=at], ANSWER_MAX)?.remove(0);
        }
    }
    Ok(all)
}

/// Kills what programs left whose keepers are dead.
fn clear_up(marks: &[Mark]) {
    if marks.is_empty() {
        return;
    }
    let killed = tree::kill_marked(marks, SETTLE_MAX);
    if killed.processes > 0 {
        warn!(killed = killed.processes, "killed what programs left whose keepers were dead");
    }
    if killed.left > 0 {
        error!(left = killed.left, "the kernel does not let go of processes");
    }
}

/// Waits until nobody holds these directories, and removes them. One that cannot be removed is nobody's instance all
/// the same.
pub(super) fn wait_and_clear(unknown: &[PathBuf]) {
    wait_until_free(unknown, HELD_MAX);
    for dir in unknown {
        if let Err(error) = record::remove(dir) {
            warn!(dir = %dir.display(), %error, "what is left of an instance cannot be removed");
        }
    }
}

/// The instance that was found; none: another build recorded it, and nothing of it is left that answers.
fn old(dir: &Path, kept: &Kept, adoption: Adoption) -> Option<Old> {
    let record = Detail::read(&kept.instance, kept.detail.clone());
    let gone =
        |record: Option<Record>| Some(Old { record: record?, found: Found::Gone, taken: None });
    match adoption {
        Adoption::Nobody | Adoption::OtherBoot => gone(record),
        Adoption::Adopted(keeper, message) => match (taken_over(keeper, message), record) {
            (Some((found, taken)), Some(record)) => {
                let found = match found {
                    Found::Running { pid, .. } => Found::Running { pid, up: was_up(dir) },
                    other => other,
                };
                let taken = Taken { noted: kept.program, ..taken };
                Some(Old { record, found, taken: Some(taken) })
            }
            (Some((_, taken)), None) => {
                error!(
                    instance = kept.instance,
                    "an instance of another build cannot be taken over; it is killed"
                );
                taken.keeper.kill();
                until_gone(taken.keeper);
                None
            }
            (None, record) => gone(record),
        },
        Adoption::NotAsked(error) => {
            error!(instance = kept.instance, %error, "a keeper cannot be asked; it ends its program by itself");
            None
        }
        Adoption::Silent | Adoption::Refused => {
            error!(
                instance = kept.instance,
                "a keeper does not answer as it should; it is killed, with its program"
            );
            let killed = handle::end_by_force(kept, SETTLE_MAX).unwrap_or_default();
            if killed.left > 0 {
                error!(
                    instance = kept.instance,
                    left = killed.left,
                    "the kernel does not let go of processes"
                );
            }
            wait_until_free(&[dir.to_owned()], SETTLE_MAX);
            gone(record)
        }
    }
}

/// A keeper that answers, once it is clear how its program is. None: nothing of it is left.
fn taken_over(mut keeper: Keeper, message: Message) -> Option<(Found, Taken)> {
    let Message::Adopted { program, started, ending, exit: ended, output } = message else {
        return None;
    };
    if ending {
        keeper.kill();
        until_gone(keeper);
        return None;
    }
    let (mut program, mut ended) = (program, ended);
    if !started && ended.is_none() {
        match begun(&mut keeper) {
            Some(Begun::Started(process)) => program = Some(process),
            Some(Begun::Exited(exit)) => ended = Some(exit),
            None => {
                keeper.kill();
                until_gone(keeper);
                return None;
            }
        }
    }
    let found = match (ended, program) {
        (Some(ended), _) => Found::Ended { exit: exit(ended) },
        (None, Some(process)) => {
            Found::Running { pid: u32::try_from(process.pid).ok()?, up: false }
        }
        (None, None) => return None,
    };
    let program = program.filter(|_| ended.is_none());
    Some((found, Taken { keeper, program, noted: None, output }))
}

enum Begun {
    Started(Process),
    Exited(Exit),
}

/// The end of a start that was under way. None: the program was not executed.
fn begun(keeper: &mut Keeper) -> Option<Begun> {
    let end = Instant::now() + SETTLE_MAX;
    loop {
        match next(keeper, end)? {
            Message::Started { program, .. } => return Some(Begun::Started(program)),
            Message::Exited(exit) => return Some(Begun::Exited(exit)),
            Message::Failed { .. } | Message::Gone { .. } => return None,
            Message::Adopted { .. } | Message::Stuck { .. } => {}
        }
    }
}

/// Waits until a keeper that was told to kill has ended.
pub(super) fn until_gone(mut keeper: Keeper) {
    let end = Instant::now() + SETTLE_MAX;
    while let Some(message) = next(&mut keeper, end) {
        if matches!(message, Message::Gone { .. }) {
            return;
        }
    }
    warn!("a keeper takes long to kill its tree; the kernel holds a process of it");
}

/// The next message of a keeper; none: there is none in time.
fn next(keeper: &mut Keeper, end: Instant) -> Option<Message> {
    loop {
        if let Ok(Some(message)) = keeper.receive() {
            return Some(message);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        let timeout = Timespec::try_from(left).ok();
        let mut fds = [PollFd::from_borrowed_fd(keeper.as_fd(), PollFlags::IN)];
        let _ = poll(&mut fds, timeout.as_ref());
    }
}

/// Waits until no keeper holds one of these directories. Nobody can be asked; they end by themselves.
fn wait_until_free(dirs: &[PathBuf], within: Duration) {
    let end = Instant::now() + within;
    let mut said = false;
    while let Some(dir) = dirs.iter().find(|dir| handle::is_held(dir)) {
        if !std::mem::replace(&mut said, true) {
            warn!(dir = %dir.display(), "a keeper that cannot be taken over still runs; services start when it has ended");
        }
        if Instant::now() >= end {
            error!(dir = %dir.display(), "a keeper that cannot be taken over does not end; services start all the same");
            return;
        }
        std::thread::sleep(HELD_EVERY);
    }
}
