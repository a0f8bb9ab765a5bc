//! One heap for all threads.
//!
//! glibc gives each thread that allocates a heap of its own, up to eight per core, and sets 64 MiB
//! of addresses aside for each. The dozen threads that a node has while blobs move then take 768
//! MiB of addresses for some ten MiB of memory, and a node whose address space is limited ends at
//! the first reservation that fails. One heap serves them all: what they allocate often is small
//! and comes from caches that each thread has in any case, what is large they allocate seldom.
//!
//! glibc takes the number from the environment as a program starts, or from a call that is not
//! safe. So the program re-executes itself, once, with the variable set.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::os::unix::process::CommandExt as _;

    use crate::again::again;

    /// The number of heaps, as glibc's manual has it.
    const ARENAS: &str = "MALLOC_ARENA_MAX";
    /// All its settings in one.
    const TUNABLES: &str = "GLIBC_TUNABLES";

    /// Re-executes this program with one heap, unless somebody chose a number. Where that cannot
    /// be done it runs all the same, with more addresses reserved.
    pub(crate) fn have_one() {
        let is_chosen = [ARENAS, TUNABLES].iter().any(|name| std::env::var_os(name).is_some());
        if !is_chosen {
            // Returns only if it fails.
            drop(again().env(ARENAS, "1").exec());
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) use glibc::have_one;

/// Others have no heaps per thread.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) const fn have_one() {}
