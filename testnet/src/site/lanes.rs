//! Two sides of a partition, drawn as lanes: which instances ran where, and when.
//!
//! ```text
//!                |part                  |heal
//! hold: n0 n1    |                      |
//!    n0          ██████████████████████████████
//!    n1
//! the others     |                      |
//!    n2          ██████████████████████████████
//!    n3              ░█████████████████████
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Diary, Happened};

/// How many columns the time has.
const WIDTH: u64 = 64;
/// How many columns a name has.
const NAMES: usize = 16;

/// A side: how it is called, and its nodes with their names.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// The nodes.
    pub nodes: Vec<(usize, String)>,
}

/// Draws what ran on each side from one moment to another, with marks at some: `░` for a process that runs, `█` for one
/// that serves. Times are in milliseconds of Unix time.
#[must_use]
pub fn lanes(
    diary: &Diary,
    sides: &[Lane],
    marks: &[(u64, &str)],
    (from, to): (u64, u64),
) -> String {
    let scale = Scale { from, to };
    let mut drawn = scale.marks(marks, true);
    for side in sides {
        let _ = writeln!(drawn, "{:NAMES$}{}", side.name, scale.marks(marks, false).trim_end());
        for (node, name) in &side.nodes {
            let columns = scale.columns(diary, *node);
            let _ = writeln!(drawn, "{:NAMES$}{}", format!("   {name}"), columns.trim_end());
        }
    }
    let seconds = (to.saturating_sub(from)) as f64 / 1000.0;
    let _ = write!(drawn, "{:NAMES$}0 s … {seconds:.1} s", "");
    drawn
}

#[derive(Debug, Clone, Copy)]
struct Scale {
    from: u64,
    to: u64,
}

impl Scale {
    /// The moment at which a column ends.
    fn end(self, column: u64) -> u64 {
        self.from + (self.to.saturating_sub(self.from)) * (column + 1) / WIDTH
    }

    /// The column of a moment.
    fn column(self, at: u64) -> usize {
        (0..WIDTH).take_while(|column| self.end(*column) < at).count()
    }

    /// A line with the marks; their names only with the first line, which has a margin.
    fn marks(self, marks: &[(u64, &str)], named: bool) -> String {
        let mut line: Vec<char> = vec![' '; usize::try_from(WIDTH).unwrap_or_default() + 8];
        for (at, name) in marks {
            let column = self.column(*at);
            let text = if named { *name } else { "" };
            let cells = line.iter_mut().skip(column);
            cells.zip("|".chars().chain(text.chars())).for_each(|(cell, mark)| *cell = mark);
        }
        let line: String = line.into_iter().collect();
        if named { format!("{:NAMES$}{}\n", "", line.trim_end()) } else { line }
    }

    /// The columns of a node: the furthest that one of its instances is at the end of each.
    fn columns(self, diary: &Diary, node: usize) -> String {
        let entries: Vec<_> = diary.by_time().into_iter().filter(|it| it.node == node).collect();
        let of_column = |column| {
            let mut lives: BTreeMap<&str, Happened> = BTreeMap::new();
            for entry in entries.iter().take_while(|it| it.at <= self.end(column)) {
                lives.insert(&entry.instance, entry.happened);
            }
            let has = |stage| lives.values().any(|life| *life == stage);
            match (has(Happened::Up), has(Happened::Started)) {
                (true, _) => '█',
                (false, true) => '░',
                (false, false) => ' ',
            }
        };
        (0..WIDTH).map(of_column).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Entry;

    #[test]
    fn each_node_has_a_row_below_its_side() {
        let told = |node, at, happened, instance: &str| Entry {
            node,
            seq: at,
            at,
            happened,
            service: "web".to_owned(),
            rev: "v1".to_owned(),
            instance: instance.to_owned(),
            pid: None,
        };
        use Happened::{Ended, Started, Up};
        let all = vec![
            told(0, 1000, Started, "a"),
            told(0, 1000, Up, "a"),
            told(1, 1016, Started, "b"),
            told(1, 1032, Up, "b"),
            told(1, 1048, Ended, "b"),
        ];
        let lane = |name: &str, node| Lane {
            name: name.to_owned(),
            nodes: vec![(node, format!("n{node}"))],
        };
        let sides = [lane("hold", 0), lane("others", 1)];
        let marks = [(1010, "part"), (1040, "heal")];
        let drawn = lanes(&Diary { all }, &sides, &marks, (1000, 1064));
        let lines: Vec<_> = drawn.lines().collect();
        let row = |line: &str| line.chars().skip(NAMES).collect::<String>();
        assert_eq!(lines.len(), 6, "{drawn}");
        assert!(row(lines[0]).starts_with("         |part"), "{drawn}");
        assert_eq!(row(lines[2]), "█".repeat(64));
        let blank = " ".repeat(15);
        assert_eq!(
            row(lines[4]),
            format!("{blank}{}{}", "░".repeat(16), "█".repeat(16)),
            "{drawn}"
        );
    }
}
