//! The table of settings in `docs/operate/configuration.md`, from the rows that the node reads them by.

use crux_node::config::{ROWS, Row};

use crate::markdown::{code, table};

pub(crate) fn print() -> String {
    let row = |row: &Row| {
        vec![
            row.help.to_owned(),
            code(&format!("--{}", row.flag)),
            code(&row.variable()),
            if row.in_file { code(row.key) } else { String::new() },
            row.default.to_owned(),
        ]
    };
    let rows: Vec<_> = ROWS.iter().map(row).collect();
    table(&["meaning", "flag of `run`", "environment", "file", "default"], &rows)
}
