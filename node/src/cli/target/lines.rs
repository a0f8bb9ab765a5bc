//! The lines in which two texts differ.
//!
//! Of the lines between the common beginning and the common end, a longest common subsequence stays; the table for
//! that is bounded, and texts that would need a larger one differ as a whole. The output is that of `diff -u`.

use std::fmt::Write as _;

/// How many cells the table may have: 16 MiB, and some ten milliseconds.
const CELLS_MAX: usize = 4 << 20;
/// How many equal lines are shown around those that differ.
const AROUND: usize = 3;

/// A line of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Kept(&'a str),
    Removed(&'a str),
    Added(&'a str),
}

impl<'a> Line<'a> {
    const fn is_kept(&self) -> bool {
        matches!(self, Self::Kept(_))
    }

    const fn shown(&self) -> (char, &'a str) {
        match self {
            Self::Kept(text) => (' ', text),
            Self::Removed(text) => ('-', text),
            Self::Added(text) => ('+', text),
        }
    }
}

/// The difference of two texts of that name, of which the first is that `before`; empty if there is none.
pub(super) fn diff(name: &str, before: &str, (old, new): (&str, &str)) -> String {
    let [old, new] = [old, new].map(|text| text.lines().collect::<Vec<_>>());
    if old == new {
        return String::new();
    }
    let all = compare(&old, &new);
    let mut text = format!("--- {name}, {before}\n+++ {name}\n");
    let (mut at, mut numbers) = (0, (1, 1));
    while at < all.len() {
        let skipped = all[at..].iter().take_while(|it| it.is_kept()).count();
        if at + skipped == all.len() {
            break;
        }
        let begins = (at + skipped).saturating_sub(AROUND).max(at);
        numbers.0 += begins - at;
        numbers.1 += begins - at;
        let ends = end(&all, at + skipped);
        hunk(&all[begins..ends], &mut numbers, &mut text);
        at = ends;
    }
    text
}

/// Where the hunk ends whose first difference is at an index.
fn end(all: &[Line<'_>], first: usize) -> usize {
    let mut last = first;
    for (at, line) in all.iter().enumerate().skip(first) {
        if !line.is_kept() {
            last = at;
        } else if at - last > 2 * AROUND {
            break;
        }
    }
    (last + 1 + AROUND).min(all.len())
}

/// Writes lines with their numbers in both texts, which then are those behind them.
fn hunk(lines: &[Line<'_>], numbers: &mut (usize, usize), text: &mut String) {
    let old = lines.iter().filter(|it| !matches!(it, Line::Added(_))).count();
    let new = lines.iter().filter(|it| !matches!(it, Line::Removed(_))).count();
    // Of no lines the number of the line before is written.
    let first = |number: usize, count: usize| if count == 0 { number - 1 } else { number };
    let (from, to) = (first(numbers.0, old), first(numbers.1, new));
    // Writing to a string does not fail.
    _ = writeln!(text, "@@ -{from},{old} +{to},{new} @@");
    for line in lines {
        let (mark, line) = line.shown();
        _ = writeln!(text, "{mark}{line}");
    }
    *numbers = (numbers.0 + old, numbers.1 + new);
}

/// All lines of both texts.
fn compare<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let begin = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - begin;
    let equal = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b);
    let end = equal.count().min(rest);
    let (old_end, new_end) = (old.len() - end, new.len() - end);
    let mut all: Vec<_> = old[..begin].iter().map(|it| Line::Kept(it)).collect();
    between(&old[begin..old_end], &new[begin..new_end], &mut all);
    all.extend(old[old_end..].iter().map(|it| Line::Kept(it)));
    all
}

/// The lines between what both have in common.
fn between<'a>(old: &[&'a str], new: &[&'a str], all: &mut Vec<Line<'a>>) {
    let width = new.len() + 1;
    if (old.len() + 1) * width > CELLS_MAX {
        all.extend(old.iter().map(|it| Line::Removed(it)));
        all.extend(new.iter().map(|it| Line::Added(it)));
        return;
    }
    // The length of a longest common subsequence of what is left of both at each pair of places.
    let mut lengths = vec![0_u32; (old.len() + 1) * width];
    for a in (0..old.len()).rev() {
        for b in (0..new.len()).rev() {
            lengths[a * width + b] = match old[a] == new[b] {
                true => lengths[(a + 1) * width + b + 1] + 1,
                false => lengths[(a + 1) * width + b].max(lengths[a * width + b + 1]),
            };
        }
    }
    let (mut a, mut b) = (0, 0);
    while a < old.len() || b < new.len() {
        let is_equal = a < old.len() && b < new.len() && old[a] == new[b];
        let removes = b == new.len()
            || (a < old.len() && lengths[(a + 1) * width + b] >= lengths[a * width + b + 1]);
        if is_equal {
            all.push(Line::Kept(old[a]));
            (a, b) = (a + 1, b + 1);
        } else if removes {
            all.push(Line::Removed(old[a]));
            a += 1;
        } else {
            all.push(Line::Added(new[b]));
            b += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(old: &str, new: &str) -> String {
        diff("web", "generation 1", (old, new))
    }

    #[test]
    fn what_differs_is_shown_with_what_is_around_it() {
        assert_eq!(shown("a\nb\n", "a\nb\n"), "");
        let head = "--- web, generation 1\n+++ web\n";
        assert_eq!(shown("", "a\nb\n"), format!("{head}@@ -0,0 +1,2 @@\n+a\n+b\n"));
        assert_eq!(shown("a\nb\n", "a\nc\n"), format!("{head}@@ -1,2 +1,2 @@\n a\n-b\n+c\n"));
        let long = |last: &str| (0..20).map(|n| format!("{n}\n")).collect::<String>() + last;
        let expected = "@@ -18,4 +18,4 @@\n 17\n 18\n 19\n-x\n+y\n";
        assert_eq!(shown(&long("x"), &long("y")), format!("{head}{expected}"));
        let two = shown(&format!("a\n{}", long("x")), &format!("b\n{}", long("y")));
        assert_eq!(two.matches("@@ -").count(), 2, "{two}");
        assert!(two.contains("@@ -19,4 +19,4 @@\n 17\n"), "{two}");
    }

    #[test]
    fn texts_beyond_the_bound_differ_as_a_whole() {
        let lines = |mark: &str| (0..3000).map(|n| format!("{mark}{n}\n")).collect::<String>();
        let text = shown(&lines("a"), &lines("b"));
        assert_eq!(text.lines().count(), 3 + 6000);
    }

    proptest! {
        /// Without the added lines it is the old text, without the removed ones the new text.
        #[test]
        fn both_texts_are_in_it(old in "([abc]\n){0,12}", new in "([abc]\n){0,12}") {
            let lines = |text| str::lines(text).collect::<Vec<_>>();
            let all = compare(&lines(&old), &lines(&new));
            let without = |mark| {
                let shown = all.iter().map(Line::shown).filter(|(it, _)| *it != mark);
                shown.map(|(_, line)| line).collect::<Vec<_>>()
            };
            prop_assert_eq!(without('+'), lines(&old));
            prop_assert_eq!(without('-'), lines(&new));
        }
    }
}
