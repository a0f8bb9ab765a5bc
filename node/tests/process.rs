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
