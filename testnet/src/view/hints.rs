//! The commands a person can paste into another terminal.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::FlockView;
use crate::peer::find_program;
use crate::site::Site;

/// The node that a person is to kill where a target runs.
const KILLED: &str = "n3";

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
    // On a node that does not lead: the line above may have been tried.
    let host = view.nodes.iter().position(|row| !row.leads).unwrap_or_default();
    commands.push(format!(
        "{node} service add web --port http=auto --data-dir {} -- {} -m http.server '${{port.http}}'",
        dir(host),
        python()
    ));
    commands.push(format!("{node} resolve web --data-dir {}", dir(host + 1)));
    let exe = shell_word(&relative(exe));
    commands.push(format!("{exe} up --target demo   # another flock, which places three services"));
    commands
}

/// Exact commands to try where a target runs: the last one has its services move.
#[must_use]
pub fn commands_of_target(exe: &Path, view: &FlockView, site: &Site) -> Vec<String> {
    let node = format!("{} node", shell_word(&relative(exe)));
    let first = view.nodes.first().map(|row| Path::new(&row.data_dir)).unwrap_or(Path::new("."));
    let [first, dir, key] =
        [first, site.dir(), site.operator()].map(|it| shell_word(&relative(it)));
    let mut commands = vec![
        format!("{node} target show --data-dir {first}"),
        format!("{node} ps --data-dir {first}"),
        format!("$EDITOR {dir}/main.khan   # as in `pick(web, 4, ALL)`; then:"),
        format!("{node} apply {dir} --operator-key {key} --data-dir {first}"),
    ];
    let killed = view.nodes.iter().find(|row| row.node == KILLED).or(view.nodes.last());
    if let Some((row, pid)) = killed.and_then(|row| Some((row, row.pid?))) {
        commands
            .push(format!("kill -9 {pid}   # {}: watch its services start elsewhere", row.node));
    }
    commands
}

/// How to call Python. Where that is a script in PATH, as of a version manager, it looks for its own file, which a
/// node does not execute: then the system's.
fn python() -> &'static str {
    let is_script = |path: PathBuf| {
        let mut head = [0; 2];
        File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *b"#!"
    };
    if find_program("python3").is_some_and(is_script) { "/usr/bin/python3" } else { "python3" }
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
    use crate::view::NodeRow;

    fn row(name: &str, leads: bool) -> NodeRow {
        NodeRow {
            node: name.to_owned(),
            pid: Some(7),
            principal: String::new(),
            state: "alive".to_owned(),
            leads,
            state_digest: String::new(),
            services: 0,
            runs: Vec::new(),
            memory_bytes: 0,
            listen: String::new(),
            data_dir: format!("/t/{name}"),
            log: String::new(),
        }
    }

    #[test]
    fn the_last_lines_run_a_service_on_a_follower_and_find_it_elsewhere() {
        let view = FlockView {
            flock: "f".to_owned(),
            flock_id: String::new(),
            leader: Some("n1".to_owned()),
            state_digest: None,
            nodes: vec![row("n1", true), row("n2", false), row("n3", false)],
        };
        let commands = commands_to_try(Path::new("/bin/testnet"), &view);
        assert_eq!(
            commands[commands.len() - 4..],
            [
                "kill -9 7   # the leader: see who is next",
                &format!(
                    "/bin/testnet node service add web --port http=auto --data-dir /t/n2 -- \
                     {} -m http.server '${{port.http}}'",
                    python()
                ),
                "/bin/testnet node resolve web --data-dir /t/n3",
                "/bin/testnet up --target demo   # another flock, which places three services",
            ]
        );
    }

    #[test]
    fn odd_paths_are_quoted() {
        assert_eq!(shell_word(Path::new("/tmp/n1")), "/tmp/n1");
        assert_eq!(shell_word(Path::new("/tmp/a b")), "'/tmp/a b'");
        assert_eq!(shell_word(Path::new("it's")), r"'it'\''s'");
    }
}
