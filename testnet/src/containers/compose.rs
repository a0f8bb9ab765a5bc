use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::engine::{finish, run};
use crate::Error;

/// One project of the compose file.
#[derive(Debug)]
pub struct Compose {
    /// `docker compose`, or `docker-compose` of before.
    tool: &'static [&'static str],
    file: PathBuf,
    project: String,
    image: String,
}

impl Compose {
    /// A project with the compose tool of this machine; the reason when there is none.
    pub async fn find(file: &Path, project: &str, image: &str) -> Result<Self, String> {
        const TOOLS: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];
        for tool in TOOLS {
            let asked = tool[1..].iter().copied().chain(["version"]);
            if run(tool[0], asked).await.is_ok() {
                let (file, project) = (file.to_owned(), project.to_owned());
                return Ok(Self { tool, file, project, image: image.to_owned() });
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
        command.args(&self.tool[1..]).arg("--file").arg(&self.file);
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
