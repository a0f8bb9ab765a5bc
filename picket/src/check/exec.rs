//! Checks by command.

use std::fmt::Debug;
use std::pin::Pin;

use super::outcome::{Failed, Tried, with_words};

/// Runs a command below a keeper of its own, as the service's user and in its environment.
///
/// An implementation bounds what the command prints, and ends the whole tree of the command when the
/// future is dropped: that is what a time-out does.
pub trait Runner: Debug + Send + Sync {
    /// Runs a command until it ends.
    fn run<'a>(
        &'a self,
        command: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<Ran, NotRun>> + Send + 'a>>;
}

/// Why a command did not run to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRun {
    /// There is something wrong with the command: the check fails.
    Command(String),
    /// The node could not start it: that says nothing about the service.
    Node(String),
}

impl NotRun {
    /// Something is wrong with the command.
    pub(crate) fn of_command(why: &str) -> Self {
        Self::Command(why.to_owned())
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; none: a signal ended it.
    pub code: Option<i32>,
    /// The signal.
    pub signal: Option<i32>,
    /// The end of what it printed, some hundred bytes.
    pub output: Vec<u8>,
}

pub(super) async fn run(runner: &dyn Runner, command: &[String]) -> Tried {
    let ran = runner.run(command).await.map_err(|err| match err {
        NotRun::Command(why) => Failed::Answer(format!("not run: {why}")),
        NotRun::Node(why) => Failed::NotMade(why),
    })?;
    let remark = match (ran.code, ran.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended for an unknown reason".to_owned(),
    };
    let mut lines = ran.output.split(|b| *b == b'\n').rev();
    let last = lines.find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let text = with_words(&remark, last);
    if ran.code == Some(0) { Ok(text) } else { Err(text.into()) }
}
