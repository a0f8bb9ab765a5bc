use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::{fs, io};

use tokio::process::Command;

use super::engine::{finish, run};
use crate::Error;

/// The compose file, as it is in the sources: this program runs anywhere.
const COMPOSE: &str = include_str!("../../../docker-compose.yml");

/// The target that it applies, file by file.
const SITE: [(&str, &str); 3] = [
    ("main.khan", include_str!("../../../site/main.khan")),
    ("watch.toml", include_str!("../../../site/watch.toml")),
    ("events.toml", include_str!("../../../site/events.toml")),
];

/// The services of that target, and how many instances five nodes run of each.
pub(super) const TARGET: [(&str, usize); 2] = [("watch", 2), ("events", 5)];

/// A compose file on the disk.
#[derive(Debug)]
pub struct ComposeFile {
    path: PathBuf,
    /// The directory of the one that this program brings; removed with it.
    _dir: Option<tempfile::TempDir>,
}

impl ComposeFile {
    /// The file of that path, or the one of the sources that this program was built from, with its target beside it.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read, or the one of the sources not be written.
    pub fn find(path: Option<&Path>) -> Result<Self, Error> {
        if let Some(path) = path {
            let what = format!("read the compose file {}", path.display());
            fs::File::open(path).map_err(Error::io(what))?;
            return Ok(Self { path: path.to_owned(), _dir: None });
        }
        let write = || -> io::Result<Self> {
            let dir = tempfile::tempdir()?;
            let path = dir.path().join("docker-compose.yml");
            fs::write(&path, COMPOSE)?;
            let site = dir.path().join("site");
            fs::create_dir(&site)?;
            // The user of the containers reads them.
            for place in [dir.path(), &site] {
                fs::set_permissions(place, fs::Permissions::from_mode(0o755))?;
            }
            SITE.iter().try_for_each(|(name, text)| fs::write(site.join(name), text))?;
            Ok(Self { path, _dir: Some(dir) })
        };
        write().map_err(Error::io("write the compose file"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// One project of the compose file.
#[derive(Debug)]
pub struct Compose {
    /// `docker compose`, or `docker-compose` of before.
    tool: &'static [&'static str],
    file: ComposeFile,
    project: String,
    image: String,
}

impl Compose {
    /// A project with the compose tool of this machine; the reason when there is none.
    pub async fn find(file: ComposeFile, project: &str, image: &str) -> Result<Self, String> {
        const TOOLS: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];
        for tool in TOOLS {
            let asked = tool[1..].iter().copied().chain(["version"]);
            if run(tool[0], asked).await.is_ok() {
                let (project, image) = (project.to_owned(), image.to_owned());
                return Ok(Self { tool, file, project, image });
            }
        }
        Err("there is neither `docker compose` nor `docker-compose`".to_owned())
    }

    /// Runs it with these arguments.
    ///
    /// # Errors
    /// [`Error::Tool`] with what it wrote to standard error.
    pub async fn run(&self, args: &[&str]) -> Result<String, Error> {
        let mut command = Command::new(self.tool[0]);
        command.args(&self.tool[1..]).arg("--file").arg(self.file.path());
        command.args(["--project-name", &self.project]).args(args);
        command.env("CRUX_IMAGE", &self.image).stdin(Stdio::null()).kill_on_drop(true);
        finish(self.tool[0], command).await
    }

    /// The container of a service.
    ///
    /// # Errors
    /// As [`Compose::run`].
    pub async fn container(&self, service: &str) -> Result<String, Error> {
        Ok(self.run(&["ps", "--quiet", "--all", service]).await?.trim().to_owned())
    }

    /// What a network or a volume of the file is called.
    pub fn named(&self, name: &str) -> String {
        format!("{}_{name}", self.project)
    }

    /// Takes everything down, volumes too.
    ///
    /// # Errors
    /// As [`Compose::run`].
    pub async fn down(&self) -> Result<(), Error> {
        self.run(&["down", "--volumes", "--remove-orphans", "--timeout", "5"]).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compose_file_is_there_wherever_this_runs() {
        let file = ComposeFile::find(None).expect("a file");
        assert_eq!(fs::read_to_string(file.path()).expect("a file"), COMPOSE);
        let path = file.path().to_owned();
        drop(file);
        assert!(!path.exists(), "it is removed");
        assert!(!path.with_file_name("site").exists(), "with all of it");
        let missing = ComposeFile::find(Some(&path)).expect_err("there is none");
        assert!(missing.to_string().contains("read the compose file"), "{missing}");
    }

    #[test]
    fn every_file_of_the_site_is_there_and_picks_the_services_that_are_told() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../site");
        let mut files: Vec<_> = fs::read_dir(&sources)
            .expect("a directory")
            .map(|entry| entry.expect("a file").file_name().into_string().expect("a name"))
            .collect();
        files.sort();
        let mut known: Vec<_> = SITE.iter().map(|(name, _)| (*name).to_owned()).collect();
        known.sort();
        assert_eq!(files, known);
        let compiled = crux_khan::compile(SITE[0].1);
        let program = compiled.checked.expect("the program has no error");
        for (service, _) in TARGET {
            assert!(program.pick_of(service).is_some(), "{service} is not picked");
            let document = SITE.iter().find(|(name, _)| *name == format!("{service}.toml"));
            let document: toml::Table = document.expect("a document").1.parse().expect("TOML");
            assert_eq!(document["name"].as_str(), Some(service));
        }
        assert_eq!(program.picks().len(), TARGET.len());
    }
}
