use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::Document;
use crate::process::{Home, NodeSpec, run_node_command, run_node_command_on};
use crate::wait::{self, Seen};
use crate::{Error, sample};

/// How long a command may take on a loaded machine.
const WITHIN: Duration = Duration::from_secs(60);

/// The files of a target, and the key that signs it.
#[derive(Debug, Clone)]
pub struct Site {
    exe: PathBuf,
    /// The program and the documents.
    dir: PathBuf,
    /// The sample.
    image: PathBuf,
    operator: PathBuf,
}

impl Site {
    /// Makes the secret of a flock with an operator, if the directory has none; then the directory of the files.
    ///
    /// It has to be called before the cluster is made, which else makes a secret without an operator.
    ///
    /// # Errors
    ///
    /// [`Error::Command`] when `keygen` fails, [`Error::Io`]; [`Error::Broken`] when the flock of that directory has no
    /// operator's key.
    pub async fn make(exe: &Path, home: &Home, flock: &str) -> Result<Self, Error> {
        let (secret, operator) = (home.secret(), home.path().join("secret.operator"));
        if !secret.exists() {
            let args = ["keygen", "--flock", flock, "--out", &secret.to_string_lossy()];
            done(&args, run_node_command(exe, &args, WITHIN).await?)?;
        }
        if !operator.exists() {
            let dir = home.path().display();
            return Err(Error::Broken(format!(
                "the flock in {dir} has no operator's key, so it takes no target: give another directory"
            )));
        }
        let (dir, image) = (home.path().join("site"), home.path().join("sample"));
        fs::create_dir_all(&dir).map_err(Error::io(format!("create {}", dir.display())))?;
        let site = Self { exe: exe.to_owned(), dir, image, operator };
        write(&site.image, sample::PROGRAM)?;
        Ok(site)
    }

    /// Where the files are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file of the operator's key.
    #[must_use]
    pub fn operator(&self) -> &Path {
        &self.operator
    }

    /// The document of a service of this site.
    #[must_use]
    pub fn document(&self, name: &str, rev: &str) -> Document {
        Document::new(name, rev, &self.image)
    }

    /// Writes the program.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn program(&self, text: &str) -> Result<(), Error> {
        write(&self.dir.join("main.khan"), text.as_bytes())
    }

    /// Writes the document of a service.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn put(&self, document: &Document) -> Result<(), Error> {
        let file = self.dir.join(format!("{}.toml", document.name));
        write(&file, document.text().as_bytes())
    }

    /// Has a node take the files as target. Returns its generation.
    ///
    /// # Errors
    ///
    /// [`Error::Command`] when it is refused.
    pub async fn apply(&self, node: &NodeSpec) -> Result<u64, Error> {
        let dir = self.dir.to_string_lossy();
        let applied = self.signed(node, &["apply", &dir]).await?;
        let generation = applied["generation"].as_u64();
        generation.ok_or_else(|| Error::Broken(format!("`apply` answered {applied}")))
    }

    /// Runs a command of the node's command line that the operator signs. Returns its JSON document.
    ///
    /// # Errors
    ///
    /// [`Error::Command`] when it fails.
    pub async fn signed(&self, node: &NodeSpec, args: &[&str]) -> Result<Value, Error> {
        let key = self.operator.to_string_lossy();
        self.run(node, &[args, &["--operator-key", &key]].concat()).await
    }

    /// Runs a command of the node's command line. Returns its JSON document.
    ///
    /// # Errors
    ///
    /// [`Error::Command`] when it fails, [`Error::Broken`] when it answers with something else.
    pub async fn run(&self, node: &NodeSpec, args: &[&str]) -> Result<Value, Error> {
        let data_dir = node.data_dir.to_string_lossy();
        let args = [args, &["--json", "--data-dir", &data_dir]].concat();
        let stdout = done(&args, run_node_command_on(&self.exe, &args, "", WITHIN).await?)?;
        serde_json::from_str(&stdout)
            .map_err(|error| Error::Broken(format!("`{}`: {error}: {stdout}", args.join(" "))))
    }

    /// Waits until a node has this generation: it can sign the next one then.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`].
    pub async fn until_shown(&self, node: &NodeSpec, generation: u64) -> Result<(), Error> {
        let what = format!("{} shows generation {generation}", node.name);
        wait::until(&what, WITHIN, async || {
            Ok(match self.run(node, &["target", "show"]).await {
                Ok(shown) if shown["generation"].as_u64() == Some(generation) => Seen::Done(()),
                Ok(shown) => Seen::NotYet(format!("  generation {}", shown["generation"])),
                Err(error) => Seen::NotYet(format!("  {error}")),
            })
        })
        .await
    }
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(file, bytes).map_err(Error::io(format!("write {}", file.display())))
}

/// The standard output of a command that succeeded.
fn done(args: &[&str], finished: crate::process::Finished) -> Result<String, Error> {
    if finished.status.success() {
        return Ok(finished.stdout);
    }
    let command = args.join(" ");
    Err(Error::Command { command, status: finished.status, stderr: finished.stderr })
}
