//! From what a person writes as image to a blob of the node.
//!
//! ```text
//!   the id of a blob ──────────────────────────────────────────────▶ that blob
//!   its first digits, and no file has that name ── FindBlob ───────▶ the one blob
//!   a path ─────────────────────────────────────── put ────────────▶ its blob
//!   a command ── found in PATH: that path, also as argv[0] ── put ─▶ its blob
//! ```
//!
//! PATH is that of the service first, and the caller's after it: a service runs without what the caller's shell
//! has set up, so that the program of a version manager's or a virtual environment's directory would look for
//! things that are not there.
//!
//! Blobs are put over the control socket, so that takes the fulcrum; what is a blob already takes only the
//! picket.

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crux_client::Client;
use crux_client::model::Prefix;
use crux_client::op::FindBlob;
use crux_client::socket::Door;
use crux_crdt::blob::BlobId;
use crux_crdt::service::{Config, Image, default};

use super::{Ui, Wait};
use crate::cli::blob::put_one;
use crate::error::{Error, Kind};
use crate::services::{Draft, Place, Source};

/// Makes blobs of what a config runs.
#[derive(Debug)]
pub(super) struct Images<'a> {
    ui: &'a mut Ui,
    wait: Wait,
    /// At the control socket, once that is needed.
    client: Option<Client>,
}

impl<'a> Images<'a> {
    pub(super) const fn new(ui: &'a mut Ui, wait: Wait) -> Self {
        Self { ui, wait, client: None }
    }

    /// The config, with blobs for what it runs. `is_command`: a path is a command that a person wrote, whose
    /// program sees it as its `argv[0]`.
    ///
    /// # Errors
    /// [`Kind::NotFound`], [`Kind::BlobUnknown`], and what the node answers.
    pub(super) async fn config(&mut self, draft: Draft, is_command: bool) -> Result<Config, Error> {
        let mut at = None;
        let image = match &draft.image {
            Source::One(place) => {
                if let (Place::Path(path), true) = (place, is_command) {
                    at = Some(absolute(path)?);
                }
                Image::Blob(self.blob(place).await?)
            }
            Source::PerMachine(places) => {
                let mut blobs = std::collections::BTreeMap::new();
                for (machine, place) in places {
                    blobs.insert(*machine, self.blob(place).await?);
                }
                Image::PerMachine(blobs)
            }
            Source::Command(command) => {
                let own = draft.env.get("PATH").map_or(default::PATH, String::as_str);
                let callers = env::var_os("PATH");
                let path = in_path(command, [Some(own.as_ref()), callers.as_deref()])?;
                let blob = self.put(&path).await?;
                at = Some(path);
                Image::Blob(blob)
            }
        };
        let draft = match at.as_deref().and_then(Path::to_str) {
            Some(path) => draft.found_at(path),
            None => draft,
        };
        draft.with_image(image).map_err(|err| {
            Error::new(Kind::InvalidConfig, err.to_string()).augment("the config of the service")
        })
    }

    /// The blob of a program.
    ///
    /// # Errors
    /// As [`Images::config`].
    pub(super) async fn blob(&mut self, place: &Place) -> Result<BlobId, Error> {
        let path = match place {
            Place::Blob(id) => return Ok(*id),
            Place::Path(path) => path,
        };
        match prefix(path).filter(|_| !path.exists()) {
            Some(prefix) => {
                let elsewhere = false;
                self.client().await?.call(&FindBlob { prefix, elsewhere }).await
            }
            None => self.put(path).await,
        }
    }

    async fn put(&mut self, path: &Path) -> Result<BlobId, Error> {
        let client = self.client().await?;
        Ok(put_one(&client, path, self.ui).await?.id)
    }

    async fn client(&mut self) -> Result<Client, Error> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let client = self.ui.connect_at(Door::Control, self.wait.timeout).await?;
        Ok(self.client.insert(client).clone())
    }
}

/// The first digits of a blob that a path may be.
fn prefix(path: &Path) -> Option<Prefix> {
    Prefix::parse(path.to_str()?).ok()
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|err| Error::io("finding the program", &err))
}

/// Where a command is, as a shell finds it in the first of these that has it.
fn in_path(command: &str, paths: [Option<&OsStr>; 2]) -> Result<PathBuf, Error> {
    let runs = |file: &PathBuf| {
        file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let mut dirs = paths.into_iter().flatten().flat_map(env::split_paths);
    let found = dirs.find_map(|dir| Some(absolute(&dir.join(command)).ok()?).filter(runs));
    found.ok_or_else(|| {
        Error::new(Kind::NotFound, format!("there is no command {command:?} in PATH"))
            .with_hint("Give the path of the program, or its blob with --image.")
            .with_field("command", command)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_command_is_the_first_in_path_that_can_run() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, mode: u32| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        fs::create_dir_all(dir.path().join("a/prog")).unwrap();
        file("b/prog", 0o644);
        let found = file("c/prog", 0o755);
        file("d/prog", 0o755);
        let path = env::join_paths(["a", "b", "c", "d"].map(|name| dir.path().join(name))).unwrap();
        assert_eq!(in_path("prog", [None, Some(&path)]), Ok(found.clone()));
        // The PATH of the caller is searched last.
        let callers = dir.path().join("d");
        assert_eq!(in_path("prog", [Some(&path), Some(callers.as_os_str())]), Ok(found));
        let first = dir.path().join("d/prog");
        assert_eq!(in_path("prog", [Some(callers.as_os_str()), Some(&path)]), Ok(first));
        for path in [Some(path.as_os_str()), None] {
            let err = in_path("other", [path, None]).unwrap_err();
            assert_eq!((err.kind(), err.hint().is_some()), (Kind::NotFound, true));
        }
    }
}
