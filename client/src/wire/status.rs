//! Errors to and from `google.rpc.Status`.
//!
//! A status carries an `ErrorInfo` detail with domain `crux` and the kind as reason, so that nothing
//! is lost between nodes and clients of this project. Stock clients see a proper code and a message.

use std::collections::HashMap;

use tonic::{Code, Status};

use super::detail::{self, ErrorInfo};
use crate::error::{Error, Kind, LOG_CHARS_MAX};

/// The domain of `ErrorInfo`.
const DOMAIN: &str = "crux";

/// Between the entries of the context.
const CONTEXT_SEPARATOR: char = '\n';

/// Before the names of extra fields.
const FIELD: &str = "field.";

/// The field with what a program wrote last.
const LOG_FIELD: &str = "field.log";

/// How many characters of a text go over the wire: statuses travel in headers.
const TEXT_MAX: usize = 1024;

/// How many extra fields go over the wire, for the same reason.
const FIELDS_MAX: usize = 16;

/// The error as a status.
pub fn to_status(err: &Error) -> Status {
    let code = Code::from_i32(err.kind().row().grpc);
    let info = ErrorInfo {
        reason: err.kind().as_str().to_owned(),
        domain: DOMAIN.to_owned(),
        metadata: metadata(err),
    };
    detail::with_info(code, cut(&err.to_string()), &info)
}

/// The fields of `ErrorInfo` besides the kind.
fn metadata(err: &Error) -> HashMap<String, String> {
    let mut metadata = HashMap::new();
    let mut put =
        |name: &str, value: &str| metadata.insert(name.to_owned(), cut_to(value, max(name)));
    put("message", err.message());
    put("state_changed", err.state_changed().as_str());
    put("fault", err.fault().as_str());
    put("retryable", if err.retryable() { "true" } else { "false" });
    if let Some(hint) = err.hint() {
        put("hint", hint);
    }
    if !err.context().is_empty() {
        put("context", &err.context().join(&CONTEXT_SEPARATOR.to_string()));
    }
    for (name, value) in err.fields().iter().take(FIELDS_MAX) {
        put(&format!("{FIELD}{}", cut(name)), value);
    }
    metadata
}

/// The status as an error. A kind that only a newer version knows keeps its code's meaning.
pub fn from_status(status: &Status) -> Error {
    let by_code = Kind::from_grpc(status.code() as i32);
    let info = detail::info(status).filter(|info| info.domain == DOMAIN);
    let Some(info) = info else {
        let message = cut(status.message());
        let message = if message.is_empty() { by_code.to_string() } else { message };
        return Error::new(by_code, message);
    };
    let kind = Kind::from_name(&info.reason);
    let get = |name: &str| info.metadata.get(name).map(String::as_str);
    let mut err =
        Error::new(kind.unwrap_or(by_code), cut(get("message").unwrap_or(status.message())));
    for context in get("context").into_iter().flat_map(|all| all.split(CONTEXT_SEPARATOR)) {
        err = err.augment(context);
    }
    if let Some(hint) = get("hint") {
        err = err.with_hint(hint);
    }
    if let Some(state) = get("state_changed").and_then(|word| word.parse().ok()) {
        err = err.with_state(state);
    }
    if let Some(fault) = get("fault").and_then(|word| word.parse().ok()) {
        err = err.with_fault(fault);
    }
    if let Some(retryable) = get("retryable").and_then(|word| word.parse().ok()) {
        err = err.with_retry(retryable);
    }
    for (name, value) in &info.metadata {
        if let Some(name) = name.strip_prefix(FIELD) {
            err = err.with_field(name, value);
        }
    }
    if kind.is_none() { err.with_field("kind", cut(&info.reason)) } else { err }
}

/// At most [`TEXT_MAX`] characters.
fn cut(s: &str) -> String {
    cut_to(s, TEXT_MAX)
}

fn cut_to(s: &str, max: usize) -> String {
    s.chars().take(max).collect()
}

/// How many characters a text of that name has at most. The log of a program is bounded where it is added.
fn max(name: &str) -> usize {
    if name == LOG_FIELD { LOG_CHARS_MAX } else { TEXT_MAX }
}

#[cfg(test)]
mod tests {
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;
    use crate::error::{Fault, StateChanged};

    #[test]
    fn nothing_is_lost_on_the_way() {
        for kind in Kind::ALL {
            let err = Error::new(*kind, "no room, said the disk: 100 % full ✗")
                .augment("writing")
                .augment("registering ntp")
                .with_hint("free some room")
                .with_field("dir", "/d")
                .with_state(StateChanged::Unknown)
                .with_fault(Fault::Peer)
                .with_retry(true);
            let status = to_status(&err);
            assert_eq!(status.code() as i32, kind.row().grpc);
            assert_eq!(status.message(), err.to_string());
            assert_eq!(from_status(&status), err);
        }
    }

    #[test]
    fn the_last_lines_of_a_program_arrive() {
        let lines: Vec<String> = (0..30).map(|n| format!("{n} {}", "é".repeat(500))).collect();
        let err = Error::new(Kind::StartFailed, "exit 1").with_log(&lines);
        assert_eq!(from_status(&to_status(&err)), err);
        assert!(to_status(&err).details().len() < 20 * 1024);
    }

    #[test]
    fn a_status_of_a_stranger_keeps_its_meaning() {
        let err = from_status(&Status::not_found("nothing there"));
        assert_eq!((err.kind(), err.message()), (Kind::NotFound, "nothing there"));
        let err = from_status(&Status::unimplemented(""));
        assert_eq!((err.kind(), err.message()), (Kind::Unsupported, "unsupported"));
        let details = ErrorDetails::with_error_info("x", "other.example", HashMap::new());
        let status = Status::with_error_details(Code::NotFound, "m", details);
        assert_eq!(from_status(&status).kind(), Kind::NotFound);
    }

    #[test]
    fn a_kind_of_a_newer_version_falls_back_to_the_code() {
        let details = ErrorDetails::with_error_info("too_new", DOMAIN, HashMap::new());
        let status = Status::with_error_details(Code::ResourceExhausted, "m", details);
        let err = from_status(&status);
        assert_eq!((err.kind(), err.message()), (Kind::LimitReached, "m"));
        assert_eq!(err.fields()["kind"], "too_new");
    }

    #[test]
    fn texts_are_cut() {
        let err = Error::new(Kind::Io, "x".repeat(100_000)).with_hint("y".repeat(100_000));
        let err = from_status(&to_status(&err));
        assert_eq!(err.message().len(), TEXT_MAX);
        assert_eq!(err.hint().map(str::len), Some(TEXT_MAX));
    }
}
