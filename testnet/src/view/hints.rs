//! The commands a person can paste into another terminal.

use std::path::{Path, PathBuf};

use super::FlockView;

/// Exact commands to try next, with what each does; they run as they are from the current
/// directory.
#[must_use]
pub fn commands_to_try(exe: &Path, view: &FlockView) -> Vec<String> {
    let node = format!("{} node", shell_word(&relative(exe)));
    let dir = |at: usize| {
        let row = view.nodes.get(at).or(view.nodes.last());
        row.map(|row| shell_word(&relative(Path::new(&row.data_dir)))).unwrap_or_default()
    };
    let mut commands = vec![
        format!("{node} status --data-dir {}", dir(0)),
        format!("{node} members --data-dir {}", dir(1)),
        format!("{node} register greeter v1 127.0.0.1:8080 --data-dir {}", dir(1)),
        format!("{node} services '*/*/*/greeter/*' --data-dir {}", dir(2)),
        format!("{node} watch --data-dir {}", dir(2)),
        format!("{node} leader ping --data-dir {}", dir(0)),
    ];
    if let Some(pid) = view.nodes.iter().find(|row| row.leads).and_then(|row| row.pid) {
        commands.push(format!("kill -9 {pid}   # the leader: see who is next"));
    }
    commands
}

/// The path from the current directory, where it lies below; shorter to read and to paste. It
/// starts with `./`, so that a shell takes a program there for one.
fn relative(path: &Path) -> PathBuf {
    std::env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok().map(|below| Path::new(".").join(below)))
        .unwrap_or_else(|| path.to_owned())
}

/// The path as one word of a shell.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_paths_are_quoted() {
        assert_eq!(shell_word(Path::new("/tmp/n1")), "/tmp/n1");
        assert_eq!(shell_word(Path::new("/tmp/a b")), "'/tmp/a b'");
        assert_eq!(shell_word(Path::new("it's")), r"'it'\''s'");
    }
}
