//! Builds the program that the testnet runs as a service, for `src/sample.rs` to take in.
//!
//! A second binary target would not do: `cargo run -p crux-testnet` builds one, and the testnet has to have the
//! program wherever it was copied to. It is one file that names the standard library alone, so it takes one call of
//! the compiler. It is built twice: as programs usually are, and static, for containers with an empty root; where
//! static programs cannot be made the second one is empty, and a warning says so.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const SOURCE: &str = "sample/main.rs";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(variable("OUT_DIR")?);
    compile(&out.join("sample"), &[])?;
    let lone = out.join("sample-static");
    if let Err(error) = compile(&lone, &["-C", "target-feature=+crt-static"]) {
        let why = error.to_string().replace('\n', " ");
        println!("cargo::warning=no services in containers: no static program can be made: {why}");
        fs::write(&lone, [])?;
    }
    Ok(())
}

/// Compiles the program, small, for the machine that the testnet is built for.
fn compile(to: &Path, flags: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut rustc = Command::new(variable("RUSTC")?);
    rustc.args(["--edition", "2024", "--crate-name", "sample", "--crate-type", "bin", SOURCE]);
    rustc.args(["-C", "opt-level=s", "-C", "panic=abort", "-C", "strip=symbols"]);
    rustc.args(flags).arg("--target").arg(variable("TARGET")?).arg("-o").arg(to);
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = OsString::from("linker=");
        option.push(linker);
        rustc.arg("-C").arg(option);
    }
    let output = rustc.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{SOURCE}: {}", String::from_utf8_lossy(&output.stderr)).into())
}

fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("cargo did not set {name}"))
}
