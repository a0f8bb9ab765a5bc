//! Markdown, as the project's pages have it.

/// What the first line of a generated page says.
pub(crate) const NOTE: &str =
    "<!-- The code prints this page: node/tests/pages says how. Do not edit it. -->";
/// The longest line of a paragraph, in characters.
const WIDTH: usize = 120;

/// A paragraph in lines of the width.
pub(crate) fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// A table; its cells are escaped.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut table = line(head.iter().map(|&cell| cell.to_owned()).collect());
    table.push_str(&format!("|{}\n", "---|".repeat(head.len())));
    for row in rows {
        table.push_str(&line(row.iter().map(|cell| cell.replace('|', "\\|")).collect()));
    }
    table
}

pub(crate) fn code(text: &str) -> String {
    format!("`{text}`")
}
