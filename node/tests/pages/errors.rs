//! `docs/reference/errors.md`, from the table of kinds.

use crux_client::{Exit, Kind};

use crate::markdown::{NOTE, code, table, wrapped};

pub(crate) fn page() -> String {
    let about = "A command that fails prints a message and a hint; with `--json` one object with the fields below. The \
                 [control API](api.md#errors) sends the same. Branch on `kind`: kinds are stable, messages are not.";
    let fields = [
        ("kind", "The stable name, from the table below."),
        ("message", "The message for people: what was being done, and what went wrong."),
        ("hint", "The next step; null where there is none."),
        (
            "state_changed",
            "`no`: nothing changed, so trying again is safe. `yes`: part of it was done. `unknown`: look before \
             you try again.",
        ),
        (
            "fault",
            "`caller`: the request is wrong. `node`: this node, by a bug or a limit. `peer`: another node. \
             `environment`: disk, ports, permissions, network.",
        ),
        ("retryable", "Whether the same request may succeed later."),
        ("exit_code", "The exit code of the command."),
        ("fields", "More for machines, such as the name that was not found."),
    ];
    let fields = fields.map(|(name, meaning)| vec![code(name), meaning.to_owned()]);
    format!(
        "{NOTE}\n\n# Errors\n\n{}\n\n## Fields\n\n{}\n## Exit codes\n\n{}\n{}\n\n## Kinds\n\n{}\n\n{}",
        wrapped(about),
        table(&["field", "meaning"], &fields),
        exits(),
        wrapped("`blob get` that a signal ends has 130 (SIGINT), 143 (SIGTERM) or 129 (SIGHUP)."),
        wrapped(
            "Fault, retry and state are the usual ones of each kind; an error can say otherwise in its own fields."
        ),
        kinds()
    )
}

/// The exit codes, each with its kinds.
fn exits() -> String {
    let row = |exit: Exit| {
        let kinds = Kind::ALL.iter().filter(|kind| kind.row().exit == exit);
        let kinds: Vec<String> = kinds.map(|kind| code(kind.as_str())).collect();
        vec![exit.code().to_string(), exit.meaning().to_owned(), kinds.join(", ")]
    };
    table(&["code", "meaning", "kinds"], &Exit::ALL.map(row))
}

fn kinds() -> String {
    let row = |kind: &Kind| {
        let row = kind.row();
        let states: Vec<&str> = row.states.iter().map(|state| state.as_str()).collect();
        vec![
            code(row.name),
            row.meaning.to_owned(),
            row.advice.to_owned(),
            row.fault.to_string(),
            if row.retryable { "yes" } else { "no" }.to_owned(),
            states.join(", "),
            row.grpc_name.to_owned(),
            row.exit.code().to_string(),
        ]
    };
    let head = [
        "kind",
        "meaning",
        "what to do",
        "fault",
        "retryable",
        "state changed",
        "gRPC code",
        "exit",
    ];
    let rows: Vec<Vec<String>> = Kind::ALL.iter().map(row).collect();
    table(&head, &rows)
}
