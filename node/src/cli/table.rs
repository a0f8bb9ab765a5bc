//! Tables for people.

use comfy_table::{ContentArrangement, Table, presets};
use crux_client::model::{Leader, Service};
use crux_crdt::Principal;

use crate::plain;

/// A table without lines, whose columns are as wide as they need. The last one is not padded. A cell
/// takes one line, whatever is in it.
pub(super) fn render<const N: usize>(header: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    table.add_rows(rows.into_iter().map(|row| row.map(|cell| plain::line(&cell).into_owned())));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines = table.to_string();
    let lines: Vec<_> = lines.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// A principal as people see it: enough digits to tell a few apart.
pub(super) fn short(principal: &Principal) -> String {
    principal.short()
}

/// A leader in one line.
pub(super) fn leader(leader: Option<&Leader>) -> String {
    match leader {
        Some(leader) => {
            format!("{} ({}, term {})", leader.node, short(&leader.principal), leader.term)
        }
        None => "none".to_owned(),
    }
}

/// A service in one line.
pub(super) fn service(service: &Service) -> String {
    format!("{}  {}  {}", service.path, service.net_id.endpoint, service.status)
}
