//! The prose of a page: without code, addresses and markup.

use super::text::Passage;

/// Paragraphs, entries of lists, headings and cells of tables.
pub(super) fn passages(page: &str) -> Vec<Passage> {
    let mut all = Vec::new();
    let mut open: Option<Passage> = None;
    for line in prose(page) {
        let Line { number, text, begins } = line;
        if begins || text.is_empty() {
            all.extend(open.take());
        }
        if text.starts_with('|') {
            let cells = text.split('|').map(str::trim).filter(|cell| !cell.is_empty());
            all.extend(cells.map(|cell| Passage { line: number, text: cell.to_owned() }));
        } else if !text.is_empty() {
            let passage = open.get_or_insert(Passage { line: number, text: String::new() });
            if !passage.text.is_empty() {
                passage.text.push(' ');
            }
            passage.text.push_str(&text);
        }
    }
    all.extend(open);
    all
}

/// A line of prose.
struct Line {
    number: usize,
    text: String,
    /// Whether it begins a passage, whatever comes before it.
    begins: bool,
}

/// The lines outside of blocks of code, without the code within them; an empty one ends a passage.
fn prose(page: &str) -> Vec<Line> {
    let (mut fenced, mut indented, mut blank) = (false, false, true);
    let mut all = Vec::new();
    for (at, line) in page.lines().enumerate() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        // Within a list an indented line goes with the entry above, unless a blank line parts them.
        indented = line.starts_with("    ") && (blank || indented);
        blank = line.trim().is_empty();
        let line = if fence || fenced || indented { "" } else { line.trim_start() };
        let line = line.strip_prefix("> ").unwrap_or(line);
        let begins = ["#", "* ", "- ", "|", "<!--"].iter().any(|mark| line.starts_with(mark))
            || line.split_once(". ").is_some_and(|(n, _)| n.parse::<u32>().is_ok());
        let line = line.trim_start_matches(['#', '*', '-', ' ']);
        all.push(Line { number: at + 1, text: bare(line), begins });
    }
    all
}

/// A line without code and without the addresses of links.
fn bare(line: &str) -> String {
    let mut text = String::new();
    for (at, part) in line.split('`').enumerate() {
        // Something has to be there, or the words around it become neighbours.
        text.push_str(if at % 2 == 0 { part } else { "\u{2026}code" });
    }
    while let Some(start) = text.find("](") {
        let end = text[start..].find(')').map_or(text.len(), |end| start + end + 1);
        text.replace_range(start..end, "");
    }
    text.replace(['[', '*'], "")
}
