//! This program, re-executed: in the same process, because some things can only be said before a program
//! starts, or as a child that runs another of its commands.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

/// This program with the arguments that it was called with, to be executed in its own place.
///
/// By its own path, so that it keeps its name; by the kernel's where it was replaced meanwhile.
pub(crate) fn again() -> Command {
    let path = std::env::current_exe().ok().filter(|path| path.exists());
    let mut again = Command::new(path.unwrap_or_else(|| PathBuf::from("/proc/self/exe")));
    let mut args = std::env::args_os();
    if let Some(name) = args.next() {
        again.arg0(name);
    }
    again.args(args);
    again
}

/// How to run another command of this program as a child.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// What this process was called with before the command's own words: a program around this one has a
    /// command of its own for it.
    before: Vec<OsString>,
}

impl Program {
    /// The program of this process, whose command line ends with these words; none: it does not.
    pub(crate) fn of_process(words: &[OsString]) -> Option<Self> {
        let mut before: Vec<OsString> = std::env::args_os().collect();
        let kept = before.len().checked_sub(words.len()).filter(|kept| *kept > 0)?;
        let found = before.split_off(kept);
        (found == words).then_some(Self { before })
    }

    /// The program, to be given a command. The kernel's name for it leads to what this process executes, also
    /// when the file was replaced meanwhile: both are of one version.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("/proc/self/exe");
        if let Some((name, rest)) = self.before.split_first() {
            command.arg0(name).args(rest);
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_this_process_are_told_from_what_is_before_them() {
        let all: Vec<OsString> = std::env::args_os().collect();
        let program = Program::of_process(&all[1..]).unwrap();
        assert_eq!(program.before, all[..1]);
        let empty = Program::of_process(&[]).unwrap();
        assert_eq!(empty.before, all);
        assert!(Program::of_process(&all).is_none(), "the program's name is none of them");
        assert!(Program::of_process(&["no such word".into()]).is_none());
    }
}
