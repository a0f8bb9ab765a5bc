//! The table of a flock.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};

use super::{FlockView, mebibytes, runs_line, short};

/// The flock as a table, one row per node.
#[must_use]
pub fn flock_table(view: &FlockView) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "node",
        "principal",
        "state",
        "leader",
        "state digest",
        "services",
        "memory",
        "runs",
    ]);
    for row in &view.nodes {
        table.add_row([
            row.node.clone(),
            short(&row.principal).to_owned(),
            row.state.clone(),
            if row.leads { "★".to_owned() } else { String::new() },
            short(&row.state_digest).to_owned(),
            row.services.to_string(),
            mebibytes(row.memory_bytes),
            runs_line(&row.runs),
        ]);
    }
    for (column, alignment) in
        [(3, CellAlignment::Center), (5, CellAlignment::Right), (6, CellAlignment::Right)]
    {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(alignment);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{NodeRow, Runs};

    #[test]
    fn the_table_marks_the_leader_and_shortens_keys() {
        let row = NodeRow {
            node: "n1".to_owned(),
            pid: Some(7),
            principal: "0123456789abcdef".to_owned(),
            state: "alive".to_owned(),
            leads: true,
            state_digest: "fedcba9876543210".to_owned(),
            services: 3,
            runs: vec![Runs {
                service: "web".to_owned(),
                state: "backoff".to_owned(),
                instances: 1,
            }],
            memory_bytes: 10 * 1024 * 1024,
            listen: "127.0.0.1:20000".to_owned(),
            data_dir: String::new(),
            log: String::new(),
        };
        let view = FlockView {
            flock: "f".to_owned(),
            flock_id: String::new(),
            leader: Some("n1".to_owned()),
            state_digest: None,
            nodes: vec![row],
        };
        let shown = flock_table(&view).to_string();
        for part in
            ["n1", "0123456789", "alive", "★", "fedcba9876", "10.0 MiB", "runs", "web (backoff)"]
        {
            assert!(shown.contains(part), "{part} is missing in\n{shown}");
        }
        assert!(!shown.contains("0123456789a"));
    }
}
