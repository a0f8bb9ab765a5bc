//! Findings of `doctor`.

use serde::Serialize;

/// One line of `doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The name of the check, snake case.
    pub name: String,
    /// How it is.
    pub result: CheckResult,
    /// The finding.
    pub detail: String,
    /// The remedy; `None` where nothing needs doing.
    pub hint: Option<String>,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// As it should be.
    Ok,
    /// Works, but look at it.
    Warn,
    /// Does not work.
    Fail,
}

impl CheckResult {
    /// Every result.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Warn, Self::Fail];

    /// The word used in JSON and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}
