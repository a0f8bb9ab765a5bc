//! Keeps the memory of a node to itself, and gives it the descriptors that it may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::Error;

/// Has no core dump be written of this process, and no other process of the same user read its memory
/// (root may). Call it first: after a re-exec a program has to call it again.
///
/// # Errors
/// What the system says.
pub(crate) fn keep_memory_private() -> Result<(), Error> {
    let doing = "keeping this process's memory private";
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(|err| Error::io(doing, &err.into()))?;
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};

        let private = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        private.map_err(|err| Error::io(doing, &err.into()))?;
    }
    Ok(())
}

/// Lets this process open as many files as it is allowed to ask for. Most systems start a program with
/// 1,024, so that old ones are not surprised.
pub(crate) fn take_all_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused, the node has fewer.
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).ok();
}
