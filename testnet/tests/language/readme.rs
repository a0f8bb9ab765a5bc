//! The README: short, and without what belongs on other pages.

use super::read;

/// How long it may be, in lines.
const LINES_MAX: usize = 200;
/// What a reader takes for an apology, in lower case.
const APOLOGIES: &[&str] = &["sorry", "apolog", "unfortunately", "alas", "regret", "forgive"];

#[test]
fn is_short_and_without_hashes_seeds_and_apologies() {
    let readme = read("README.md");
    let lines = readme.lines().count();
    assert!(lines <= LINES_MAX, "README.md has {lines} lines, at most {LINES_MAX}");
    assert_eq!(faults(&readme), Vec::<String>::new());
}

#[test]
fn the_check_sees_what_it_looks_for() {
    let bad = "Built at 89afdf6c.\nSeed 375 shows it.\nUnfortunately\n--seeds 0..10";
    assert_eq!(faults(bad).len(), 4);
    // Ids of blobs, principals and digests are in what commands print.
    assert_eq!(faults("```console\n$ x\n89afdf6c\n```\n`89afdf6c`"), Vec::<String>::new());
}

fn faults(page: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fenced = false;
    for line in page.lines() {
        fenced ^= line.starts_with("```");
        let lower = line.to_lowercase();
        let outside: String = line.split('`').step_by(2).collect();
        let mut words = outside.split(|c: char| !c.is_alphanumeric());
        if words.any(is_hash) && !fenced {
            faults.push(format!("a commit: {line}"));
        }
        let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
        let numbered =
            |pair: &[&str]| ["seed", "seeds"].contains(&pair[0]) && pair[1].parse::<u64>().is_ok();
        if words.windows(2).any(numbered) {
            faults.push(format!("a seed: {line}"));
        }
        if APOLOGIES.iter().any(|word| lower.contains(word)) {
            faults.push(format!("an apology: {line}"));
        }
    }
    faults
}

/// Seven or more hexadecimal digits, letters and numbers among them.
fn is_hash(word: &str) -> bool {
    word.len() >= 7
        && word.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
        && word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().any(|b| b.is_ascii_alphabetic())
}
