use std::path::{Path, PathBuf};
use std::time::Duration;

use crux_crdt::service::Step;

use crate::sample;

/// The document of a service that runs [the sample](crate::sample), which answers with its process and its revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The service.
    pub name: String,
    /// Its revision: the sample says it with every answer, and the id of each instance has it.
    pub rev: String,
    /// The file that it runs.
    pub image: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// On how many nodes a new version goes at a time.
    pub step: Step,
    /// How long a new version has to be ready.
    pub deadline: Duration,
    /// How often it is checked.
    pub period: Duration,
    /// How long a node is dead until its instances run elsewhere.
    pub replace_after: Duration,
    /// Whether they do that also where the leader sees a minority.
    pub replaces_in_minority: bool,
}

impl Document {
    /// A service that moves after a second, and that changes node by node.
    #[must_use]
    pub fn new(name: &str, rev: &str, image: &Path) -> Self {
        Self {
            name: name.to_owned(),
            rev: rev.to_owned(),
            image: image.to_owned(),
            args: Vec::new(),
            step: Step::Nodes(1),
            deadline: Duration::from_secs(300),
            period: Duration::from_millis(200),
            replace_after: Duration::from_secs(1),
            replaces_in_minority: false,
        }
    }

    /// The same with arguments.
    #[must_use]
    pub fn with_args(mut self, args: &[&str]) -> Self {
        self.args = args.iter().map(|&arg| arg.to_owned()).collect();
        self
    }

    /// The file, as `apply` reads it.
    #[must_use]
    pub fn text(&self) -> String {
        let step = match self.step {
            Step::Nodes(nodes) => nodes.to_string(),
            Step::Percent(_) => format!("\"{}\"", self.step),
        };
        let millis = |time: Duration| format!("\"{}ms\"", time.as_millis());
        let minority = if self.replaces_in_minority { "replace" } else { "hold" };
        let lines = [
            format!("name = \"{}\"", self.name),
            format!("rev = \"{}\"", self.rev),
            format!("image = {:?}", self.image.display().to_string()),
            format!("args = {:?}", self.args),
            format!("ports = {{ {} = \"auto\" }}", sample::PORT),
            "check = [{ http = \"/\" }]".to_owned(),
            format!("period = {}", millis(self.period)),
            "drain = \"100ms\"".to_owned(),
            format!("rollout = {{ step = {step}, deadline = {} }}", millis(self.deadline)),
            format!(
                "move = {{ replace_after = {}, on_minority = \"{minority}\" }}",
                millis(self.replace_after)
            ),
        ];
        lines.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_says_everything_in_toml() {
        let document = Document {
            step: Step::Percent(50),
            replaces_in_minority: true,
            ..Document::new("web", "v2", Path::new("/a \"b\"")).with_args(&["exit", "3"])
        };
        let read: toml::Table = document.text().parse().expect("it is TOML");
        assert_eq!(read["image"].as_str(), Some("/a \"b\""));
        assert_eq!(read["args"].as_array().map(Vec::len), Some(2));
        assert_eq!(read["rollout"]["step"].as_str(), Some("50%"));
        assert_eq!(read["move"]["replace_after"].as_str(), Some("1000ms"));
        assert_eq!(read["move"]["on_minority"].as_str(), Some("replace"));
    }
}
