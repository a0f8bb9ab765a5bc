//! What only a real process shows.

use std::process::{Command, Output, Stdio};

fn crux_node() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crux-node"));
    command.env_remove("CRUX_DATA_DIR").stdin(Stdio::null());
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_reader_that_is_gone_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = crux_node().args(["completions", "bash"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn nothing_asks_where_nobody_is() {
    let dir = tempfile::tempdir().unwrap();
    let output = crux_node().arg("leave").arg("--data-dir").arg(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--yes"));
}

/// The process executes itself anew without the variable, and still knows what was in it.
#[cfg(target_os = "linux")]
#[test]
fn a_secret_in_the_environment_is_handed_over() {
    let dir = tempfile::tempdir().unwrap();
    let run = |secret: &str| {
        let mut command = crux_node();
        command.args(["run", "--listen", "127.0.0.1:0", "--stop-with-stdin", "--data-dir"]);
        command.arg(dir.path().join("d")).env("CRUX_SECRET", secret).output().unwrap()
    };
    let output = run("crux1-abcdefgh");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("CRUX_SECRET: it is truncated"), "{}", stderr(&output));
    let output = run("");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("CRUX_SECRET: it is empty"), "{}", stderr(&output));
}

/// What the kernel says of a node that has started, by the names of the files.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn started<const N: usize>(heaps: Option<&str>, files: [&str; N]) -> [String; N] {
    use std::io::{BufRead as _, BufReader};

    let dir = tempfile::tempdir().expect("a directory");
    let secret = dir.path().join("secret");
    let keygen = ["keygen", "--flock", "lab", "--out"];
    let made = crux_node().args(keygen).arg(&secret).output().expect("it runs");
    assert!(made.status.success());
    let mut command = crux_node();
    command.args(["run", "--listen", "127.0.0.1:0", "--stop-with-stdin", "--secret-file"]);
    command.arg(secret).arg("--data-dir").arg(dir.path().join("d"));
    command.env_remove("MALLOC_ARENA_MAX").env_remove("GLIBC_TUNABLES");
    command.envs(heaps.map(|heaps| ("MALLOC_ARENA_MAX", heaps)));
    let mut node = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut log = BufReader::new(node.stderr.take().expect("a pipe")).lines();
    assert!(log.any(|line| line.is_ok_and(|line| line.contains("started"))));
    let shown = files.map(|file| {
        let bytes = std::fs::read(format!("/proc/{}/{file}", node.id())).expect("it runs");
        String::from_utf8_lossy(&bytes).into_owned()
    });
    drop(node.stdin.take());
    assert!(log.all(|line| line.is_ok()));
    assert!(node.wait().is_ok_and(|status| status.success()));
    shown
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_node_has_one_heap_and_its_name() {
    let [environ, comm, status] = started(None, ["environ", "comm", "status"]);
    assert!(environ.contains("MALLOC_ARENA_MAX=1\0"));
    assert_eq!(comm, "crux-node\n");
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let kib: u64 = size.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    assert!(kib < 256 << 10, "{kib} KiB of addresses: a heap for each thread");
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_number_of_heaps_that_somebody_chose_stands() {
    let [environ] = started(Some("3"), ["environ"]);
    assert!(environ.contains("MALLOC_ARENA_MAX=3\0"));
}
