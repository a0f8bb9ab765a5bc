//! Words and sentences.

use super::words::{RULES, Rule};

/// Some sentences that belong together, in one line.
pub(super) struct Passage {
    /// The line of the file in which it begins, from 1.
    pub(super) line: usize,
    pub(super) text: String,
}

/// The rules that a text breaks, by their words; each once.
pub(super) fn phrases(text: &str) -> Vec<&'static str> {
    let words = words(text);
    RULES.iter().filter(|rule| breaks(&words, rule)).map(|rule| rule.words).collect()
}

fn breaks(words: &[String], rule: &Rule) -> bool {
    let phrase: Vec<&str> = rule.words.split(' ').collect();
    let is_at = |phrase: &[&str], at: usize| {
        let words = words.get(at..at + phrase.len());
        words.is_some_and(|words| words.iter().zip(phrase).all(|(word, wanted)| word == wanted))
    };
    (0..words.len()).filter(|at| is_at(&phrase, *at)).any(|at| {
        let fine = rule.unless.iter().any(|unless| {
            let unless: Vec<&str> = unless.split(' ').collect();
            (at.saturating_sub(unless.len())..=at)
                .any(|start| is_at(&unless, start) && start + unless.len() >= at + phrase.len())
        });
        !fine
    })
}

/// Words in lower case, without the marks around them.
fn words(text: &str) -> Vec<String> {
    let bare = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        word.to_lowercase()
    };
    text.split_whitespace().map(bare).filter(|word| !word.is_empty()).collect()
}

/// The word with which a sentence begins that is not a question, if it is one of these.
pub(super) fn opens_as_noun<'a>(text: &str, openers: &[&'a str]) -> Option<&'a str> {
    sentences(text).filter(|sentence| !sentence.ends_with('?')).find_map(|sentence| {
        let first = sentence.trim_start_matches(|c: char| !c.is_alphanumeric());
        let first = first.split(|c: char| !c.is_alphanumeric()).next()?;
        openers.iter().find(|opener| **opener == first).copied()
    })
}

/// The sentences of a text, each with its mark.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(". ")
        .flat_map(|part| part.split_inclusive("? "))
        .flat_map(|part| part.split_inclusive("! "))
        .map(str::trim)
}
