//! What only a real process shows.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

fn crux_node() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crux-node"));
    for name in ["CRUX_DATA_DIR", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "HOME"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
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

/// The process that serves a data directory.
fn fulcrum(data_dir: &Path) -> Pid {
    let status = crux_node().args(["status", "--json", "--data-dir"]).arg(data_dir).output();
    let status: serde_json::Value =
        serde_json::from_slice(&status.expect("it runs").stdout).expect("it answers");
    let pid = status["pid"].as_i64().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    pid.expect("a number")
}

/// What the kernel says of a node that has started, by the names of the files.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn started<const N: usize>(heaps: Option<&str>, files: [&str; N]) -> [String; N] {
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
    let fulcrum = fulcrum(&dir.path().join("d"));
    let shown = files.map(|file| {
        let bytes =
            std::fs::read(format!("/proc/{}/{file}", fulcrum.as_raw_nonzero())).expect("it runs");
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
    assert_eq!(comm, "crux-fulcrum\n");
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

/// Waits for a condition, and fails when it does not come.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it runs");
}

/// Whether a process catches a signal, as the kernel tells it.
fn catches(child: &Child, signal: Signal) -> bool {
    has_signal(child.id(), "SigCgt:", signal)
}

/// Whether a signal is in a line of what the kernel tells of a process.
fn has_signal(process: u32, line: &str, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let bits = status.lines().find_map(|it| it.strip_prefix(line)).expect("signals");
    u64::from_str_radix(bits.trim(), 16).expect("bits") & (1 << (signal.as_raw() - 1)) != 0
}

/// A node with a file and a tree among its blobs, each of 64 MiB.
struct Node {
    home: tempfile::TempDir,
    process: Child,
    fulcrum: Pid,
    file: String,
    tree: String,
}

impl Node {
    fn start() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let at = |name: &str| home.path().join(name);
        let keygen = ["keygen", "--flock", "lab", "--no-operator", "--out"];
        assert!(
            crux_node().args(keygen).arg(at("secret")).output().expect("it works").status.success()
        );
        let mut command = crux_node();
        command.args(["run", "--listen", "127.0.0.1:0", "--stop-with-stdin", "--secret-file"]);
        command.arg(at("secret")).arg("--data-dir").arg(at("d"));
        let mut process =
            command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it works");
        let mut log = BufReader::new(process.stderr.take().expect("it works")).lines();
        assert!(log.any(|line| line.is_ok_and(|line| line.contains("started"))));
        std::thread::spawn(move || log.count());
        std::fs::create_dir(at("tree")).expect("it works");
        for n in 0..64_u8 {
            std::fs::write(at("tree").join(n.to_string()), vec![n; 1 << 20]).expect("it works");
        }
        std::fs::write(at("file"), vec![7; 64 << 20]).expect("it works");
        let put = |args: &[&str], name: &str| {
            let mut put = crux_node();
            put.args(["blob", "put", "--json"]).args(args).arg(at(name));
            let output = put.arg("--data-dir").arg(at("d")).output().expect("it works");
            let answer: serde_json::Value =
                serde_json::from_slice(&output.stdout).expect("it works");
            answer["id"].as_str().expect("it works").to_owned()
        };
        let (file, tree) = (put(&[], "file"), put(&["--dir"], "tree"));
        let fulcrum = fulcrum(&at("d"));
        Self { home, process, fulcrum, file, tree }
    }

    /// Begins to get a blob.
    fn get(&self, id: &str, more: &[&str], out: &Path) -> Child {
        let mut get = crux_node();
        get.args(["blob", "get", id]).args(more).arg("--out").arg(out);
        get.arg("--data-dir").arg(self.home.path().join("d"));
        get.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it works")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Whether a process has a file open in a directory, with or without a name.
fn writes_in(child: &Child, dir: &Path) -> bool {
    let open = std::fs::read_dir(format!("/proc/{}/fd", child.id())).expect("it works");
    let mut open = open.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok());
    open.any(|path| path.starts_with(dir) && path != dir)
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_leaves_nothing_of_what_was_not_finished() {
    let node = Node::start();
    let dir = std::fs::canonicalize(node.home.path()).unwrap().join("out");
    std::fs::create_dir(&dir).unwrap();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        if has_signal(std::process::id(), "SigIgn:", signal) {
            eprintln!(
                "left out: {signal:?}, which is ignored here (nohup), and so by what is started"
            );
            continue;
        }
        for (id, more) in [(&node.file, &[][..]), (&node.tree, &["--dir"])] {
            let mut get = node.get(id, more, &dir.join("x"));
            eventually("it writes", || writes_in(&get, &dir));
            // In the middle: the node sends no more.
            kill_process(node.fulcrum, Signal::STOP).expect("it runs");
            assert!(!dir.join("x").exists(), "it was not in the middle");
            send(&get, signal);
            assert_eq!(get.wait().unwrap().code(), Some(code));
            assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0, "{signal:?} {more:?}");
            kill_process(node.fulcrum, Signal::CONT).expect("it runs");
        }
    }
    // It waits for a reader, and not for the node.
    let pipe = dir.join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let mut get = node.get(&node.file, &[], &pipe);
    eventually("it catches signals", || catches(&get, Signal::TERM));
    send(&get, Signal::TERM);
    assert_eq!(get.wait().unwrap().code(), Some(143));
    assert!(pipe.exists());
}

/// As `nohup` starts it.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_is_ignored_stays_so() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_crux-node")]);
    shell.args(["keygen", "--flock", "lab", "--no-operator", "--out"]).arg(&pipe);
    let mut keygen = shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // It waits for a reader of the pipe.
    eventually("it catches signals", || catches(&keygen, Signal::TERM));
    assert!(!catches(&keygen, Signal::HUP));
    send(&keygen, Signal::HUP);
    let secret = std::fs::read_to_string(&pipe).unwrap();
    assert!(secret.starts_with("crux1-"));
    assert_eq!(keygen.wait().unwrap().code(), Some(0));
}

#[test]
fn a_secret_goes_to_a_pipe_and_not_to_a_file_that_others_read() {
    let dir = tempfile::tempdir().unwrap();
    let keygen = |out: Stdio| {
        let mut keygen = crux_node();
        keygen.current_dir(dir.path()).stdout(out).stderr(Stdio::piped());
        keygen.args(["keygen", "--flock", "lab", "--no-operator", "--out", "-"]);
        keygen.spawn().unwrap().wait_with_output().unwrap()
    };
    let piped = keygen(Stdio::piped());
    let secret = String::from_utf8(piped.stdout).unwrap();
    assert!(secret.starts_with("crux1-") && secret.lines().count() == 1);
    let file = std::fs::File::create(dir.path().join("file")).unwrap();
    let refused = keygen(file.into());
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert_eq!(std::fs::read(dir.path().join("file")).unwrap(), b"");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no file `-`");
}
