//! The single steps, each of which fails the start.

use std::fs::{self, File};
use std::io;
use std::sync::Arc;

use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use rustix::fs::Mode;
use rustix::process::{
    Resource, Rlimit, Signal, getppid, set_parent_process_death_signal, setrlimit, setsid, umask,
};
use signal_hook::consts::FORBIDDEN;

use super::{Refused, Spec};
use crate::user::User;

/// How much more likely than the node a program is ended when the machine has no memory left. Of a
/// scale to 1,000; the node itself should outlive its programs. A guess.
const OOM_SCORE: i32 = 300;
/// The end of that scale.
const OOM_SCORE_MAX: i32 = 1000;
/// The last of the signals that have a name.
const SIGNALS_MAX: i32 = 31;

/// Sets everything, and leaves only the execution.
pub(super) fn prepare(spec: &Spec, keeper: i32) -> Result<(), Refused> {
    setsid().map_err(|err| Refused::new("beginning a session", err))?;
    umask(Mode::RWXG | Mode::RWXO);
    reset_signals();
    oom_score().map_err(|err| Refused::new("raising oom_score_adj", err))?;
    limits(spec.nofile)?;
    std::env::set_current_dir(&spec.dir)
        .map_err(|err| Refused::new("entering the service's directory", err))?;
    if let Some(user) = &spec.user {
        become_user(user).map_err(|err| {
            Refused::new("becoming the service's user", err).hint("; only a node that is root can")
        })?;
    }
    die_with(keeper)?;
    // A unit may have given the node some, as the right to listen at port 80.
    rustix::thread::clear_ambient_capability_set()
        .map_err(|err| Refused::new("giving up the node's capabilities", err))?;
    rustix::thread::set_no_new_privs(true)
        .map_err(|err| Refused::new("giving up new privileges", err))
}

/// Standard input is empty.
pub(crate) fn null_stdin() -> io::Result<()> {
    Ok(rustix::stdio::dup2_stdin(File::open("/dev/null")?)?)
}

/// Ignored signals stay ignored in what is executed: the standard library ignores `SIGPIPE`, and a
/// shell has its background jobs ignore `SIGINT`. Signals with a handler are reset, so all get one.
fn reset_signals() {
    let flag = Arc::default();
    // A few cannot have one: two that nobody can ignore, and three that nobody does.
    for signal in (1..=SIGNALS_MAX).filter(|signal| !FORBIDDEN.contains(signal)) {
        let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
    }
}

fn oom_score() -> io::Result<()> {
    let path = "/proc/self/oom_score_adj";
    let own: i32 = fs::read_to_string(path)?.trim().parse().map_err(io::Error::other)?;
    fs::write(path, own.saturating_add(OOM_SCORE).min(OOM_SCORE_MAX).to_string())
}

fn limits(nofile: u64) -> Result<(), Refused> {
    for (resource, most) in [(Resource::Core, 0), (Resource::Nofile, nofile)] {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit).map_err(|err| {
            Refused::new("limiting descriptors and core dumps", err)
                .hint("; nofile may not be above the node's own hard limit (ulimit -Hn)")
        })?;
    }
    Ok(())
}

fn become_user(user: &User) -> nix::Result<()> {
    let groups: Vec<Gid> = user.groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    setgroups(&groups)?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
}

fn die_with(keeper: i32) -> Result<(), Refused> {
    let doing = "having the program end with its keeper";
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|err| Refused::new(doing, err))?;
    // The keeper may have ended before: then this has another parent by now.
    match getppid().map(|parent| parent.as_raw_nonzero().get()) {
        Some(parent) if parent == keeper => Ok(()),
        _ => Err(Refused::new(doing, io::Error::other("the keeper has ended"))),
    }
}
