//! Tables for people.

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use crux_client::model::{Leader, Service};
use crux_crdt::Principal;
use crux_crdt::path::FlockId;

use super::paint::{Colour, paint};
use crate::plain;

/// The text in one place of a table.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl Cell {
    /// A word that says how something is.
    pub(super) fn painted(colour: impl Into<Colour>, word: impl Into<String>) -> Self {
        Self { text: word.into(), colour: Some(colour.into()) }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), colour: None }
    }
}

/// A table without lines, whose columns are as wide as they need. The last one is not padded. A cell
/// takes one line, whatever is in it.
pub(super) fn render<const N: usize, C: Into<Cell>>(
    header: [&str; N],
    rows: Vec<[C; N]>,
) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    let shown = |cell: C| {
        let Cell { text, colour } = cell.into();
        colour.map_or_else(|| plain::line(&text).into_owned(), |colour| paint(colour, &text))
    };
    table.add_rows(rows.into_iter().map(|row| row.map(shown)));
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

/// Labels in one cell. A value in which there is a space could pass for several.
pub(super) fn labels(labels: &BTreeMap<String, String>) -> String {
    let label = |(key, value): (&String, &String)| match value.contains([' ', '"']) {
        true => format!("{key}={value:?}"),
        false => format!("{key}={value}"),
    };
    labels.iter().map(label).collect::<Vec<_>>().join(" ")
}

/// Which of several instances it is, in words; nothing for the first one.
pub(super) fn ordinal(ordinal: u16) -> String {
    if ordinal == 0 { String::new() } else { format!(" (ordinal {ordinal})") }
}

/// A path, and which instance there.
pub(super) fn place(path: &FlockId, ordinal: u16) -> String {
    format!("{path}{}", self::ordinal(ordinal))
}

/// How long something has been so, in whole units of the largest that fits: `59s`, `3m`, `2d`.
pub(super) fn span(time: Duration) -> String {
    let secs = time.as_secs();
    match secs {
        0..60 => format!("{secs}s"),
        60..3600 => format!("{}m", secs / 60),
        3600..86_400 => format!("{}h", secs / 3600),
        _ => format!("{}d", secs / 86_400),
    }
}

/// A size in bytes, in the largest unit that fits: `512 B`, `1.5 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fits = UNITS.iter().find(|(_, power)| bytes >> power > 0);
    fits.map_or_else(
        || format!("{bytes} B"),
        |(unit, power)| {
            let tenths = (u128::from(bytes) * 10) >> power;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        },
    )
}

/// Ports in one cell.
pub(super) fn ports(ports: &BTreeMap<String, u16>) -> String {
    ports.iter().map(|(name, port)| format!("{name}={port}")).collect::<Vec<_>>().join(" ")
}

/// A service in one line.
pub(super) fn service(service: &Service) -> String {
    let place = place(&service.path, service.ordinal);
    let status = paint(service.status.into(), service.status.as_str());
    let line = format!("{place}  {status}  {}", service.net_id.endpoint);
    match labels(&service.labels) {
        labels if labels.is_empty() => line,
        labels => format!("{line}  {labels}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes_have_one_unit() {
        let spans = [0, 59, 60, 3599, 3600, 86_399, 86_400, 1_000_000];
        let spans: Vec<_> = spans.map(|secs| span(Duration::from_secs(secs))).into();
        assert_eq!(spans, ["0s", "59s", "1m", "59m", "1h", "23h", "1d", "11d"]);
        let sizes = [0, 1023, 1024, 1536, (1 << 20) - 1, 1 << 20, 5 << 30, u64::MAX];
        let sizes: Vec<_> = sizes.map(size).into();
        let wanted = [
            "0 B",
            "1023 B",
            "1.0 KiB",
            "1.5 KiB",
            "1023.9 KiB",
            "1.0 MiB",
            "5.0 GiB",
            "16777215.9 TiB",
        ];
        assert_eq!(sizes, wanted);
    }
}
