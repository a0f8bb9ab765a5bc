//! One step of the story, as it is told.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// One step that held.
#[derive(Debug, Clone, Serialize)]
pub struct Chapter {
    /// What happened.
    pub what: String,
    /// How long it took, from the act to the moment all nodes showed it.
    #[serde(rename = "took_ms", serialize_with = "as_millis")]
    pub took: Duration,
}

impl fmt::Display for Chapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        write!(f, "{seconds:>7.3} s  {}", self.what)
    }
}

fn as_millis<S: Serializer>(took: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u128(took.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_aligned_and_in_json_they_are_milliseconds() {
        let chapter = Chapter { what: "it forms".to_owned(), took: Duration::from_millis(1240) };
        assert_eq!(chapter.to_string(), "  1.240 s  it forms");
        let json = serde_json::to_value(&chapter).expect("plain data");
        assert_eq!(json, serde_json::json!({ "what": "it forms", "took_ms": 1240 }));
    }
}
